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
#include <leat/timeout.h>

namespace leat {

/// How far an event has come.
enum class Ack : std::uint8_t {
  accepted,   ///< in the inbound ring: survives the death of this process and of the broker
  committed,  ///< in the journal, visible to live consumers; has a sequence
  durable,    ///< fdatasync has returned: survives the loss of power
};

/// Outcome of one attempt on the hot path.
enum class [[nodiscard]] Publish : std::uint8_t{
    ok,
    would_block,  ///< arena or inbound ring full: nothing was published, try again later
    too_large,    ///< over max_event_bytes, or over what the arena holds
    bad_topic,
    bad_field,        ///< key or message id over 255 bytes, an empty or too long batch, or a claim is still open
    ephemeral,        ///< event.durable == false: by request not published
    feed_failed,      ///< the broker has stopped accepting after a disk error
    revoked,          ///< the broker refused this producer
    used_after_fork,  ///< this handle belongs to the parent of this process: nothing was published, connect anew here
    earlier_lost,     ///< nothing was published; said once after accepted events were lost: see lost_count()
};

/// A short sentence for an outcome, e.g. "would block: arena or inbound ring full".
std::string_view to_string(Publish outcome) noexcept;

/// Handle to a published entry (one event, or one batch), for wait(). It belongs to the handle that published it and to
/// that handle's registration at the time: anybody else refuses it.
struct Receipt {
  std::uint64_t arena_position = 0;  ///< of the entry, in the producer's arena
  std::uint64_t registration = 0;    ///< drawn at random whenever a handle registers with a feed; 0: of nobody
  std::uint32_t events = 0;          ///< how many events the entry holds
  std::uint32_t producer_id = 0;     ///< never given twice in the life of a feed
};

struct ProducerOptions {
  FeedAddress address = {};
  std::string name = {};  ///< shown by `leat stat`, up to 32 printable characters; default: the program's name
  /// 4096 to 1 GiB, and at most leatd's --max-arena-bytes; rounded up to a power of two. 0: leatd's --arena-bytes.
  std::size_t arena_bytes = 0;
  Idle idle = Idle::adaptive;  ///< how it waits for receipts
  /// For publish() and publish_batch(), when full. 0: not at all; max(): no bound; negative ones are refused.
  Timeout publish_timeout = std::chrono::seconds(30);
  /// For the broker's answer in connect(). At least a millisecond, if only 0 is given; beyond 24 days: no bound;
  /// negative ones are refused.
  Timeout connect_timeout = std::chrono::seconds(5);
};

/// One producer. Move-only; a handle belongs to one thread at a time (no internal locking), any number may exist.
/// In a child after fork() it only says used_after_fork, and never speaks for the parent, not even when it is destroyed
/// or assigned to: connect anew there, into the same variable if that is handy. Goes on working while the broker is
/// away, until the arena is full, and registers with its successor by itself. Where the successor has begun anew
/// without our ring (another feed, a removed runtime directory), that is noticed with the next 64 calls, at a low rate
/// with the next call; what was accepted meanwhile is counted (lost_count) and told (earlier_lost).
class Producer {
 public:
  /// Registers with the feed's broker. Errors: no_broker, unknown_feed, permission_denied, untrusted (somebody else
  /// listens there), layout_mismatch, busy, invalid_argument (a name, size or time-out out of bounds), ...
  static Result<Producer> connect(ProducerOptions options);

  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) noexcept;
  ~Producer();

  /// One attempt, no waiting; at most a hundredth of a second when it meets a new broker for the first time.
  /// Cost without contention: two locked instructions, no system call unless the broker sleeps.
  Publish try_publish(const Event& event, Receipt* receipt = nullptr) noexcept;

  /// Publishes, waiting up to publish_timeout for room. Errors as `Publish`, plus timed_out.
  Result<Receipt> publish(const Event& event);

  /// As publish(), with a key that wins over the event's own. An empty `key` leaves the event's own in place.
  Result<Receipt> publish(const Event& event, std::string_view key);

  /// One ticket for all: adjacent sequences, all or none. 1..kMaxBatchEvents events. An ephemeral one refuses the
  /// batch.
  Publish try_publish_batch(std::span<const Event> events, Receipt* receipt = nullptr) noexcept;
  Result<Receipt> publish_batch(std::span<const Event> events);
  static constexpr std::size_t kMaxBatchEvents = 4096;

  /// Claims room for one event whose payload the caller fills in place (zero copy into the arena).
  /// `event.payload` is ignored. On Publish::ok, `payload` is the room, valid until commit() or abandon(), whatever
  /// becomes of the broker meanwhile.
  Publish claim(const Event& event, std::size_t payload_bytes, std::span<std::byte>& payload) noexcept;
  /// Publishes the open claim. would_block leaves the claim open: call again, or abandon().
  Publish commit(Receipt* receipt = nullptr) noexcept;
  /// Gives the open claim back; nothing was ever visible to anyone.
  void abandon() noexcept;

  /// Waits until the entry has reached `level`, at most `timeout` (max(): no bound; 0 or negative: not at all). Returns
  /// the sequence of its first event (0 for Ack::accepted, which holds as soon as a receipt exists). Errors: pending
  /// (not yet; it will be journaled: wait on, do not publish it again); refused (by the broker, with the reason);
  /// closed (it was lost with its ring or epoch: publish it again); receipt_expired; feed_failed; revoked;
  /// invalid_argument (the receipt of another handle); used_after_fork.
  Result<std::uint64_t> wait(const Receipt& receipt, Ack level, Timeout timeout);

  /// publish() and wait() in one, both within `timeout`. `receipt`, if given, is that of the event once it is
  /// published, and empty before: after `pending`, wait(*receipt, ...) goes on where this ended. Errors: timed_out
  /// (nothing was published: repeat it safely), else those of publish() and wait().
  Result<std::uint64_t> publish_and_wait(const Event& event, Ack level, Timeout timeout, Receipt* receipt = nullptr);

  /// Waits until all that this handle has published has reached `level`, and says what became of it: for those who
  /// publish without waiting for receipts. Ok: all of it is there. What it reports as refused or lost it reports once.
  /// `timeout`: as for wait(). Errors: as wait(); refused and closed also for events before the newest.
  Result<void> flush(Ack level, Timeout timeout);

  [[nodiscard]] std::uint32_t producer_id() const noexcept;
  [[nodiscard]] std::uint64_t last_producer_sequence() const noexcept;  ///< of the last event published, 0 before
  [[nodiscard]] std::size_t max_event_bytes() const noexcept;  ///< bound on a whole record (48 B + fields), as of now
  [[nodiscard]] std::size_t arena_bytes() const noexcept;
  [[nodiscard]] std::uint64_t refused_count() const noexcept;  ///< attempts this handle answered with anything but ok
  /// Events that were accepted and that the broker refused afterwards, as far as it has come: known for all once
  /// flush() says so. Under a broker that was started anew with a lower --max-event-bytes there may be some.
  [[nodiscard]] std::uint64_t refused_after_accept() const noexcept;
  /// Events that were accepted into a ring that was given up before a broker had answered for them.
  [[nodiscard]] std::uint64_t lost_count() const noexcept;

 private:
  struct Impl;
  explicit Producer(std::unique_ptr<Impl> impl);
  [[nodiscard]] Error error_of(Publish outcome, const Event& event) const;
  std::unique_ptr<Impl> impl_;
};

}  // namespace leat
