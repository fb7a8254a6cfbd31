// The registry: what the broker must know of its producers, and of how far it came, when it takes over from one that
// was killed. A file on tmpfs that nobody but the broker ever maps, so it is believed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/atomic_enum.h"
#include "base/words.h"
#include "shm/shared_file.h"
#include "shm/control/control_layout.h"

namespace leat::broker {

inline constexpr std::uint64_t kRegistryMagic = 0x3147455254'41454cULL;  // "LEATREG1"

/// Ids are 1 up to this, exclusive. At a thousand producers a second they last for 49 days.
inline constexpr std::uint32_t kMaxProducerIds = ~0U;

enum class SlotState : std::uint32_t { free = 0, used = 1, leaving = 2 };

// One producer slot; 128 bytes.
//
// off size field                    written by
//   0    4 state                    control     SlotState
//   4    4 generation               control     grows with every tenant; 16 bits of it go into tickets
//   8    4 producer_id              control     never given twice in the life of a feed: when all are given, none is
//  12    4 pid                      control     by SO_PEERCRED
//  16    8 pid_start_time           control     clock ticks since boot: tells a reused pid apart
//  24    8 token                    control     what the client shows to a later broker
//  32    8 arena_bytes              control
//  40    8 consumed                 sequencer   arena position up to which all entries are done with
//  48    8 last_producer_sequence   sequencer   newest that is in the journal
//  56    4 uid                      control
//  60    4 revoked                  sequencer   1: nothing more is taken from here
//  64   32 name                     control
//  96    4 client_locks             control     1: whoever maps the arena as its producer holds a lock on it (flock)
// 100    4 reserved
// 104    8 told_record_bytes        control     the largest bounds that any broker reported to this tenant:
// 112    8 told_batch_bytes         control     what it heard is what it may have published
// 120    8 reserved
//
// Slots are written and then made `used` (release), so that a kill in between leaves a free slot.
struct RegistrySlot {
  internal::AtomicEnum<SlotState, std::atomic<std::uint32_t>> state;
  std::uint32_t generation;
  std::uint32_t producer_id;
  std::int32_t pid;
  std::uint64_t pid_start_time;
  std::uint64_t token;
  std::uint64_t arena_bytes;
  std::atomic<std::uint64_t> consumed;
  std::atomic<std::uint64_t> last_producer_sequence;
  std::uint32_t uid;
  std::atomic<std::uint32_t> revoked;
  char name[internal::kClientNameBytes];
  std::uint32_t client_locks;
  std::uint32_t reserved;
  std::uint64_t told_record_bytes;
  std::uint64_t told_batch_bytes;
  std::uint64_t reserved2;
};
static_assert(offsetof(RegistrySlot, client_locks) == 96);
static_assert(sizeof(RegistrySlot) == 128 && offsetof(RegistrySlot, consumed) == 40);
static_assert(offsetof(RegistrySlot, uid) == 56 && offsetof(RegistrySlot, name) == 64);
static_assert(offsetof(RegistrySlot, told_record_bytes) == 104);

//   0   64 file               SharedFileHeader; capacity = slots
//  64    8 inbound_head       sequencer: tickets below are wholly done with
//  72    8 round_position     sequencer: journal position at the start of the round in progress
// 128    8 broker_life        control
// 136    4 next_producer_id   control
// 140    4 inbound_slots      control: of the ring of the same set, whose own header every producer can write
// 144    8 epoch              control: of the feed; arenas of this set say what was lost before it
// 4096     slots
//
// The order of a round, which makes a kill at any instruction harmless:
//   1 round_position := position        4 each slot: last_producer_sequence, completion, consumed
//   2 append to the journal             5 each ticket's slot in the inbound ring freed
//   3 committed := position             6 inbound_head := head
// A successor scans the journal from round_position on: entries that it finds there (2 done, 4 not) are completed
// without being written again, before its own first round moves round_position past them; tickets below their slot's
// `consumed` (4 done, 5 not) are passed over.
struct RegistryHeader {
  internal::SharedFileHeader file;
  alignas(internal::kCacheLineBytes) std::atomic<std::uint64_t> inbound_head;
  std::atomic<std::uint64_t> round_position;
  alignas(internal::kCacheLineBytes) std::uint64_t broker_life;
  std::uint32_t next_producer_id;
  std::uint32_t inbound_slots;
  std::uint64_t epoch;
};
static_assert(offsetof(RegistryHeader, inbound_head) == 64 && offsetof(RegistryHeader, broker_life) == 128);
static_assert(offsetof(RegistryHeader, epoch) == 144);
static_assert(sizeof(RegistryHeader) <= internal::kPageBytes);

inline constexpr std::size_t kRegistrySlotsOffset = internal::kPageBytes;

constexpr std::uint64_t registry_file_bytes(std::uint64_t slots) noexcept {
  return internal::align_up(kRegistrySlotsOffset + slots * sizeof(RegistrySlot), internal::kPageBytes);
}

}  // namespace leat::broker
