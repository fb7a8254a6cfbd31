#include "broker/producers/producer_table.h"

#include "broker/rings/arena_reader.h"

namespace leat::broker {

using namespace internal;

void ProducerTable::add(std::uint32_t slot, ArenaFile arena) {
  const std::lock_guard lock(mutex_);
  ArenaReader reader(arena.file.data(), arena.file.spec.capacity);
  reader.header().durable_sequence.store(durable_sequence_, std::memory_order_release);
  // An adopted arena may say that the last broker has failed.
  ArenaState stale = failed_ ? ArenaState::open : ArenaState::feed_failed;
  reader.header().state.compare_exchange_strong(stale, failed_ ? ArenaState::feed_failed : ArenaState::open);
  arenas_.insert_or_assign(slot, std::move(arena));
}

void ProducerTable::remove(std::uint32_t slot) {
  const std::lock_guard lock(mutex_);
  arenas_.erase(slot);
}

void ProducerTable::publish_durable(std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  durable_sequence_ = sequence;
  for (auto& [slot, arena] : arenas_) {
    ArenaReader reader(arena.file.data(), arena.file.spec.capacity);
    reader.header().durable_sequence.store(sequence, std::memory_order_release);
  }
  fence_seq_cst();  // SYNC POINT: pairs with the fence in the producer's wait
  for (auto& [slot, arena] : arenas_) ArenaReader(arena.file.data(), arena.file.spec.capacity).wake(kWaitDurable);
}

void ProducerTable::wake_all() {
  const std::lock_guard lock(mutex_);
  fence_seq_cst();
  for (auto& [slot, arena] : arenas_) {
    ArenaReader(arena.file.data(), arena.file.spec.capacity).wake(kWaitCommitted | kWaitDurable | kWaitRoom);
  }
}

void ProducerTable::tell_failure() {
  {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    for (auto& [slot, arena] : arenas_) {
      ArenaState open = ArenaState::open;
      ArenaReader reader(arena.file.data(), arena.file.spec.capacity);
      reader.header().state.compare_exchange_strong(open, ArenaState::feed_failed);
    }
  }
  wake_all();
}

std::byte* ProducerTable::base(std::uint32_t slot) const {
  const std::lock_guard lock(mutex_);
  const auto found = arenas_.find(slot);
  return found == arenas_.end() ? nullptr : found->second.file.data();
}

std::vector<std::pair<std::uint32_t, int>> ProducerTable::descriptors() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::uint32_t, int>> found;
  found.reserve(arenas_.size());
  for (const auto& [slot, arena] : arenas_) found.emplace_back(slot, arena.file.read_only.get());
  return found;
}

int ProducerTable::descriptor(std::uint32_t slot) const {
  const std::lock_guard lock(mutex_);
  const auto found = arenas_.find(slot);
  return found == arenas_.end() ? -1 : found->second.file.read_only.get();
}

}  // namespace leat::broker
