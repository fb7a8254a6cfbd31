#include "broker/producers/producer_registry.h"

#include <sched.h>
#include <sys/file.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "broker/producers/process_life.h"
#include "broker/log.h"
#include "base/random.h"

namespace leat::broker {

using namespace internal;

void ProducerRegistry::push(const LaneCommand& command) {
  while (!lanes_.commands.push(command)) ::sched_yield();  // the sequencer empties it at every look
}

// A bound that was reported to a producer holds for what the producer publishes until it has heard another one: no
// reported bound is taken back. A registry of an earlier release does not say: then it may be any that the feed can
// carry.
void ProducerRegistry::tell_bounds(RegistrySlot& slot) const {
  slot.told_record_bytes = std::max(slot.told_record_bytes, max_record_bytes_);
  slot.told_batch_bytes = std::max(slot.told_batch_bytes, max_batch_bytes_);
}

void ProducerRegistry::announce(std::uint32_t index, std::uint64_t last_producer_sequence) {
  RegistrySlot& slot = files_.registry_slots()[index];
  ProducerRow& row = producer_rows(files_.status.data())[index];
  push({.kind = LaneCommand::Kind::add,
        .slot = index,
        .generation = slot.generation,
        .producer_id = slot.producer_id,
        .max_record_bytes = static_cast<std::uint32_t>(std::min(slot.told_record_bytes, max_batch_bytes_)),
        .arena_base = table_.base(index),
        .arena_bytes = slot.arena_bytes,
        .last_producer_sequence = last_producer_sequence,
        .registry = &slot,
        .row = &row});
}

// What is gone is not committed any more. Entries that the last broker was done with are only said to be lost: nobody
// can tell where each of them begins. Those of its unfinished round lie there still, and are taken once more.
void ProducerRegistry::take_back(RegistrySlot& slot, ArenaReader arena, std::uint64_t lost_from,
                                 std::uint64_t newest_kept) {
  const std::uint64_t consumed = slot.consumed.load(std::memory_order_acquire);
  arena.lose(consumed, lost_from);
  std::uint64_t last = slot.last_producer_sequence.load(std::memory_order_acquire);
  std::uint64_t position = consumed;
  std::uint64_t newest = last;
  for (Entry entry; position - consumed < arena.capacity() && arena.read(position, entry) &&
                    entry.producer_sequence + entry.count - 1 <= newest;
       position += entry_bytes(entry.record_bytes)) {
    if (entry.producer_sequence <= newest_kept) continue;
    last = std::min(last, entry.producer_sequence - 1);
    arena.completion(position).store(pack_completion(CompletionStatus::pending, 0), std::memory_order_release);
  }
  slot.last_producer_sequence.store(std::max(last, newest_kept), std::memory_order_release);
}

Result<std::vector<std::uint32_t>> ProducerRegistry::adopt(const Recovered& recovered) {
  std::vector<std::uint32_t> adopted;
  for (std::uint32_t index = 0; index < files_.producer_slots(); ++index) {
    RegistrySlot& slot = files_.registry_slots()[index];
    if (slot.state.load(std::memory_order_acquire) == SlotState::free) continue;
    auto arena = files_.open_arena(index, slot.generation, slot.arena_bytes);
    const bool lost = !arena && (arena.error().code == ErrorCode::unknown_feed || is_damage(arena.error()));
    if (!arena && !lost) return arena.error();
    if (lost) {
      log::error("the arena of producer {} (slot {}) cannot be taken over: {}", slot.producer_id, index,
                 arena.error().message);
      slot.state.store(SlotState::free, std::memory_order_release);
      continue;
    }
    const auto found = recovered.tail.find(slot.producer_id);
    const bool journaled = found != recovered.tail.end() && !found->second.empty();
    const std::uint64_t newest_kept = journaled ? found->second.rbegin()->first : 0;
    if (recovered.lost_from_sequence != 0) {
      take_back(slot, ArenaReader(arena->file.data(), arena->file.spec.capacity), recovered.lost_from_sequence,
                newest_kept);
    }
    table_.add(index, std::move(*arena));
    if (slot.told_record_bytes == 0) slot.told_record_bytes = files_.broadcast_header().max_record_bytes;
    tell_bounds(slot);
    announce(index, std::max(slot.last_producer_sequence.load(std::memory_order_acquire), newest_kept));
    adopted.push_back(index);
  }
  if (recovered.lost_from_sequence != 0 && !adopted.empty()) {
    log::warn(
        "{} producers of the last broker are told that their events from sequence {} on cannot be proven: "
        "the journal ends below what they were told, or was repaired or replaced",
        adopted.size(), recovered.lost_from_sequence);
  }
  files_.registry_header().epoch = recovered.identity.current().id;  // from here on they know
  return adopted;
}

Result<Registration> ProducerRegistry::add(const Peer& peer, const std::string& name, std::uint64_t arena_bytes) {
  std::uint32_t index = 0;
  const std::uint32_t slots = files_.producer_slots();
  while (index < slots && files_.registry_slots()[index].state.load() != SlotState::free) {
    ++index;
  }
  if (index == slots) {
    return Error{ErrorCode::busy, "all " + std::to_string(slots) + " producer slots are taken",
                 "close some producers or raise --max-producers"};
  }
  // Never twice: what the journal says of a producer, and of what it has published, goes by this number.
  if (next_producer_id_.load(std::memory_order_relaxed) >= kMaxProducerIds) {
    return Error{ErrorCode::no_space,
                 "this feed has given all of its " + std::to_string(kMaxProducerIds - 1) +
                     " producer ids, and gives none twice; those that are registered go on",
                 "begin another feed"};
  }
  RegistrySlot& slot = files_.registry_slots()[index];
  const std::uint32_t generation = slot.generation + 1;
  auto arena = files_.create_arena(index, generation, arena_bytes);
  if (!arena) return arena.error();
  slot.generation = generation;
  slot.producer_id = next_producer_id_.fetch_add(1, std::memory_order_relaxed);
  files_.registry_header().next_producer_id = next_producer_id_.load(std::memory_order_relaxed);
  slot.pid = peer.pid;
  slot.pid_start_time = process_start_time(peer.pid);
  slot.token = random_id();
  slot.arena_bytes = arena_bytes;
  slot.consumed.store(0, std::memory_order_relaxed);
  slot.last_producer_sequence.store(0, std::memory_order_relaxed);
  slot.uid = peer.uid;
  slot.revoked.store(0, std::memory_order_relaxed);
  slot.client_locks = arena->client_locks ? 1 : 0;
  slot.told_record_bytes = slot.told_batch_bytes = 0;
  tell_bounds(slot);
  std::memset(slot.name, 0, sizeof slot.name);
  std::memcpy(slot.name, name.data(), std::min(name.size(), sizeof slot.name));
  slot.state.store(SlotState::used, std::memory_order_release);
  last_arena_fds_.fd = std::move(arena->for_client);
  arena->file.fd.reset();
  table_.add(index, std::move(*arena));
  announce(index, 0);
  return Registration{.slot = index,
                      .generation = generation,
                      .producer_id = slot.producer_id,
                      .token = slot.token,
                      .arena_bytes = arena_bytes};
}

Result<Registration> ProducerRegistry::resume(const Peer& peer, std::uint32_t index, std::uint64_t token) {
  const auto unknown = Error{ErrorCode::refused, "this broker knows nothing of that registration", "register anew"};
  if (index >= files_.producer_slots()) return unknown;
  RegistrySlot& slot = files_.registry_slots()[index];
  if (slot.state.load() != SlotState::used || slot.token != token || slot.uid != peer.uid) {
    return unknown;
  }
  slot.pid = peer.pid;
  slot.pid_start_time = process_start_time(peer.pid);
  return Registration{.slot = index,
                      .generation = slot.generation,
                      .producer_id = slot.producer_id,
                      .token = token,
                      .arena_bytes = slot.arena_bytes};
}

// The lock is that of the open file description that the client got, and no fork's child has its mapping: it ends with
// the mapping, whether the handle was destroyed, the process ended, or it became another program.
bool ProducerRegistry::is_abandoned(std::uint32_t index) const {
  if (slot(index).client_locks != 1) return false;
  const int arena = table_.descriptor(index);
  if (arena < 0 || ::flock(arena, LOCK_EX | LOCK_NB) != 0) return false;
  ::flock(arena, LOCK_UN);
  return true;
}

void ProducerRegistry::leave(std::uint32_t index) {
  RegistrySlot& slot = files_.registry_slots()[index];
  slot.state.store(SlotState::leaving, std::memory_order_release);
  push({.kind = LaneCommand::Kind::leave, .slot = index, .generation = slot.generation});
}

void ProducerRegistry::release(std::uint32_t index, std::uint32_t generation) {
  RegistrySlot& slot = files_.registry_slots()[index];
  if (slot.generation != generation) return;
  // The arena is never used again, so whoever still has it mapped can only scribble over its own memory.
  table_.remove(index);
  slot.token = 0;
  slot.state.store(SlotState::free, std::memory_order_release);
  // After the slot: a kill in between leaves a stray file, which the next start removes, never a slot without an arena.
  files_.remove_arena(index, generation);
}

bool ProducerRegistry::empty() const {
  for (std::uint32_t i = 0; i < files_.producer_slots(); ++i) {
    if (slot(i).state.load() != SlotState::free) return false;
  }
  return true;
}

}  // namespace leat::broker
