// One registration of a producer with a broker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <leat/producer.h>

#include "base/futex.h"
#include "base/mapping.h"
#include "base/words.h"
#include "client-lib/connect/connection.h"
#include "shm/ingest/arena_writer.h"
#include "shm/ingest/inbound_ring.h"

namespace leat::client {

/// What the broker shares with the producer, by what name the broker knows the producer, and how far the producer has
/// published. A successor that has adopted the rings goes on with the same registration; under any other broker the
/// next registration takes the place of this one. Move-only; one thread.
class Registration {
 public:
  /// Of nobody.
  Registration() = default;
  /// Maps what came with the broker's welcome. Errors: protocol_error, layout_mismatch, ...
  static Result<Registration> map(const Connection& connected);

  [[nodiscard]] bool is_mapped() const noexcept { return arena_mapping_.valid(); }
  /// Drawn at random: receipts name it.
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  [[nodiscard]] std::uint32_t producer_id() const noexcept { return producer_id_; }
  [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }

  [[nodiscard]] internal::InboundProducer& inbound() noexcept { return inbound_; }
  [[nodiscard]] const internal::InboundProducer& inbound() const noexcept { return inbound_; }
  [[nodiscard]] internal::ArenaWriter& arena() noexcept { return arena_; }
  [[nodiscard]] const internal::ArenaWriter& arena() const noexcept { return arena_; }

  /// The ring says that another broker serves it, which any producer can write there.
  [[nodiscard]] bool shows_other_broker() const noexcept { return inbound_.broker_life() != broker_life_; }
  /// The ring says that the feed has failed, which any producer can write there.
  [[nodiscard]] bool shows_failure() const noexcept { return inbound_.feed_state() == internal::FeedState::failed; }
  [[nodiscard]] bool is_revoked() const noexcept { return state() == internal::ArenaState::revoked; }
  /// The arena says that the feed has failed: only the broker writes that.
  [[nodiscard]] bool has_failed() const noexcept { return state() == internal::ArenaState::feed_failed; }
  /// The broker of this incarnation has adopted the rings.
  void go_on_under(std::uint64_t broker_life) noexcept { broker_life_ = broker_life; }

  /// Of the next event.
  [[nodiscard]] std::uint64_t producer_sequence() const noexcept { return producer_sequence_; }
  [[nodiscard]] bool has_published() const noexcept { return producer_sequence_ > 1; }
  /// What the slot of a ticket holds for the entry at the arena's tail.
  [[nodiscard]] std::uint64_t slot_word() const noexcept {
    return ticket_base_ | internal::full_slot(0, 0, arena_.tail());
  }
  /// Of an entry of `events` events at `position`.
  [[nodiscard]] Receipt receipt(std::uint64_t position, std::uint32_t events) const noexcept {
    return {.arena_position = position, .registration = id_, .events = events, .producer_id = producer_id_};
  }
  /// Of the entry that was published last, which must exist.
  [[nodiscard]] Receipt newest() const noexcept {
    return receipt(newest_position_, arena_.events_at(newest_position_));
  }
  /// The entry at the arena's tail has its ticket.
  void advance(std::uint64_t record_bytes, std::uint32_t events) noexcept {
    newest_position_ = arena_.tail();
    arena_.advance(record_bytes);
    producer_sequence_ += events;
  }

  /// Lets the broker know that the producer waits for `reason` (kWaitRoom, ...). The producer looks once more, and then
  /// sleeps with what this returns.
  std::uint32_t announce_wait(std::uint32_t reason) noexcept {
    internal::ArenaHeader& header = arena_.header();
    const std::uint32_t seen = header.receipt_word.load(std::memory_order_acquire);
    header.waiting.fetch_or(reason, std::memory_order_seq_cst);
    internal::fence_seq_cst();  // SYNC POINT: pairs with the broker's fence before ArenaReader::wake
    return seen;
  }
  void sleep(std::uint32_t seen, std::int64_t limit_ns) noexcept {
    internal::futex_wait(&arena_.header().receipt_word, seen, limit_ns);
  }

  /// For whoever keeps the arena mapped behind the end of this registration, which is not used any more.
  [[nodiscard]] internal::Mapping take_arena() noexcept { return std::move(arena_mapping_); }

 private:
  [[nodiscard]] internal::ArenaState state() const noexcept {
    return arena_.header().state.load(std::memory_order_acquire);
  }

  internal::InboundProducer inbound_;
  internal::ArenaWriter arena_;
  std::uint64_t broker_life_ = 0;
  std::uint64_t producer_sequence_ = 1;
  std::uint64_t ticket_base_ = 0;  // what all tickets of this registration have in common
  std::uint64_t newest_position_ = 0;
  std::uint64_t id_ = 0;
  std::uint32_t producer_id_ = 0;
  std::uint32_t slot_ = 0;
  internal::Mapping inbound_mapping_;
  internal::Mapping arena_mapping_;
};

}  // namespace leat::client
