// What a Producer holds.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <leat/producer.h>

#include "client-lib/connect/connection.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/idle.h"
#include "base/process_mark.h"
#include "shm/ingest/arena_writer.h"
#include "shm/ingest/inbound_ring.h"
#include "record/record.h"
#include "record/topic_memo.h"

namespace leat {

// The hot path asks two things that it would have to ask anyway, and whatever is out of the ordinary hides behind them:
//
//   padded <= bound        bound is 0 in a fork's child, while a claim is open, and after a loss that was not told yet
//   room below the limit   the limit of the arena is moved on in strides; between two of them stands look(), which asks
//                          whether ring, broker and connection are still those of this registration
struct Producer::Impl {
  ProducerOptions options;
  client::Endpoint endpoint;
  internal::ProcessOwner owner;
  client::Connection connection;
  std::optional<client::Connecting> attempt;  // to reach our broker's successor, not answered yet
  bool attempt_resumes = false;               // by our token; else as a new producer
  std::int64_t attempt_deadline_ns = 0;
  std::optional<Error> last_failure;  // of such attempts
  std::optional<Error> barred;        // our ring is gone, and this keeps us out of the new one
  internal::Mapping inbound_mapping;
  internal::Mapping arena_mapping;
  internal::Mapping claimed_mapping;  // the arena of an earlier registration in which a claim is open
  internal::InboundProducer inbound;
  internal::ArenaWriter arena;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint32_t producer_id = 0;
  std::uint64_t registration = 0;
  std::vector<std::uint64_t> former_registrations;  // newest last
  std::uint64_t broker_life = 0;
  std::uint64_t next_producer_sequence = 1;
  std::uint64_t ticket_base = 0;  // what all tickets of this registration have in common
  internal::WipedWord bound;      // max_padded_bytes, or 0: then over_bound() finds out why
  std::uint64_t max_record_bytes = 0;
  std::uint64_t max_padded_bytes = 0;  // the least of what record, arena and feed allow
  std::uint64_t max_batch_bytes = 0;
  std::uint64_t last_position = 0;         // of the entry that was published last
  std::uint64_t max_feed_batch_bytes = 0;  // what the feed alone would allow
  std::uint64_t refused_attempts = 0;
  std::uint64_t lost_events = 0;
  std::uint64_t untold_losses = 0;
  std::uint64_t former_refusals = 0;  // in arenas of earlier registrations
  std::uint64_t told_refusals = 0;
  std::uint64_t told_refused_end = 0;  // position behind the newest of them
  std::uint64_t last_loss = 0;         // events, of the loss told last
  std::uint64_t stride_bytes = 0;      // between two looks
  Publish no_room_because = Publish::would_block;
  std::int64_t last_look_ns = 0;
  std::int64_t quiet_ns = 100 * internal::kNanosPerMilli;  // between two looks: then each call looks
  std::int64_t next_connection_look_ns = 0;
  std::int64_t next_resume_ns = 0;
  std::uint64_t attempted_life = 0;  // what the ring said when a successor was tried last
  internal::TopicMemo topics;
  internal::IdleSpinner spinner{internal::IdleStrategy::block, 0, 1};  // while it waits for receipts
  bool claim_open = false;
  std::byte* claim_record = nullptr;
  std::uint32_t claim_bytes = 0;

  ~Impl();
  Result<void> register_anew(int timeout_ms);
  Result<void> take_registration(client::Connection connected);
  Result<void> map_registration(const client::Connection& connected);
  void give_up_arena() noexcept;
  void set_bounds(const internal::WelcomeMessage& welcome) noexcept;
  void open_bound() noexcept;
  /// After a broker restart: shows the new one our token, or registers anew if the rings are others. Waits `patience`
  /// for the answer of a broker that it has just reached, never for anything else.
  void resume(std::int64_t now, std::int64_t patience_ns) noexcept;
  void begin_attempt(std::int64_t now, bool resumes);
  void take_answer(std::int64_t now, std::int64_t patience_ns, Result<std::optional<client::Connection>> answer);
  void note_refusal(const Error& refusal);
  void continue_attempt(std::int64_t now, std::int64_t patience_ns);

  /// Says in `padded` how large the record will be.
  Publish check(const Event& event, std::size_t payload_bytes, std::size_t& padded) noexcept {
    if (!event.durable) return fault(Publish::ephemeral);
    if (event.key.size() > internal::kMaxKeyBytes || event.message_id.size() > internal::kMaxMessageIdBytes) {
      return fault(Publish::bad_field);
    }
    if (!topics.valid(event.topic)) return fault(Publish::bad_topic);
    std::size_t length = 0;
    if (__builtin_add_overflow(internal::record_length(event.topic.size(), event.key.size(), event.message_id.size(),
                                                       internal::kRecordAlignment - 1),
                               payload_bytes, &length)) {
      return fault(Publish::too_large);
    }
    padded = length & ~(internal::kRecordAlignment - 1);
    return padded <= bound.get() ? Publish::ok : over_bound(padded);
  }
  [[gnu::noinline, gnu::cold]] Publish over_bound(std::size_t padded) noexcept;
  [[gnu::noinline, gnu::cold]] Publish fault(Publish outcome) noexcept;
  Publish refused(Publish outcome) noexcept {
    ++refused_attempts;
    return outcome;
  }
  [[nodiscard]] bool feed_has_failed() const noexcept {
    return inbound.feed_state() == internal::FeedState::failed && failure_is_real();
  }
  [[nodiscard]] bool failure_is_real() const noexcept;
  /// Room for an entry, or nullptr, and in no_room_because why.
  std::byte* reserve(std::uint64_t record_bytes) noexcept {
    std::byte* const room = arena.reserve_below_limit(record_bytes);
    return room != nullptr ? room : reserve_after_look(record_bytes);
  }
  [[gnu::noinline]] std::byte* reserve_after_look(std::uint64_t record_bytes) noexcept;
  Publish no_room() noexcept;
  Publish ring_is_full() noexcept;
  Publish no_ticket() noexcept;
  Publish meet_other_life(std::uint64_t record_bytes) noexcept;
  Publish after_registering() noexcept;
  [[nodiscard]] bool bounds_are_coming(std::int64_t now) const noexcept;

