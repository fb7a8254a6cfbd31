// The syncer thread: fdatasync by policy, the next segment ahead of need, retention and recycling.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "broker/journal/cursor_table.h"
#include "broker/journal/group_commit.h"
#include "broker/journal/handover.h"
#include "broker/journal/segment_pool.h"
#include "broker/options.h"
#include "shm/broadcast/broadcast_ring.h"
#include "shm/broadcast/doorbell.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// What the syncer tells others. Called on its thread.
struct SyncerHooks {
  std::function<void(std::uint64_t durable_sequence)> durable_advanced;
  std::function<void()> wake_sequencer;
  std::function<void(const Error&)> failed;  ///< final: the feed must stop accepting
};

/// One thread of its own between start() and stop().
class Syncer {
 public:
  Syncer(const Options& options, int directory_fd, std::string directory, JournalHandover& handover, SegmentPool& pool,
         CursorTable& cursors, shm::BroadcastHeader& ring, std::uint64_t ring_capacity, shm::DoorbellHeader& doorbell,
         shm::SyncerCounters& counters, SyncerHooks hooks);
  ~Syncer();

  /// `segments`: what is on disk, oldest first, the current one last; `current_fd` is borrowed.
  void start(const std::vector<shm::SegmentName>& segments, int current_fd);
  /// Syncs all that the sequencer has appended (unless the feed has failed), and ends the thread.
  void stop();

  // What start() and stop() are made of, for a test that wants no thread.
  void begin(const std::vector<shm::SegmentName>& segments, int current_fd);
  /// One round of all duties. True: there is more to do at once.
  bool step();
  void finish();

 private:
  struct Retained {
    shm::SegmentName name;
    std::int64_t age_base_ns = 0;  ///< CLOCK_MONOTONIC at which its newest event is taken to have come
  };

  void run();
  void take_rolls();
  void keep_prepared();
  [[nodiscard]] bool slice_can_wait(std::int64_t now) const;
  void sync_if_due(bool now_due);
  shm::Place gather(shm::Place target);
  [[nodiscard]] std::uint64_t durable_sequence() const noexcept {
    return ring_.durable_sequence.load(std::memory_order_relaxed);
  }
  bool sync_files();
  bool sync_directory();
  void fail(const Error& error);
  void prune();
  [[nodiscard]] bool must_prune();
  [[nodiscard]] bool beyond_bounds() const;
  [[nodiscard]] bool held_by_cursor();
  void flush_cursors(bool now_due);
  [[nodiscard]] std::int64_t next_wait_ns() const;

  const Options& options_;
  int directory_fd_;
  std::string directory_;
  JournalHandover& handover_;
  SegmentPool& pool_;
  CursorTable& cursors_;
  shm::BroadcastHeader& ring_;
  shm::BroadcastReader ring_reader_;
  shm::DoorbellHeader& doorbell_;
  shm::SyncerCounters& counters_;
  SyncerHooks hooks_;

  std::deque<Retained> retained_;
  std::vector<std::unique_ptr<MappedSegment>> unsynced_;  // sealed, not yet synced
  GroupCommit group_;
  int current_fd_ = -1;
  bool directory_dirty_ = true;
  bool told_no_space_ = false;
  bool preparing_ = false;  // a new segment is under way, slice by slice
  bool told_cursors_ = false;
  bool told_prune_ = false;
  std::string told_overtaken_;     // the cursor that was last reported as beyond what may be held for it
  std::int64_t last_flush_ns_ = 0;
  std::int64_t last_sync_ns_ = 0;
  std::int64_t next_prepare_ns_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace leat::broker
