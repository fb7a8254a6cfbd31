// Publishing into a feed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <leat/event.h>
#include <leat/feed_address.h>
#include <leat/idle.h>
#include <leat/result.h>

namespace leat {

/// How far an event has come.
enum class Ack : std::uint8_t {
  accepted,   ///< in the inbound ring: survives the death of this process and of the broker
  committed,  ///< in the journal, visible to live consumers; has a sequence
  durable,    ///< fdatasync has returned: survives the loss of power
};

/// Outcome of one attempt on the hot path.
enum class [[nodiscard]] Publish : std::uint8_t {
  ok,
  would_block,   ///< arena or inbound ring full: nothing was published, try again later
  too_large,     ///< over max_event_bytes, or over what the arena holds
  bad_topic,
  bad_field,     ///< key or message id over 255 bytes, an empty or too long batch, or a claim is still open
  ephemeral,     ///< event.durable == false: by request not published
  feed_failed,   ///< the broker has stopped accepting after a disk error
  revoked,       ///< the broker refused this producer
  used_after_fork,  ///< this handle belongs to the parent of this process: nothing was published, connect anew here
};

/// A short sentence for an outcome, e.g. "would block: arena or inbound ring full".
std::string_view to_string(Publish outcome) noexcept;

/// Handle to a published entry (one event, or one batch), for wait().
struct Receipt {
  std::uint64_t arena_position = 0;  ///< of the entry, in the producer's arena
  std::uint32_t events = 0;          ///< how many events the entry holds
  std::uint32_t registration = 0;    ///< which registration of the producer it belongs to
};

struct ProducerOptions {
  FeedAddress address = {};
  std::string name = {};             ///< shown by `leat stat`; default: the program's name
  std::size_t arena_bytes = 0;       ///< 0: the broker's default
  Idle idle = Idle::adaptive;        ///< how it waits for receipts
  std::chrono::nanoseconds publish_timeout = std::chrono::seconds(30);  ///< for publish(), when full
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);   ///< for the broker's answer in connect()
};

/// One producer. Move-only; a handle belongs to one thread at a time (no internal locking), any number may exist.
/// Not usable in a child after fork(): the mappings stay with the parent; connect anew there.
/// Goes on working while the broker is away, until the arena is full, and registers with its successor by itself.
class Producer {
 public:
  /// Registers with the feed's broker. Errors: no_broker, unknown_feed, permission_denied, layout_mismatch, busy, ...
  static Result<Producer> connect(ProducerOptions options);

  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) noexcept;
  ~Producer();

  /// One attempt, no waiting. Cost without contention: two locked instructions, no system call unless the broker sleeps.
  Publish try_publish(const Event& event, Receipt* receipt = nullptr) noexcept;

  /// Publishes, waiting up to publish_timeout for room. Errors as `Publish`, plus timed_out.
  Result<Receipt> publish(const Event& event);

  /// As publish(), with a key that wins over the event's own. An empty `key` leaves the event's own in place.
  Result<Receipt> publish(const Event& event, std::string_view key);

  /// One ticket for all: adjacent sequences, all or none. 1..kMaxBatchEvents events. An ephemeral one refuses the batch.
  Publish try_publish_batch(std::span<const Event> events, Receipt* receipt = nullptr) noexcept;
  Result<Receipt> publish_batch(std::span<const Event> events);
  static constexpr std::size_t kMaxBatchEvents = 4096;

  /// Claims room for one event whose payload the caller fills in place (zero copy into the arena).
  /// `event.payload` is ignored. On Publish::ok, `payload` is the room, valid until commit() or abandon().
  Publish claim(const Event& event, std::size_t payload_bytes, std::span<std::byte>& payload) noexcept;
  /// Publishes the open claim. would_block leaves the claim open: call again, or abandon().
  Publish commit(Receipt* receipt = nullptr) noexcept;
  /// Gives the open claim back; nothing was ever visible to anyone.
  void abandon() noexcept;

  /// Waits until the entry has reached `level`, at most `timeout`. Returns the sequence of its first event
  /// (0 for Ack::accepted, which holds as soon as a receipt exists).
  /// Errors: timed_out; refused (by the broker, with the reason); receipt_expired; feed_failed; revoked.
  Result<std::uint64_t> wait(const Receipt& receipt, Ack level, std::chrono::nanoseconds timeout);

  /// publish() and wait() in one.
  Result<std::uint64_t> publish_and_wait(const Event& event, Ack level, std::chrono::nanoseconds timeout);

  [[nodiscard]] std::uint32_t producer_id() const noexcept;
  [[nodiscard]] std::uint64_t last_producer_sequence() const noexcept;  ///< of the last event published, 0 before
  [[nodiscard]] std::size_t max_event_bytes() const noexcept;          ///< bound on a whole record (48 B + fields)
  [[nodiscard]] std::size_t arena_bytes() const noexcept;
  [[nodiscard]] std::uint64_t refused_count() const noexcept;  ///< attempts this handle answered with anything but ok

 private:
  struct Impl;
  explicit Producer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace leat
