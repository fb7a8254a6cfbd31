// How the control thread tells the sequencer of producers that come and leave, and what the sequencer answers.
#pragma once

#include <cstddef>
#include <cstdint>

#include <boost/lockfree/spsc_queue.hpp>

#include "broker/rings/registry_layout.h"
#include "shm/ingest/arena_layout.h"
#include "shm/ingest/inbound_layout.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// From the control thread to the sequencer.
struct LaneCommand {
  enum class Kind : std::uint8_t { add, leave } kind = Kind::add;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint32_t producer_id = 0;
  std::uint32_t max_record_bytes = 0;
  std::byte* arena_base = nullptr;
  std::uint64_t arena_bytes = 0;
  std::uint64_t last_producer_sequence = 0;
  RegistrySlot* registry = nullptr;
  internal::ProducerRow* row = nullptr;
};

/// From the sequencer to the control thread.
struct LaneNotice {
  enum class Kind : std::uint8_t { released, revoked } kind = Kind::released;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  internal::Refusal reason = internal::Refusal::none;
};

struct LaneQueues {
  /// A successor adopts all producers before its sequencer runs and empties this queue.
  boost::lockfree::spsc_queue<LaneCommand, boost::lockfree::capacity<2 * internal::kMaxProducerSlots>> commands;
  boost::lockfree::spsc_queue<LaneNotice, boost::lockfree::capacity<8192>> notices;
};

}  // namespace leat::broker
