// When a sync that is due waits a moment, so that one sync serves more producers (under --sync always).
#pragma once

#include <algorithm>
#include <cstdint>

namespace leat::broker {

/// A producer that waits for each of its events to be durable publishes the next event microseconds after the last one
/// was reported durable. A sync that begins with the first producer to come back leaves all others waiting for a whole
/// sync more. Then two groups take turns, and each sync serves half as many producers as it could.
///
/// So a sync is put off until as many events are there as producers can bring: those that the last sync has reported
/// durable, and those that were waiting when it ended. It is put off for an eighth of the last sync's time at most.
/// Where the events do not come, the producers are of another kind, and the next syncs are not put off. A lone producer
/// is never made to wait, as its next event is all that can come. The idea is PostgreSQL's commit_delay; what is new is
/// that nothing needs to be set. One thread; keeps no clock of its own.
class GroupCommit {
 public:
  static constexpr std::int64_t kShareOfSync = 8;
  static constexpr std::uint32_t kMostSkipped = 64;

  /// A sync has made durable the `reported` events; `waiting` others had come by its end.
  void synced(std::uint64_t reported, std::uint64_t waiting, std::int64_t took_ns) noexcept {
    expected_ = reported + waiting;
    limit_ns_ = took_ns / kShareOfSync;
    if (skip_ > 0) --skip_;
  }

  /// True: wait a little more before the next sync. `unsynced`: events that the sync would make durable; `waited_ns`:
  /// since the first call that said so. After false, each answer is false until the next synced().
  [[nodiscard]] bool should_wait(std::uint64_t unsynced, std::int64_t waited_ns) noexcept {
    if (expected_ <= 1 || skip_ > 0) return false;
    if (unsynced < expected_ && waited_ns < limit_ns_) return true;
    if (unsynced >= expected_) {
      next_skip_ = 1;
    } else {
      skip_ = next_skip_;
      next_skip_ = std::min(2 * next_skip_, kMostSkipped);
    }
    expected_ = 0;
    return false;
  }

 private:
  std::uint64_t expected_ = 0;  // events that are worth waiting for; 0: the sync is not put off
  std::int64_t limit_ns_ = 0;
  std::uint32_t skip_ = 0;  // syncs that are not put off
  std::uint32_t next_skip_ = 1;
};

}  // namespace leat::broker
