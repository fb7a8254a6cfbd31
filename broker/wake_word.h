// Waking one of the broker's own threads.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/futex.h"
#include "base/words.h"

namespace leat::broker {

/// A binary event. notify() from any thread; one waiter.
class WakeWord {
 public:
  /// One locked instruction; a system call only if the waiter has not been notified since it last woke.
  void notify() noexcept {
    if (word_.exchange(1, std::memory_order_seq_cst) == 0) internal::futex_wake(&word_, 1);
  }
  /// Returns when notified, or after `timeout_ns`; takes the notification with it.
  void wait(std::int64_t timeout_ns) noexcept {
    if (word_.load(std::memory_order_acquire) == 0) internal::futex_wait(&word_, 0, timeout_ns);
    word_.store(0, std::memory_order_seq_cst);
    internal::fence_seq_cst();  // SYNC POINT: pairs with notify(): what it was about is seen by the loads that come now
  }

 private:
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace leat::broker
