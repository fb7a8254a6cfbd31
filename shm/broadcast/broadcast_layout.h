// The bytes of the broadcast ring (mapped read-only by consumers) and of the doorbell (writable for them).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/atomic_enum.h"
#include "shm/feed_state.h"
#include "base/atomic.h"
#include "shm/shared_file.h"
#include "base/words.h"

namespace leat::internal {

inline constexpr std::uint64_t kBroadcastMagic = 0x3143424154'41454cULL;  // "LEATABC1"
inline constexpr std::uint64_t kDoorbellMagic = 0x3142444154'41454cULL;   // "LEATADB1"

/// A position in the stream and the newest event below it.
struct Watermark {
  Atomic<std::uint64_t> position;
  Atomic<std::uint64_t> sequence;
};

// off  size field              written by
//   0    64 file               broker      SharedFileHeader; capacity = data bytes, a power of two
//  64     8 intent             sequencer   bytes below `intent - capacity` may be overwritten at any time
// 128     8 committed          sequencer   bytes below are in the journal and complete
// 136    32 latest[2]          sequencer   the two newest (committed, sequence), alternating: see read_latest
// 192     8 durable            syncer      bytes below are on disk
// 200     8 durable_sequence   syncer
// 256     8 earliest_position  syncer      bytes below may have left the journal
// 264     8 earliest_sequence  syncer      oldest event retained
// 320     8 start_position     broker      first position that this ring has ever held
// 328     8 epoch              broker      id of the current epoch
// 336     8 broker_life        broker      grows with every broker that takes over
// 344     4 feed_state         broker      FeedState
// 348     4 max_record_bytes   broker      bound on a padded record in this ring, whatever the bound of new events is
// 4096      data, mapped twice back to back
//
// `intent` and `committed` lie on lines of their own: a reader that polls `committed` does not touch the line that the
// sequencer writes first.
struct BroadcastHeader {
  SharedFileHeader file;
  alignas(kCacheLineBytes) Atomic<std::uint64_t> intent;
  alignas(kCacheLineBytes) Atomic<std::uint64_t> committed;
  Watermark latest[2];
  alignas(kCacheLineBytes) Atomic<std::uint64_t> durable;
  Atomic<std::uint64_t> durable_sequence;
  alignas(kCacheLineBytes) Atomic<std::uint64_t> earliest_position;
  Atomic<std::uint64_t> earliest_sequence;
  alignas(kCacheLineBytes) std::uint64_t start_position;
  Atomic<std::uint64_t> epoch;
  Atomic<std::uint64_t> broker_life;
  AtomicEnum<FeedState> feed_state;
  std::uint32_t max_record_bytes;
};
static_assert(offsetof(BroadcastHeader, intent) == 64 && offsetof(BroadcastHeader, committed) == 128);
static_assert(offsetof(BroadcastHeader, latest) == 136 && offsetof(BroadcastHeader, durable) == 192);
static_assert(offsetof(BroadcastHeader, durable_sequence) == 200);
static_assert(offsetof(BroadcastHeader, earliest_position) == 256);
static_assert(offsetof(BroadcastHeader, earliest_sequence) == 264);
static_assert(offsetof(BroadcastHeader, start_position) == 320 && offsetof(BroadcastHeader, epoch) == 328);
static_assert(offsetof(BroadcastHeader, broker_life) == 336 && offsetof(BroadcastHeader, feed_state) == 344);
static_assert(offsetof(BroadcastHeader, max_record_bytes) == 348);
static_assert(sizeof(BroadcastHeader) <= kPageBytes && std::is_standard_layout_v<BroadcastHeader>);

inline constexpr std::size_t kBroadcastDataOffset = kPageBytes;
inline constexpr std::uint64_t kMinRingBytes = kPageBytes;
inline constexpr std::uint64_t kMaxRingBytes = 1ULL << 36;

/// What a ring may hold depends on its own size alone: it is filled from a journal whose events may be larger than new
/// ones may be, and it is kept when that bound changes.
constexpr std::uint32_t max_ring_record_bytes(std::uint64_t capacity) noexcept {
  constexpr std::uint64_t kMost = 1ULL << 30;
  return static_cast<std::uint32_t>(capacity < kMost ? capacity : kMost);
}

constexpr std::uint64_t broadcast_file_bytes(std::uint64_t capacity) noexcept {
  return kBroadcastDataOffset + capacity;
}

// The doorbell: what consumers tell the broker. All of it is hints: a wrong value costs a wake-up too many, or one that
// comes with the bounded time-out of the sleep instead.
//
// off  size field            written by
//   0    64 file             broker      SharedFileHeader; capacity = consumer slots
//  64     4 live_sleepers    consumers, sequencer        futex word; odd: somebody sleeps until `committed` moves
//  68     4 durable_sleepers consumers, syncer           futex word; odd: somebody sleeps until `durable` moves
//  72     4 armed_events     consumers 1, broker 0       somebody waits for an eventfd
// 4096      slots of 64 bytes: ConsumerSlot
struct DoorbellHeader {
  SharedFileHeader file;
  alignas(kCacheLineBytes) Atomic<std::uint32_t> live_sleepers;
  Atomic<std::uint32_t> durable_sleepers;
  Atomic<std::uint32_t> armed_events;
};
static_assert(offsetof(DoorbellHeader, live_sleepers) == 64 && offsetof(DoorbellHeader, durable_sleepers) == 68);
static_assert(offsetof(DoorbellHeader, armed_events) == 72 && sizeof(DoorbellHeader) <= kPageBytes);

// One line per consumer, written by that consumer alone (but `armed`, which the broker clears); read for `leat stat`.
//
//   0 8 position   where it reads next       24 8 resets   places it was sent away from
//   8 8 sequence   last event taken          32 4 armed    1: write my eventfd at the next commit
//  16 8 lapped     copies thrown away
struct ConsumerSlot {
  Atomic<std::uint64_t> position;
  Atomic<std::uint64_t> sequence;
  Atomic<std::uint64_t> lapped;
  Atomic<std::uint64_t> resets;
  Atomic<std::uint32_t> armed;
  std::uint32_t reserved[7];
};
static_assert(sizeof(ConsumerSlot) == kCacheLineBytes && offsetof(ConsumerSlot, armed) == 32);

inline constexpr std::size_t kConsumerSlotsOffset = kPageBytes;

constexpr std::uint64_t doorbell_file_bytes(std::uint64_t slots) noexcept {
  return align_up(kConsumerSlotsOffset + slots * sizeof(ConsumerSlot), kPageBytes);
}

}  // namespace leat::internal
