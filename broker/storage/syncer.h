// The syncer thread: fdatasync by policy, the next segment ahead of need, retention and recycling.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "broker/storage/cursor_table.h"
#include "broker/storage/group_commit.h"
#include "broker/storage/handover.h"
#include "broker/storage/journal_names.h"
#include "broker/storage/retention.h"
#include "broker/storage/segment_pool.h"
#include "broker/options.h"
#include "shm/broadcast/broadcast_ring.h"
#include "shm/status/status_layout.h"
#include "journal/format/journal_directory.h"

namespace leat::broker {

/// What the syncer tells others. Called on its thread.
struct SyncerHooks {
  std::function<void(std::uint64_t durable_sequence)> durable_advanced;
  std::function<void()> wake_sequencer;
  std::function<void(const Error&)> failed;  ///< final: the feed must stop accepting
  /// The journal's names are not there (again and again, while that is so), or are there again.
  std::function<void(bool held)> held = [](bool) {};
};

/// One thread of its own between start() and stop().
class Syncer {
 public:
  Syncer(const Options& options, internal::JournalDirectory directory, JournalHandover& handover, SegmentPool& pool,
         CursorTable& cursors, internal::BroadcastHeader& ring, std::uint64_t ring_capacity,
         internal::DoorbellHeader& doorbell, internal::SyncerCounters& counters, SyncerHooks hooks);
  ~Syncer();

  /// From now on it looks every half a second whether names still lead to what it writes. `identity`: as `feed` has it;
  /// `lock_fd`: the journal's lock, borrowed.
  void watch_names(const internal::FeedIdentity& identity, int lock_fd);

  /// `segments`: what is on disk, oldest first, the current one last; `current_fd` is borrowed; `newest_event_ns`: the
  /// time stamp of the journal's newest event, 0 if it is not known.
  void start(const std::vector<internal::SegmentName>& segments, int current_fd, std::int64_t newest_event_ns = 0);
  /// Syncs all that the sequencer has appended (unless the feed has failed), and ends the thread.
  void stop();

  // What start() and stop() are made of, for a test that wants no thread.
  void begin(const std::vector<internal::SegmentName>& segments, int current_fd, std::int64_t newest_event_ns = 0);
  /// One round of all duties. True: there is more to do at once.
  bool step();
  void finish();

 private:
  void run();
  void take_rolls();
  void keep_prepared();
  [[nodiscard]] bool slice_can_wait(std::int64_t now) const;
  void sync_if_due(bool now_due);
  internal::Place gather(internal::Place target);
  [[nodiscard]] std::uint64_t durable_sequence() const noexcept {
    return ring_.durable_sequence.load(std::memory_order_relaxed);
  }
  bool sync_files();
  bool sync_directory();
  bool lost_its_name(int fd, const std::string& what);
  void look_at_names(bool now_due);
  void hold(const std::string& reason);
  void lose_oldest(std::size_t segments);
  void set_earliest(const internal::SegmentName& oldest);
  void fail(const Error& error);
  void count_segments();
  void say_what_goes(std::int64_t now);
  void say_if_the_clock_is_doubted(std::int64_t newest_event_ns, std::int64_t wall_ns) const;
  void prune();
  void prune_oldest();
  [[nodiscard]] bool must_prune();
  [[nodiscard]] bool may_prune_now(std::int64_t now) const;
  [[nodiscard]] bool held_by_cursor();
  [[nodiscard]] std::span<const CursorHold> holds();
  [[nodiscard]] std::string bound_of(const CursorHold& hold) const;
  void say_who_is_overtaken();
  [[nodiscard]] bool events_wait() const;
  void flush_cursors(bool now_due);
  [[nodiscard]] std::int64_t next_wait_ns() const;

  const Options& options_;
  internal::JournalDirectory directory_;
  JournalHandover& handover_;
  SegmentPool& pool_;
  CursorTable& cursors_;
  internal::BroadcastHeader& ring_;
  internal::BroadcastReader ring_reader_;
  internal::DoorbellHeader& doorbell_;
  internal::SyncerCounters& counters_;
  SyncerHooks hooks_;

  Retention retained_;
  std::optional<JournalNames> names_;
  std::int64_t last_look_ns_ = 0;
  std::string told_held_;                                 // why the feed is held
  std::vector<std::unique_ptr<MappedSegment>> unsynced_;  // sealed, not yet synced
  GroupCommit group_;
  int current_fd_ = -1;
  bool names_dirty_ = true;    // a new segment's name must be on disk before anything in it is said to be
  bool pruned_dirty_ = false;  // an old one's end must be on disk before the next one goes
  bool told_no_space_ = false;
  bool preparing_ = false;  // a new segment is under way, slice by slice
  bool told_cursors_ = false;
  bool told_prune_ = false;
  bool prune_waits_ = false;       // more is to be pruned, when it is its turn again
  std::uint64_t prunes_owed_ = 0;  // one for each segment that came: the journal does not grow beyond its bounds
  std::int64_t next_prune_ns_ = 0;
  std::vector<CursorHold> holds_;  // as of holds_version_
  std::uint64_t holds_version_ = 0;
  std::map<std::uint32_t, std::string>
      reported_overtaken_;  // by user: the cursor last reported as beyond what it may hold
  std::int64_t next_flush_ns_ = 0;
  std::int64_t last_sync_ns_ = 0;
  std::int64_t next_prepare_ns_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace leat::broker
