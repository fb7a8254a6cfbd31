// The bytes of an arena: a byte ring that one producer writes and the sequencer reads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/atomic_enum.h"
#include "base/atomic.h"
#include "shm/shared_file.h"
#include "base/words.h"

namespace leat::internal {

inline constexpr std::uint64_t kArenaMagic = 0x3141524154'41454cULL;  // "LEATARA1"

/// Why the sequencer refused an entry.
enum class Refusal : std::uint8_t {
  none = 0,
  bad_entry = 1,   ///< entry header out of bounds
  bad_record = 2,  ///< a record's lengths, type or flags contradict each other
  bad_topic = 3,
  too_large = 4,     ///< over max_event_bytes, or more than a segment holds
  bad_sequence = 5,  ///< producer_sequence does not follow on
  bad_headers = 6,   ///< names or bounds of an event's headers, or their encoding
};

enum class ArenaState : std::uint32_t {
  open = 0,
  revoked = 1,      ///< the broker takes nothing more from here
  feed_failed = 2,  ///< nor from anybody: the feed has failed
};

/// What a producer waits for, as bits of ArenaHeader::waiting.
enum WaitingFor : std::uint32_t { kWaitCommitted = 1, kWaitDurable = 2, kWaitRoom = 4 };

/// Written by a broker that finds the journal's end below what was reported to its producers. Events with numbers from
/// `from_sequence` on (0: none), of entries below `below_position`, are gone. Other events have these numbers by now,
/// so durable_sequence says nothing about the lost events.
struct LostEntries {
  Atomic<std::uint64_t> below_position;
  Atomic<std::uint64_t> from_sequence;
};
inline constexpr std::size_t kMaxLostEntries = 4;

// off  size field             written by  read by
//   0    64 file              broker      both      SharedFileHeader; capacity = data bytes, a power of two
//  64     8 consumed          broker      producer  entries below this position are completed: their room is free
//  72     8 durable_sequence  broker      producer  newest sequence that is on disk
//  80     4 state             broker      producer  ArenaState
//  84     4 receipt_word      broker      producer  futex word: grows when a waiting producer is woken
//  88     8 refused_events    broker      producer  events in entries that were refused
//  96     8 refused_end       broker      broker    position behind the last of them: counted once, over any restart
// 104     4 last_refusal      broker      producer  Refusal of that one
// 128     4 waiting           both        broker    WaitingFor bits; cleared by the broker when it wakes
// 192     8 tail              producer    broker    position behind the last entry with a ticket
// 200     8 would_block_arena producer    broker    refusals for want of room here
// 208     8 would_block_ring  producer    broker    refusals for want of room in the inbound ring
// 216     8 retried_tickets   producer    broker    tickets that were skipped under this producer
// 256    64 lost[4]           broker      producer  LostEntries: what was committed, and is in the journal no more
// 4096      data, mapped twice back to back on both sides
//
// A position grows for ever; its place is kArenaDataOffset + position modulo capacity. The broker believes nothing that
// it reads here: see broker/rings/arena_reader.h.
struct ArenaHeader {
  SharedFileHeader file;
  alignas(kCacheLineBytes) Atomic<std::uint64_t> consumed;
  Atomic<std::uint64_t> durable_sequence;
  AtomicEnum<ArenaState> state;
  Atomic<std::uint32_t> receipt_word;
  Atomic<std::uint64_t> refused_events;
  Atomic<std::uint64_t> refused_end;
  AtomicEnum<Refusal> last_refusal;
  alignas(kCacheLineBytes) Atomic<std::uint32_t> waiting;
  alignas(kCacheLineBytes) Atomic<std::uint64_t> tail;
  Atomic<std::uint64_t> would_block_arena;
  Atomic<std::uint64_t> would_block_ring;
  Atomic<std::uint64_t> retried_tickets;
  alignas(kCacheLineBytes) LostEntries lost[kMaxLostEntries];
};
static_assert(offsetof(ArenaHeader, consumed) == 64 && offsetof(ArenaHeader, durable_sequence) == 72);
static_assert(offsetof(ArenaHeader, state) == 80 && offsetof(ArenaHeader, receipt_word) == 84);
static_assert(offsetof(ArenaHeader, refused_events) == 88 && offsetof(ArenaHeader, last_refusal) == 104);
static_assert(offsetof(ArenaHeader, waiting) == 128 && offsetof(ArenaHeader, tail) == 192);
static_assert(offsetof(ArenaHeader, lost) == 256 && sizeof(LostEntries) == 16);
static_assert(sizeof(ArenaHeader) <= kPageBytes && std::is_standard_layout_v<ArenaHeader>);

inline constexpr std::size_t kArenaDataOffset = kPageBytes;
inline constexpr std::uint64_t kMinArenaBytes = kPageBytes;
inline constexpr std::uint64_t kMaxArenaBytes = 1ULL << 30;

constexpr std::uint64_t arena_file_bytes(std::uint64_t data_bytes) noexcept { return kArenaDataOffset + data_bytes; }

// An entry: what one ticket names. Starts on a cache line, so that its completion never shares one with its neighbour.
//
// off size field              written by
//   0    8 completion         producer: 0; then sequencer: see pack_completion
//   8    4 record_bytes       producer: of the padded records that follow
//  12    4 count              producer: how many records, 1..kMaxEntryRecords
//  16    8 producer_sequence  producer: of the first record; the others follow on
//  24    8 position           producer: of this entry; one left over from an earlier lap says another
//  32      records, each encoded in its final form but for what the sequencer stamps
struct EntryHeader {
  Atomic<std::uint64_t> completion;
  std::uint32_t record_bytes;
  std::uint32_t count;
  std::uint64_t producer_sequence;
  std::uint64_t position;
};
static_assert(sizeof(EntryHeader) == 32 && offsetof(EntryHeader, record_bytes) == 8);
static_assert(offsetof(EntryHeader, count) == 12 && offsetof(EntryHeader, producer_sequence) == 16);
static_assert(offsetof(EntryHeader, position) == 24);

inline constexpr std::size_t kEntryHeaderBytes = sizeof(EntryHeader);
inline constexpr std::size_t kEntryAlignment = kCacheLineBytes;
inline constexpr std::uint32_t kMaxEntryRecords = 4096;

constexpr std::uint64_t entry_bytes(std::uint64_t record_bytes) noexcept {
  return align_up(kEntryHeaderBytes + record_bytes, kEntryAlignment);
}

/// The most record bytes an entry may hold: it never takes more than half the arena, so a full arena always drains.
constexpr std::uint64_t max_entry_record_bytes(std::uint64_t arena_bytes) noexcept {
  return arena_bytes / 2 - kEntryAlignment;
}

enum class CompletionStatus : std::uint8_t { pending = 0, committed = 1, refused = 2 };

/// status | sequence << 8 (of the first event) for committed, status | reason << 8 for refused.
constexpr std::uint64_t pack_completion(CompletionStatus status, std::uint64_t value) noexcept {
  return static_cast<std::uint64_t>(status) | value << 8;
}
constexpr CompletionStatus completion_status(std::uint64_t completion) noexcept {
  return static_cast<CompletionStatus>(completion & 0xff);
}
constexpr std::uint64_t completion_value(std::uint64_t completion) noexcept { return completion >> 8; }

}  // namespace leat::internal
