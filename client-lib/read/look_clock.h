// When a reader that finds nothing looks whether broker and journal are still those that it reads.
#pragma once

#include <cstdint>
#include <optional>

#include "base/check.h"
#include "base/clock.h"

namespace leat::client {

/// Asked where a poll finds nothing, which may be millions of times a second, or once in a while: the clock is read in
/// every sixteenth of many looks, and in each of few. One thread.
class LookClock {
 public:
  static constexpr std::uint32_t kLooksPerClock = 16;

  /// For a poll: what time it is, if it is time to look around.
  [[nodiscard]] std::optional<std::int64_t> tick() noexcept {
    LEAT_DCHECK(looks_until_clock_ > 0);
    if (--looks_until_clock_ != 0) return {};
    const std::int64_t now = internal::monotonic_ns();
    looks_until_clock_ = now - last_read_ns_ >= kSlowLookNs ? 1 : kLooksPerClock;
    last_read_ns_ = now;
    return due_at(now);
  }
  /// The same for calls that are no poll, and come seldom.
  [[nodiscard]] std::optional<std::int64_t> look() noexcept { return due_at(internal::monotonic_ns()); }
  /// Its owner has slept: the next tick() reads the clock.
  void has_slept() noexcept { looks_until_clock_ = 1; }

 private:
  static constexpr std::int64_t kPeriodNs = 50 * internal::kNanosPerMilli;
  static constexpr std::int64_t kSlowLookNs = internal::kNanosPerMilli;  ///< who looks less often is in no hurry

  std::optional<std::int64_t> due_at(std::int64_t now_ns) noexcept {
    if (now_ns < next_ns_) return {};
    next_ns_ = now_ns + kPeriodNs;
    return now_ns;
  }

  std::uint32_t looks_until_clock_ = 1;
  std::int64_t last_read_ns_ = 0;
  std::int64_t next_ns_ = 0;
};

}  // namespace leat::client
