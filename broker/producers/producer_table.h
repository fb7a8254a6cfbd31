// The arenas of all producers that are here: owned by the control thread, looked through by the syncer (durable
// acknowledgements) and on failure. The sequencer has its own view, its lanes, and never takes this lock.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "broker/rings/runtime_files.h"

namespace leat::broker {

/// Thread-safe.
class ProducerTable {
 public:
  void add(std::uint32_t slot, ArenaFile arena);
  void remove(std::uint32_t slot);

  /// Tells every producer how far the feed is durable, and wakes those that wait for it.
  void publish_durable(std::uint64_t sequence);
  /// Wakes everyone who waits for anything: they look why.
  void wake_all();
  /// Tells every producer, in its own arena, that the feed has failed, and wakes it.
  void tell_failure();

  [[nodiscard]] std::byte* base(std::uint32_t slot) const;
  /// A descriptor of each arena, for the control thread, which alone adds and removes them.
  [[nodiscard]] std::vector<std::pair<std::uint32_t, int>> descriptors() const;
  /// Of the arena's file, for reading; -1 if there is none.
  [[nodiscard]] int descriptor(std::uint32_t slot) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::uint32_t, ArenaFile> arenas_;
  std::uint64_t durable_sequence_ = 0;
  bool failed_ = false;
};

}  // namespace leat::broker
