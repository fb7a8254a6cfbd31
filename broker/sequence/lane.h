// What the sequencer knows of one producer.
#pragma once

#include <cstdint>

#include "base/check.h"
#include "broker/rings/arena_reader.h"
#include "broker/rings/registry_layout.h"
#include "shm/ingest/inbound_layout.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// The sequencer's private view of a producer slot; what is shared of the slot lies behind the pointers.
struct Lane {
  ArenaReader arena;
  RegistrySlot* registry = nullptr;
  internal::ProducerRow* row = nullptr;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint32_t producer_id = 0;
  std::uint32_t max_record_bytes = 0;        ///< the largest bound that this producer may have been given
  std::uint64_t next_position = 0;           ///< arena position of the entry that comes next
  std::uint64_t newest_position = ~0ULL;     ///< of the entry that was taken last
  std::uint64_t retaken_position = ~0ULL;    ///< of the entry that was gone back to last: not once more
  std::uint64_t expected_slot = 0;           ///< what the next entry's ticket will read; 0: nothing is to be taken
  std::uint64_t last_producer_sequence = 0;  ///< newest that was taken or refused
  std::uint64_t leave_at_ticket = 0;         ///< leaving: the producer is gone once the head has come this far
  std::uint64_t suspect_position = ~0ULL;    ///< next_position when an entry there was first found without a ticket,
  std::uint64_t suspect_until = 0;           ///< and what the ring's tail was then
  std::uint32_t events_in_round = 0;
  bool live = false;
  bool revoked = false;
  bool leaving = false;
  bool touched = false;  ///< something of this producer was taken, and it has not been woken since

  /// Goes on to the entry at `position`.
  void move_to(std::uint64_t position) noexcept {
    LEAT_DCHECK(position % internal::kEntryAlignment == 0);
    next_position = position;
    expected_slot = live && !revoked ? internal::full_slot(slot, generation & kGenerationMask, position) : 0;
  }
  /// Nothing is taken from here any more.
  void close() noexcept { expected_slot = 0; }

  /// True if the ticket is by this tenant of the slot, and the tenant is one to be served.
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

}  // namespace leat::broker
