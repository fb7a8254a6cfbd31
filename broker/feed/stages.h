// The stages that an event goes through in the broker, put together: inbound ring, sequencer, journal, broadcast ring.
// Steppable, without threads. Feed puts them over files; tests/interleave over memory of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "broker/options.h"
#include "broker/producers/lane_queues.h"
#include "broker/rings/registry_layout.h"
#include "broker/sequence/sequencer.h"
#include "broker/storage/handover.h"
#include "broker/storage/journal_writer.h"
#include "shm/broadcast/broadcast_ring.h"
#include "shm/ingest/inbound_ring.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// What the stages work on. Whatever is pointed to outlives them.
struct StageParts {
  internal::InboundConsumer inbound;
  internal::BroadcastWriter ring;  ///< brought up to the journal's end
  std::unique_ptr<JournalWriter> journal;
  internal::DoorbellHeader* doorbell = nullptr;
  RegistryHeader* registry = nullptr;
  internal::SequencerCounters* counters = nullptr;
  std::uint32_t producer_slots = 0;
  std::uint32_t next_producer_id = 1;
};

/// Called by the stages' own threads.
struct StageHooks {
  std::function<void()> wake_control = [] {};                      ///< lane notices are waiting, or eventfds are armed
  std::function<void(const Error&)> failed = [](const Error&) {};  ///< the feed accepts nothing more
};

class Stages {
 public:
  /// `options` outlives the stages.
  Stages(const Options& options, StageParts parts, SequencerStart start, StageHooks hooks)
      : inbound(parts.inbound),
        ring(parts.ring),
        journal(std::move(parts.journal)),
        next_producer_id(parts.next_producer_id),
        sequencer(options,
                  {.inbound = &inbound,
                   .ring = &ring,
                   .doorbell = parts.doorbell,
                   .journal = journal.get(),
                   .handover = &handover,
                   .lanes = &lanes,
                   .registry = parts.registry,
                   .counters = parts.counters,
                   .wake_control = std::move(hooks.wake_control),
                   .failed = std::move(hooks.failed),
                   .next_producer_id = &next_producer_id,
                   .producer_slots = parts.producer_slots},
                  std::move(start)) {
    handover.round_position = &parts.registry->round_position;
  }
  Stages(const Stages&) = delete;
  Stages& operator=(const Stages&) = delete;

  internal::InboundConsumer inbound;
  internal::BroadcastWriter ring;
  std::unique_ptr<JournalWriter> journal;
  JournalHandover handover;  ///< with the syncer, if there is one
  LaneQueues lanes;          ///< with the control thread, if there is one
  std::atomic<std::uint32_t> next_producer_id;
  Sequencer sequencer;
};

}  // namespace leat::broker
