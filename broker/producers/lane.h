// What the sequencer knows of one producer, and how the control thread tells it of comings and goings.
#pragma once

#include <cstdint>

#include <boost/lockfree/spsc_queue.hpp>

#include "broker/rings/arena_reader.h"
#include "broker/rings/registry_layout.h"
#include "shm/ingest/inbound_layout.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// The sequencer's private view of a producer slot; what is shared of it lies behind the pointers.
struct Lane {
  ArenaReader arena;
  RegistrySlot* registry = nullptr;
  internal::ProducerRow* row = nullptr;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint32_t producer_id = 0;
  std::uint32_t max_record_bytes = 0;        ///< the largest that it may have been told
  std::uint64_t next_position = 0;           ///< arena position of the entry that comes next
  std::uint64_t newest_position = ~0ULL;     ///< of the entry that was taken last
  std::uint64_t retaken_position = ~0ULL;    ///< of the one that was gone back to last: not once more
  std::uint64_t expected_slot = 0;           ///< what its ticket will read; 0 while nothing is to be taken from here
  std::uint64_t last_producer_sequence = 0;  ///< newest that was taken or refused
  std::uint64_t leave_at_ticket = 0;         ///< leaving: gone once the head has come this far
  std::uint64_t suspect_position = ~0ULL;    ///< next_position when an entry there was first found without a ticket,
  std::uint64_t suspect_until = 0;           ///< and what the ring's tail was then
  std::uint32_t events_in_round = 0;
  bool live = false;
  bool revoked = false;
  bool leaving = false;
  bool touched = false;  ///< in the round in progress

  /// Goes on to the entry at `position`.
  void move_to(std::uint64_t position) noexcept {
    next_position = position;
    expected_slot = live && !revoked ? internal::full_slot(slot, generation & kGenerationMask, position) : 0;
  }

  /// True if the ticket is this tenant's, and he is one to be served.
  [[nodiscard]] bool takes(const internal::Ticket& ticket) const noexcept {
    return live && !revoked && ticket.generation == (generation & kGenerationMask);
  }
  /// Bytes of entries that the producer says it has published and that have not been taken.
  [[nodiscard]] std::uint64_t owed_bytes() const noexcept {
    if (!live || revoked) return 0;
    const std::uint64_t owed = arena.published_end() - next_position;
    return static_cast<std::int64_t>(owed) > 0 ? internal::align_up(owed, internal::kEntryAlignment) : 0;
  }
  static constexpr std::uint32_t kGenerationMask = (1U << internal::kGenerationBits) - 1;
};

/// From the control thread to the sequencer.
struct LaneCommand {
  enum class Kind : std::uint8_t { add, leave } kind = Kind::add;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint32_t producer_id = 0;
  std::uint32_t max_record_bytes = 0;
  std::byte* arena_base = nullptr;
  std::uint64_t arena_bytes = 0;
  std::uint64_t last_producer_sequence = 0;
  RegistrySlot* registry = nullptr;
  internal::ProducerRow* row = nullptr;
};

/// From the sequencer to the control thread.
struct LaneNotice {
  enum class Kind : std::uint8_t { released, revoked } kind = Kind::released;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  internal::Refusal reason = internal::Refusal::none;
};

struct LaneQueues {
  /// A successor adopts all producers before its sequencer runs and empties this.
  boost::lockfree::spsc_queue<LaneCommand, boost::lockfree::capacity<2 * internal::kMaxProducerSlots>> commands;
  boost::lockfree::spsc_queue<LaneNotice, boost::lockfree::capacity<8192>> notices;
};

}  // namespace leat::broker
