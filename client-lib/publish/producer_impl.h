// What a Producer holds.
#pragma once

#include <cstdint>

#include <leat/producer.h>
#include <leat/topic_filter.h>

#include "connect/connection.h"
#include "connect/idle_strategy.h"
#include "shm/base/clock.h"
#include "shm/base/idle.h"
#include "shm/ingest/arena_writer.h"
#include "shm/ingest/inbound_ring.h"
#include "shm/record/record.h"
#include "shm/record/topic_memo.h"

namespace leat {

struct Producer::Impl {
  ProducerOptions options;
  client::Connection connection;
  shm::Mapping inbound_mapping;
  shm::Mapping arena_mapping;
  shm::InboundProducer inbound;
  shm::ArenaWriter arena;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint32_t producer_id = 0;
  std::uint32_t registration = 0;
  std::uint64_t broker_life = 0;
  std::uint64_t next_producer_sequence = 1;
  std::uint64_t ticket_base = 0;       // what all tickets of this registration have in common
  std::uint64_t max_record_bytes = 0;
  std::uint64_t max_padded_bytes = 0;  // the least of what record, arena and feed allow
  std::uint64_t max_batch_bytes = 0;
  std::uint64_t refused_attempts = 0;
  std::int64_t next_resume_ns = 0;
  shm::TopicMemo topics;
  shm::IdleSpinner spinner{shm::IdleStrategy::block, 0, 1};  // while it waits for receipts
  bool claim_open = false;
  std::uint32_t claim_bytes = 0;

  ~Impl();
  Result<void> register_anew(int timeout_ms);
  void set_bounds(const shm::WelcomeMessage& welcome) noexcept;
  /// After a broker restart: shows the new one our token, or registers anew if the rings are others. Never blocks long.
  void resume() noexcept;

  /// Says in `padded` how large the record will be.
  Publish check(const Event& event, std::size_t payload_bytes, std::size_t& padded) noexcept {
    if (!event.durable) return Publish::ephemeral;
    if (claim_open || event.key.size() > shm::kMaxKeyBytes || event.message_id.size() > shm::kMaxMessageIdBytes) {
      return Publish::bad_field;
    }
    if (!topics.valid(event.topic)) return Publish::bad_topic;
    padded = shm::padded_record_bytes(
        shm::record_length(event.topic.size(), event.key.size(), event.message_id.size(), payload_bytes));
    return padded <= max_padded_bytes ? Publish::ok : Publish::too_large;
  }
  Publish refused(Publish outcome) noexcept {
    ++refused_attempts;
    return outcome;
  }
  [[nodiscard]] bool feed_has_failed() const noexcept {
    return inbound.feed_state() == shm::FeedState::failed && failure_is_real();
  }
  [[nodiscard]] bool failure_is_real() const noexcept;
  Publish no_room() noexcept;
  Publish ring_is_full() noexcept;
  Publish no_ticket() noexcept;
  bool broker_has_changed() noexcept;

  /// Publishes what has been encoded in the room that the arena reserved. Inlined: with its caller it is the whole of
  /// publishing. Two locked instructions: the ticket, the slot.
  Publish publish_entry(std::uint32_t record_bytes, std::uint32_t count, Receipt* receipt) noexcept {
    // Both on the line of `sleeping`, which we read anyway.
    if (feed_has_failed()) return refused(Publish::feed_failed);
    if (inbound.broker_life() != broker_life && broker_has_changed()) [[unlikely]] {
      return refused(Publish::would_block);  // another arena: encode again
    }
    // Before it is sealed: a sealed entry that gets no ticket is what a forged one can name.
    if (!inbound.has_room()) return ring_is_full();
    arena.seal(record_bytes, count, next_producer_sequence);
    const std::uint64_t full = ticket_base | shm::full_slot(0, 0, arena.tail());
    for (;;) {
      const shm::Fill filled = inbound.fill(inbound.take_ticket(), full);
      if (filled == shm::Fill::ok) break;
      shm::bump_own(arena.header().retried_tickets);
      if (filled == shm::Fill::overrun || !inbound.has_room()) return no_ticket();
    }
    inbound.wake_sequencer();
    if (receipt != nullptr) *receipt = {.arena_position = arena.tail(), .events = count, .registration = registration};
    arena.advance(record_bytes);
    next_producer_sequence += count;
    return Publish::ok;
  }

  /// Repeats an attempt while it would block, until publish_timeout has passed.
  template <typename Attempt>
  Publish until_deadline(Attempt attempt) {
    Publish outcome = attempt();
    if (outcome != Publish::would_block) return outcome;
    const std::int64_t deadline_ns = shm::monotonic_ns() + options.publish_timeout.count();
    for (;;) {
      const std::int64_t left_ns = deadline_ns - shm::monotonic_ns();
      if (left_ns <= 0) return outcome;
      wait_for_room(left_ns, [&] { return (outcome = attempt()) == Publish::would_block; });
      if (outcome != Publish::would_block) return outcome;
    }
  }

  template <typename StillFull>
  void wait_for_room(std::int64_t left_ns, StillFull still_full) {
    shm::ArenaHeader& header = arena.header();
    const std::uint32_t seen = header.receipt_word.load(std::memory_order_acquire);
    header.waiting.fetch_or(shm::kWaitRoom, std::memory_order_seq_cst);
    shm::fence_seq_cst();  // SYNC POINT: pairs with the broker's fence before ArenaReader::wake
    if (!still_full()) return;
    maintain();
    // Room in the inbound ring is announced to nobody, so this sleep is short.
    shm::futex_wait(&header.receipt_word, seen, std::min(left_ns, shm::kNanosPerMilli));
  }

  /// Looks whether the broker has changed, on slow paths. Should its files be gone with it, only the connection tells.
  void maintain() noexcept {
    if (inbound.broker_life() != broker_life || inbound.retired()) return resume();
    if (shm::monotonic_ns() >= next_resume_ns && client::peer_has_gone(connection.socket.get())) resume();
  }
  [[nodiscard]] bool is_revoked() const noexcept {
    return arena.header().state.load(std::memory_order_acquire) ==
           static_cast<std::uint32_t>(shm::ArenaState::revoked);
  }
  [[nodiscard]] Error full_error() const;
  [[nodiscard]] Error late_error(std::uint32_t reason) const;

  Result<std::uint64_t> wait(const Receipt& receipt, Ack level, std::int64_t timeout_ns);
  Result<std::uint64_t> wait_committed(const Receipt& receipt, std::int64_t deadline_ns);
  Result<std::uint64_t> wait_durable(const Receipt& receipt, std::uint64_t sequence, std::int64_t deadline_ns);
  /// Sleeps until `done()` or the deadline. Errors: timed_out, feed_failed, revoked, closed.
  template <typename Done>
  Result<void> sleep_until(const Receipt& receipt, std::uint32_t reason, std::int64_t deadline_ns, Done done);
};

}  // namespace leat
