// One feed's stages in one process and one thread, so that each can be measured on its own: real files, no threads.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <leat/event.h>

#include "broker/feed/feed.h"
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
  bool step() { return feed_->step(); }
  /// Hands over prepared segments and recycles sealed ones.
  void segments();

  [[nodiscard]] const std::byte* ring_base() const { return feed_->files().broadcast.data(); }
  [[nodiscard]] internal::DoorbellHeader& doorbell() const { return feed_->files().doorbell_header(); }
  [[nodiscard]] const broker::Options& options() const { return feed_->options(); }
  [[nodiscard]] std::uint64_t feed_seed() const;

 private:
  std::filesystem::path root_;          // rings, on tmpfs
  std::filesystem::path journal_root_;  // on a real file system: tmpfs pages fault one by one
  internal::UniqueFd journal_fd_;
  std::unique_ptr<broker::Feed> feed_;
  internal::Mapping arena_mapping_;
  internal::InboundProducer producer_;
  internal::ArenaWriter arena_;
  broker::Registration registration_;
  std::uint64_t producer_sequence_ = 1;
};

}  // namespace leat::bench
