// One feed's stages in one process and one thread, so that each can be measured on its own: real files, no threads.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include <leat/event.h>

#include "broker/host/broker.h"
#include "shm/ingest/arena_writer.h"
#include "shm/ingest/inbound_ring.h"
#include "record/record.h"

namespace leat::bench {

/// Aborts with a message if any of its set-up fails: a benchmark has nobody to report to.
class Pipeline {
 public:
  explicit Pipeline(std::uint64_t arena_bytes = 1 << 20);
  ~Pipeline();

  /// Producer's end, without waiting: false when the arena or the ring is full.
  bool publish(const Event& event);
  bool publish_batch(const Event& event, std::uint32_t count);
  /// The sequencer's round, and what the syncer would do between rounds (not to be timed: see segments()).
  bool step() { return sequencer_->step(); }
  /// Hands over prepared segments and recycles sealed ones.
  void segments();

  [[nodiscard]] const std::byte* ring_base() const { return files_->broadcast.data(); }
  [[nodiscard]] internal::DoorbellHeader& doorbell() const { return files_->doorbell_header(); }
  [[nodiscard]] const broker::Options& options() const { return options_; }
  [[nodiscard]] std::uint64_t feed_seed() const { return seed_; }

 private:
  std::filesystem::path root_;          // rings, on tmpfs
  std::filesystem::path journal_root_;  // on a real file system: tmpfs pages fault one by one
  broker::Options options_;
  std::uint64_t seed_ = 0;
  internal::UniqueFd journal_fd_;
  std::unique_ptr<broker::RuntimeFiles> files_;
  std::unique_ptr<broker::SegmentPool> pool_;
  broker::JournalHandover handover_;
  std::unique_ptr<broker::JournalWriter> journal_;
  internal::InboundConsumer inbound_;
  internal::BroadcastWriter ring_;
  broker::LaneQueues lanes_;
  broker::ProducerTable table_;
  std::atomic<std::uint32_t> next_producer_id_{1};
  std::unique_ptr<broker::Sequencer> sequencer_;
  internal::Mapping arena_mapping_;
  internal::InboundProducer producer_;
  internal::ArenaWriter arena_;
  broker::Registration registration_;
  std::uint64_t producer_sequence_ = 1;
};

}  // namespace leat::bench
