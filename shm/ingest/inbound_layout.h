// The bytes of the inbound ring: one file, mapped writable by the broker and by every producer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/atomic_enum.h"
#include "shm/feed_state.h"
#include "base/atomic.h"
#include "shm/shared_file.h"
#include "base/words.h"

namespace leat::internal {

inline constexpr std::uint64_t kInboundMagic = 0x31424e4954'41454cULL;  // "LEATINB1"

// off  size field       written by           read by
//   0    64 file        broker               all         SharedFileHeader; capacity = slots, a power of two
//  64     8 tail        producers, RMW       sequencer   next ticket to take
// 128     8 head        sequencer            producers   tickets below are done with; only ever grows
// 192     4 sleeping    sequencer, producers both        1: the sequencer sleeps on this word (futex)
// 196     4 feed_state  broker               producers   FeedState
// 200     8 broker_life broker               producers   grows with every broker that takes over these rings;
//                                                        kRetiredLife once they are retired
// 256     8 max_producers broker             producers   margin that keeps `tail` from overrunning `head`
// 4096      slots       8 bytes each: a ticket slot
//
// Line 192 is read by each publish and written only when the sequencer falls asleep or wakes: shared, rarely moved.
struct InboundHeader {
  SharedFileHeader file;
  alignas(kCacheLineBytes) Atomic<std::uint64_t> tail;
  alignas(kCacheLineBytes) Atomic<std::uint64_t> head;
  alignas(kCacheLineBytes) Atomic<std::uint32_t> sleeping;
  AtomicEnum<FeedState> feed_state;
  Atomic<std::uint64_t> broker_life;
  alignas(kCacheLineBytes) std::uint64_t max_producers;
};
static_assert(offsetof(InboundHeader, tail) == 64 && offsetof(InboundHeader, head) == 128);
static_assert(offsetof(InboundHeader, sleeping) == 192 && offsetof(InboundHeader, feed_state) == 196);
static_assert(offsetof(InboundHeader, broker_life) == 200 && offsetof(InboundHeader, max_producers) == 256);
static_assert(sizeof(InboundHeader) <= kPageBytes && std::is_standard_layout_v<InboundHeader>);

/// The incarnation of no broker. Producers compare `broker_life` with every event, and look why it has changed.
inline constexpr std::uint64_t kRetiredLife = ~std::uint64_t{0};

inline constexpr std::size_t kInboundSlotsOffset = kPageBytes;
inline constexpr std::uint64_t kMinInboundSlots = 64;
inline constexpr std::uint64_t kMaxInboundSlots = 1ULL << 24;

constexpr std::uint64_t inbound_file_bytes(std::uint64_t slots) noexcept {
  return align_up(kInboundSlotsOffset + slots * sizeof(std::uint64_t), kPageBytes);
}

// A slot is in one of two states, which bit 0 tells apart:
//
//   EMPTY(lap)  bits 63..1 lap        the ticket `lap * slots + index` has not been filled. All of 63 bits: a producer
//                                     stopped for any number of laps can never mistake another lap for its own.
//   FULL        bits 12..1  producer slot    (12 bits)
//               bits 28..13 generation       (16 bits) of that slot: tells a later tenant's tickets apart
//               bits 63..29 arena position / 64, modulo 2^35
//
// EMPTY(lap) -> FULL        by the producer that took the ticket, compare-and-swap
// EMPTY(lap) -> EMPTY(lap+1) by the sequencer, compare-and-swap: the ticket is skipped
// FULL -> EMPTY(lap+1)      by the sequencer, store: the ticket is done with
inline constexpr unsigned kSlotBits = 12;
inline constexpr unsigned kGenerationBits = 16;
inline constexpr unsigned kPositionBits = 35;
inline constexpr std::uint64_t kPositionUnit = kCacheLineBytes;
inline constexpr std::uint32_t kMaxProducerSlots = 1U << kSlotBits;
static_assert(1 + kSlotBits + kGenerationBits + kPositionBits == 64);

constexpr std::uint64_t empty_slot(std::uint64_t lap) noexcept { return lap << 1; }
constexpr bool is_full(std::uint64_t slot) noexcept { return (slot & 1) != 0; }
constexpr std::uint64_t lap_of_empty(std::uint64_t slot) noexcept { return slot >> 1; }

/// What a filled slot says.
struct Ticket {
  std::uint32_t producer_slot = 0;
  std::uint32_t generation = 0;
  std::uint64_t position_units = 0;  ///< arena position / kPositionUnit, modulo 2^kPositionBits

  friend bool operator==(const Ticket&, const Ticket&) = default;
};

constexpr std::uint64_t full_slot(std::uint32_t producer_slot, std::uint32_t generation,
                                  std::uint64_t arena_position) noexcept {
  // The shift leaves the position's low kPositionBits.
  return 1 | static_cast<std::uint64_t>(producer_slot) << 1 |
         static_cast<std::uint64_t>(generation) << (1 + kSlotBits) |
         (arena_position / kPositionUnit) << (1 + kSlotBits + kGenerationBits);
}

constexpr Ticket parse_full_slot(std::uint64_t slot) noexcept {
  return {.producer_slot = static_cast<std::uint32_t>(slot >> 1) & ((1U << kSlotBits) - 1),
          .generation = static_cast<std::uint32_t>(slot >> (1 + kSlotBits)) & ((1U << kGenerationBits) - 1),
          .position_units = slot >> (1 + kSlotBits + kGenerationBits)};
}

/// The full arena position of a ticket, given one that is less than 2^40 bytes away.
constexpr std::uint64_t expand_position(std::uint64_t position_units, std::uint64_t near_position) noexcept {
  const std::uint64_t near_units = near_position / kPositionUnit;
  constexpr unsigned kShift = 64 - kPositionBits;
  const auto difference = static_cast<std::int64_t>((position_units - near_units) << kShift) >> kShift;
  return (near_units + static_cast<std::uint64_t>(difference)) * kPositionUnit;
}

}  // namespace leat::internal