  /// Publishes what has been encoded in the room that the arena reserved. Inlined: with its caller it is the whole of
  /// publishing. Two locked instructions: the ticket, the slot.
  Publish publish_entry(std::uint32_t record_bytes, std::uint32_t count, Receipt* receipt) noexcept {
    // Both on the line of `sleeping`, which we read anyway.
    if (feed_has_failed()) return refused(Publish::feed_failed);
    if (inbound.broker_life() != broker_life) [[unlikely]] {
      if (const Publish outcome = meet_other_life(record_bytes); outcome != Publish::ok) return refused(outcome);
    }
    // Before it is sealed: a sealed entry that gets no ticket is what a forged one can name.
    if (!inbound.has_room()) return ring_is_full();
    arena.seal(record_bytes, count, next_producer_sequence);
    const std::uint64_t full = ticket_base | internal::full_slot(0, 0, arena.tail());
    for (;;) {
      const internal::Fill filled = inbound.fill(inbound.take_ticket(), full);
      if (filled == internal::Fill::ok) break;
      internal::bump_own(arena.header().retried_tickets);
      if (filled == internal::Fill::overrun || !inbound.has_room()) return no_ticket();
    }
    // Whoever sleeps there is a broker at leisure, or a dead one: then we have the time to look before the next event.
    if (inbound.wake_sequencer()) arena.look_behind(0);
    if (receipt != nullptr) {
      *receipt = {.arena_position = arena.tail(),
                  .registration = registration,
                  .events = count,
                  .producer_id = producer_id};
    }
    last_position = arena.tail();
    arena.advance(record_bytes);
    next_producer_sequence += count;
    return Publish::ok;
  }

  /// Repeats an attempt while it would block, until `deadline`.
  template <typename TryOnce>
  Publish until(internal::Deadline deadline, TryOnce try_once) {
    Publish outcome = try_once();
    while (outcome == Publish::would_block) {
      const std::int64_t left_ns = deadline.left_ns();
      if (left_ns <= 0 || barred) return outcome;
      wait_for_room(left_ns, [&] { return (outcome = try_once()) == Publish::would_block; });
    }
    return outcome;
  }

  template <typename StillFull>
  void wait_for_room(std::int64_t left_ns, StillFull still_full) {
    internal::ArenaHeader& header = arena.header();
    const std::uint32_t seen = header.receipt_word.load(std::memory_order_acquire);
    header.waiting.fetch_or(internal::kWaitRoom, std::memory_order_seq_cst);
    internal::fence_seq_cst();  // SYNC POINT: pairs with the broker's fence before ArenaReader::wake
    const std::uint64_t before = registration;
    if (!still_full() || registration != before) return;
    look();
    if (registration != before) return;
    // Room in the inbound ring is announced to nobody, so this sleep is short.
    internal::futex_wait(&header.receipt_word, seen, std::min(left_ns, internal::kNanosPerMilli));
  }

  /// Looks whether ring, broker and connection are still ours, and registers with a successor. Should its files be gone
  /// with it, only the connection tells.
  void look() noexcept;
  [[nodiscard]] bool is_revoked() const noexcept {
    return arena.header().state.load(std::memory_order_acquire) == internal::ArenaState::revoked;
  }
  [[nodiscard]] std::string broker_is_away() const;
  [[nodiscard]] Error full_error() const;
  [[nodiscard]] Error barred_error() const;
  [[nodiscard]] Error lost_error() const;
  [[nodiscard]] Error late_error(std::uint32_t reason) const;

  Publish claim(const Event& event, std::size_t payload_bytes, std::span<std::byte>& payload) noexcept;
  Publish commit(Receipt* receipt) noexcept;
  void abandon() noexcept;
  Publish copy_claim() noexcept;
  void close_claim() noexcept;
  [[nodiscard]] bool is_former(std::uint64_t other) const noexcept;

  Result<std::uint64_t> wait(const Receipt& receipt, Ack level, internal::Deadline deadline);
  Result<void> flush(Ack level, internal::Deadline deadline);
  [[nodiscard]] Result<void> check_receipt(const Receipt& receipt);
  void tell_refusal(const Receipt& receipt) noexcept;
  [[nodiscard]] std::uint64_t refusals() const noexcept {
    return former_refusals + arena.header().refused_events.load(std::memory_order_relaxed);
  }
  Result<std::uint64_t> wait_committed(const Receipt& receipt, internal::Deadline deadline);
  Result<std::uint64_t> wait_durable(const Receipt& receipt, std::uint64_t sequence, internal::Deadline deadline);
  /// Sleeps until `done()` or the deadline. Errors: pending, feed_failed, revoked, closed.
  template <typename Done>
  Result<void> sleep_until(const Receipt& receipt, std::uint32_t reason, internal::Deadline deadline, Done done);
};

}  // namespace leat
