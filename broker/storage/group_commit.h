// When a sync that is due waits a moment, so that one sync serves more producers (under --sync always).
#pragma once

#include <algorithm>
#include <cstdint>

namespace leat::broker {

/// Whoever waits for each of its events to be durable comes back with the next one microseconds after it was told. A
/// sync that begins with the first to come back leaves the others waiting for a whole sync more: two groups that take
/// turns, each half as large as it could be. So a sync is put off, for an eighth of the last one's time at most, until
/// as many events are there as were told or waiting when the last one ended. Where that does not come true, producers
/// are of another kind, and it is not tried again for a while. A lone producer is never made to wait: its next event is
/// all there can be. The idea is PostgreSQL's commit_delay; what is new is that nothing needs to be set. One thread;
/// keeps no clock of its own.
class GroupCommit {
 public:
  static constexpr std::int64_t kShareOfSync = 8;
  static constexpr std::uint32_t kMostSkipped = 64;

  /// A sync has made `told` events durable; `waiting` had come by its end.
  void synced(std::uint64_t told, std::uint64_t waiting, std::int64_t took_ns) noexcept {
    expected_ = told + waiting;
    limit_ns_ = took_ns / kShareOfSync;
    if (skip_ > 0) --skip_;
  }

  /// True: wait a little more before the next sync. `unsynced`: events that it would make durable; `waited_ns`: since
  /// the first call that said so. Once false, it is false until the next synced().
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
  std::uint64_t expected_ = 0;
  std::int64_t limit_ns_ = 0;
  std::uint32_t skip_ = 0;  // syncs that are not put off
  std::uint32_t next_skip_ = 1;
};

}  // namespace leat::broker
