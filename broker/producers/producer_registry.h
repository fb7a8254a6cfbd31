// Producer slots: handed out, adopted after a restart, and given back once their tickets are drained.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include <leat/result.h>

#include "broker/peer.h"
#include "broker/rings/runtime_files.h"
#include "broker/storage/recovery.h"
#include "broker/rings/arena_reader.h"
#include "broker/producers/lane_queues.h"
#include "broker/producers/producer_table.h"

namespace leat::broker {

/// What a new or resumed producer hears from the broker.
struct Registration {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint32_t producer_id = 0;
  std::uint64_t token = 0;
  std::uint64_t arena_bytes = 0;
};

/// Control thread only.
class ProducerRegistry {
 public:
  /// `options` are those that the feed is served with: see make_room_for_entry.
  ProducerRegistry(const Options& options, RuntimeFiles& files, ProducerTable& table, LaneQueues& lanes,
                   std::atomic<std::uint32_t>& next_producer_id)
      : max_record_bytes_(max_record_bytes(options)),
        max_batch_bytes_(max_batch_bytes(options)),
        files_(files),
        table_(table),
        lanes_(lanes),
        next_producer_id_(next_producer_id) {}

  /// Takes over the producers of the last broker, if there are any: maps their arenas, tells them what recovery found
  /// lost of theirs, and tells the sequencer. Returns the slots taken over. Error: an arena that cannot be opened just
  /// now: what lies in it was accepted, so nothing is given up.
  Result<std::vector<std::uint32_t>> adopt(const Recovered& recovered);

  /// A new producer gets a slot and an arena of its own. Errors: busy, no_space, invalid_argument.
  Result<Registration> add(const Peer& peer, const std::string& name, std::uint64_t arena_bytes);
  /// A producer of an earlier broker shows its token. Error: refused when it is not known (any more).
  Result<Registration> resume(const Peer& peer, std::uint32_t slot, std::uint64_t token);
  /// True if nobody maps the slot's arena any more as its producer. False where that cannot be known.
  [[nodiscard]] bool is_abandoned(std::uint32_t slot) const;
  /// Its connection, or its process, has ended.
  void leave(std::uint32_t slot);
  /// The sequencer has drained a leaving producer's tickets: unmaps and removes the arena, frees the slot.
  void release(std::uint32_t slot, std::uint32_t generation);

  [[nodiscard]] const RegistrySlot& slot(std::uint32_t index) const { return files_.registry_slots()[index]; }
  [[nodiscard]] SharedFile& arena_of_last_add() { return last_arena_fds_; }
  [[nodiscard]] bool empty() const;

 private:
  void announce(std::uint32_t index, std::uint64_t last_producer_sequence);
  void take_back(RegistrySlot& slot, ArenaReader arena, std::uint64_t lost_from, std::uint64_t newest_kept);
  void push(const LaneCommand& command);
  void tell_bounds(RegistrySlot& slot) const;

  std::uint64_t max_record_bytes_;
  std::uint64_t max_batch_bytes_;
  RuntimeFiles& files_;
  ProducerTable& table_;
  LaneQueues& lanes_;
  std::atomic<std::uint32_t>& next_producer_id_;
  SharedFile last_arena_fds_;
};

}  // namespace leat::broker
