// The status page: counters that observers map read-only. All relaxed: each number is right, two need not match.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/atomic_enum.h"
#include "shm/feed_state.h"
#include "shm/shared_file.h"
#include "base/words.h"

namespace leat::internal {

inline constexpr std::uint64_t kStatusMagic = 0x3141545354'41454cULL;  // "LEATSTA1"

using Counter = std::atomic<std::uint64_t>;

/// Adds to a counter that only one thread writes: no locked instruction.
inline void bump(Counter& counter, std::uint64_t by = 1) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

// Written by the sequencer alone (offset 64).
struct SequencerCounters {
  Counter events;           //   0 sequenced in this incarnation
  Counter bytes;            //   8 of the stream, in this incarnation
  Counter rounds;           //  16 commits
  Counter refused_entries;  //  24
  Counter bad_tickets;      //  32
  Counter skipped_tickets;  //  40
  Counter ring_repairs;     //  48
  Counter stalls;           //  56 rounds held up for want of a prepared segment
  Counter wakeups;          //  64 futex wakes of live consumers
  Counter duplicates;       //  72 entries found in the journal already, after a restart
  Counter sleeps;           //  80 times the sequencer went to sleep
};
static_assert(sizeof(SequencerCounters) == 88);

// Written by the syncer alone (offset 192).
struct SyncerCounters {
  Counter syncs;              //  0
  Counter last_sync_ns;       //  8
  Counter max_sync_ns;        // 16
  Counter segments;           // 24 on disk, the current one included
  Counter recycled_segments;  // 32
  Counter pruned_segments;    // 40
  Counter segment_bytes;      // 48 file size of a new one
  Counter journal_bytes;      // 56 of all of them, as they are; 0: a broker that does not say
  Counter lost_segments;      // 64 removed by somebody else while the feed was served
};
static_assert(sizeof(SyncerCounters) == 72);

// Written by the control thread alone (offset 320).
struct ControlCounters {
  Counter refused_connections;                              //  0
  Counter producers;                                        //  8 rows in use
  Counter consumers;                                        // 16
  Counter refreshes;                                        // 24
  std::atomic<std::int32_t> pid;                            // 32 of the broker
  AtomicEnum<FeedState, std::atomic<std::uint32_t>> state;  // 36
  Counter broker_life;                                      // 40
  Counter inbound_slots;                                    // 48
};
static_assert(sizeof(ControlCounters) == 56);

enum class ClientState : std::uint32_t { free = 0, connected = 1, adopted = 2, leaving = 3, revoked = 4 };

// One row per producer slot, written by the control thread when an observer asks.
struct ProducerRow {
  AtomicEnum<ClientState, std::atomic<std::uint32_t>> state;  //  0
  std::atomic<std::uint32_t> producer_id;                     //  4
  std::atomic<std::int32_t> pid;                              //  8
  std::atomic<std::uint32_t> uid;                             // 12
  Counter events;                                             // 16
  Counter refused;                                            // 24
  Counter would_block_arena;                                  // 32
  Counter would_block_ring;                                   // 40
  Counter retried_tickets;                                    // 48
  Counter arena_bytes;                                        // 56
  Counter arena_used_bytes;                                   // 64
  Counter name[4];                                            // 72 32 bytes of text
  Counter reserved[3];                                        // 104
};
static_assert(sizeof(ProducerRow) == 128 && offsetof(ProducerRow, name) == 72);

// One row per consumer slot; where it reads stands in its doorbell slot.
struct ConsumerRow {
  AtomicEnum<ClientState, std::atomic<std::uint32_t>> state;  //  0
  std::atomic<std::int32_t> pid;                              //  4
  std::atomic<std::uint32_t> uid;                             //  8
  std::uint32_t reserved0;                                    // 12
  Counter name[4];                                            // 16
  Counter reserved[2];                                        // 48
};
static_assert(sizeof(ConsumerRow) == 64 && offsetof(ConsumerRow, name) == 16);

// off   size field
//   0     64 file          SharedFileHeader; capacity = producer rows << 32 | consumer rows
//  64     88 sequencer
// 192     72 syncer
// 320     56 control
// 4096       producer rows, then consumer rows
struct StatusHeader {
  SharedFileHeader file;
  alignas(kCacheLineBytes) SequencerCounters sequencer;
  alignas(kCacheLineBytes) SyncerCounters syncer;
  std::byte gap[56];
  ControlCounters control;
};
static_assert(offsetof(StatusHeader, sequencer) == 64 && offsetof(StatusHeader, syncer) == 192);
static_assert(offsetof(StatusHeader, control) == 320 && sizeof(StatusHeader) <= kPageBytes);

inline constexpr std::size_t kStatusRowsOffset = kPageBytes;

constexpr std::uint64_t status_file_bytes(std::uint64_t producers, std::uint64_t consumers) noexcept {
  return align_up(kStatusRowsOffset + producers * sizeof(ProducerRow) + consumers * sizeof(ConsumerRow), kPageBytes);
}
inline ProducerRow* producer_rows(std::byte* base) noexcept {
  return reinterpret_cast<ProducerRow*>(base + kStatusRowsOffset);
}
inline ConsumerRow* consumer_rows(std::byte* base, std::uint64_t producers) noexcept {
  return reinterpret_cast<ConsumerRow*>(base + kStatusRowsOffset + producers * sizeof(ProducerRow));
}

}  // namespace leat::internal
