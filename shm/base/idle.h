// What a thread does that has found nothing: spin, then sleep. Two spinning processes on two cores starve a third, so
// the adaptive strategy spins only where the scheduler gives this process a core to spare, and briefly.
#pragma once

#include <sched.h>

#include <cstdint>

#include "shm/base/clock.h"
#include "shm/base/words.h"

namespace leat::shm {

enum class IdleStrategy : std::uint8_t { adaptive, spin, block };

/// How many CPUs this thread may run on: by affinity, not by what the machine has.
inline int allowed_cpus() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/// Decides between another look and sleep. Not thread-safe; one per waiting thread.
class IdleSpinner {
 public:
  /// `cpus`: how many this thread may run on; with one, adaptive does not spin at all.
  IdleSpinner(IdleStrategy strategy, std::int64_t adaptive_spin_ns, int cpus = allowed_cpus()) noexcept
      : strategy_(strategy), spin_ns_(cpus > 1 ? adaptive_spin_ns : 0) {}

  void reset() noexcept { looks_ = 0; }

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
    return now - started_ns_ < spin_ns_;
  }

 private:
  static constexpr std::uint32_t kLooksPerClock = 16;
  IdleStrategy strategy_;
  std::int64_t spin_ns_;
  std::int64_t started_ns_ = 0;
  std::uint32_t looks_ = 0;
};

}  // namespace leat::shm
