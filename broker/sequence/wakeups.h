// Waking those who sleep until there is something new: consumers, event loops, producers, the syncer.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "broker/sequence/receipts.h"
#include "broker/storage/handover.h"
#include "shm/broadcast/broadcast_layout.h"
#include "shm/broadcast/doorbell.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// One thread.
class Wakeups {
 public:
  Wakeups(internal::DoorbellHeader& doorbell, JournalHandover& handover, internal::SequencerCounters& counters,
          Receipts& receipts, bool syncs_each_round, std::function<void()> wake_control)
      : doorbell_(doorbell),
        handover_(handover),
        counters_(counters),
        receipts_(receipts),
        wake_control_(std::move(wake_control)),
        syncs_each_round_(syncs_each_round) {}

  /// A round has been reported. While there is more to do, sleepers are woken every few rounds only: each wake-up is a
  /// system call here and two switches there, and whoever was woken would find the next round's events a moment later
  /// anyway.
  void round_is_over(bool drained) {
    if (!drained && ++deferred_ <= kMaxDeferred) return;
    wake(drained);
  }
  /// Producers have been reported to outside of a round: they are woken with the next one, or when there is none.
  void defer() noexcept { deferred_ = 1; }
  /// There is no next round for now: whoever was to be woken with it is woken.
  void wake_deferred() {
    if (deferred_ > 0) wake(true);
  }

  void wake(bool drained) {
    deferred_ = 0;
    // The one full fence of a round; it serves the consumers' doorbell, armed eventfds and the producers' receipts
    // alike.
    if (internal::ring_doorbell(doorbell_.live_sleepers)) internal::bump(counters_.wakeups);
    if (doorbell_.armed_events.load(std::memory_order_relaxed) != 0) {
      doorbell_.armed_events.store(0, std::memory_order_seq_cst);
      wake_control_();
    }
    receipts_.wake(drained);
    if (syncs_each_round_) handover_.syncer_wake.notify();
  }

 private:
  static constexpr std::uint32_t kMaxDeferred = 3;

  internal::DoorbellHeader& doorbell_;
  JournalHandover& handover_;
  internal::SequencerCounters& counters_;
  Receipts& receipts_;
  std::function<void()> wake_control_;
  bool syncs_each_round_;       // --sync always
  std::uint32_t deferred_ = 0;  // rounds whose sleepers have not been looked for yet
};

}  // namespace leat::broker
