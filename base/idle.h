// What a thread does that has found nothing: spin, then sleep. Two spinning processes on two cores starve a third, so
// the adaptive strategy spins only where the scheduler gives this process a core to spare, and briefly.
#pragma once

#include <sched.h>

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "base/words.h"

namespace leat::internal {

enum class IdleStrategy : std::uint8_t { adaptive, spin, block };

/// How many CPUs this thread may run on: by affinity, not by what the machine has.
inline int allowed_cpus() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/// Decides between another look and sleep. Not thread-safe; one per waiting thread, kept from wait to wait, because
/// adaptive learns whether spinning pays: a wait that outlasts the spin by far says that the next one will too, and
/// that one spins for kShortSpinNs only. A woken thread often shares the core of the thread that woke it, and while it
/// spins there for what comes next, the other cannot run. Measured: an event for an idle broker took 50 us when the
/// broker always spun for 20 us, and takes 30 now. Yielding the core instead made it 1 ms: a thread that has yielded no
/// longer preempts when it is woken.
class IdleSpinner {
 public:
  static constexpr std::int64_t kShortSpinNs = 2 * kNanosPerMicro;
  /// A wait of up to this many times the spin, most of it falling asleep and waking up, might have been spun through.
  static constexpr std::int64_t kHopefulWait = 4;

  /// `cpus`: how many this thread may run on; with one, adaptive does not spin at all.
  IdleSpinner(IdleStrategy strategy, std::int64_t adaptive_spin_ns, int cpus = allowed_cpus()) noexcept
      : strategy_(strategy), spin_ns_(cpus > 1 ? adaptive_spin_ns : 0), limit_ns_(spin_ns_) {}

  /// The wait is over: there was something to do.
  void reset() noexcept {
    if (looks_ == 0) return;
    const bool hopeful = !ran_out_ || monotonic_ns() - started_ns_ < kHopefulWait * spin_ns_;
    limit_ns_ = hopeful ? spin_ns_ : std::min(kShortSpinNs, spin_ns_);
    looks_ = 0;
    ran_out_ = false;
  }

  /// True: look again. False: time to sleep. Reads the clock once in kLooksPerClock looks.
  bool keep_spinning() noexcept {
    if (strategy_ == IdleStrategy::block) return false;
    cpu_relax();
    if (strategy_ == IdleStrategy::spin) return true;
    if (spin_ns_ == 0) return false;
    if (looks_++ % kLooksPerClock != 0) return true;
    const std::int64_t now = monotonic_ns();
    if (looks_ == 1) {
      started_ns_ = now;
      return true;
    }
    if (now - started_ns_ < limit_ns_) return true;
    ran_out_ = true;
    return false;
  }

 private:
  static constexpr std::uint32_t kLooksPerClock = 16;

  IdleStrategy strategy_;
  std::int64_t spin_ns_;
  std::int64_t limit_ns_;
  std::int64_t started_ns_ = 0;
  std::uint32_t looks_ = 0;
  bool ran_out_ = false;
};

}  // namespace leat::internal
