// Whether the feed takes events: it runs, is stalled, held, or has failed.
#pragma once

#include <functional>
#include <utility>

#include <leat/result.h>

#include "base/check.h"
#include "broker/storage/handover.h"
#include "shm/broadcast/broadcast_ring.h"
#include "shm/ingest/inbound_ring.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// The sequencer's word on the feed's state, and where it is shown. One thread. The syncer may fail the feed, and hold
/// it, at any time: both count at once, and neither is taken back here.
class FeedCondition {
 public:
  FeedCondition(JournalHandover& handover, internal::InboundConsumer& inbound, internal::BroadcastWriter& ring,
                internal::SequencerCounters& counters, std::function<void(const Error&)> failed)
      : handover_(handover), inbound_(inbound), ring_(ring), counters_(counters), failed_(std::move(failed)) {}

  [[nodiscard]] bool is_running() const noexcept {
    return handover_.state.load(std::memory_order_relaxed) == internal::FeedState::running &&
           !handover_.held.load(std::memory_order_relaxed);
  }
  /// Failed, or held by the syncer: nothing is taken.
  [[nodiscard]] bool is_closed() const noexcept { return handover_.is_closed(); }
  [[nodiscard]] bool is_failed() const noexcept {
    return handover_.state.load(std::memory_order_relaxed) == internal::FeedState::failed;
  }
  /// The sequencer waits for room.
  [[nodiscard]] bool is_stalled() const noexcept { return stalled_; }

  /// The journal has no room: producers are held back. True: it had until now.
  bool stall() noexcept {
    if (stalled_) return false;
    internal::bump(counters_.stalls);
    show(internal::FeedState::running, internal::FeedState::stalled);
    stalled_ = true;
    LEAT_ASSERT(handover_.state.load(std::memory_order_relaxed) != internal::FeedState::running);
    return true;
  }
  /// There is room again.
  void go_on() noexcept {
    if (!stalled_) return;
    show(internal::FeedState::stalled, internal::FeedState::running);
    stalled_ = false;
    LEAT_ASSERT(handover_.state.load(std::memory_order_relaxed) != internal::FeedState::stalled);
  }
  /// Final.
  void fail(const Error& error) {
    handover_.state.store(internal::FeedState::failed, std::memory_order_release);
    failed_(error);
  }

 private:
  // A feed that has failed meanwhile stays failed, in all places.
  void show(internal::FeedState from, internal::FeedState to) noexcept {
    if (!handover_.state.compare_exchange_strong(from, to)) return;
    inbound_.set_feed_state(to);
    ring_.header().feed_state.store(to, std::memory_order_release);
  }

  JournalHandover& handover_;
  internal::InboundConsumer& inbound_;
  internal::BroadcastWriter& ring_;
  internal::SequencerCounters& counters_;
  std::function<void(const Error&)> failed_;
  bool stalled_ = false;
};

}  // namespace leat::broker
