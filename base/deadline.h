// A moment until which something may take: absolute, so that a wait that is begun anew (EINTR, a second step) waits for
// the rest only, and saturating, so that no time-out of a caller overflows.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

#include "base/clock.h"

namespace leat::internal {

/// Of CLOCK_MONOTONIC. A value; any thread.
class Deadline {
 public:
  /// `timeout` from now: negative means now, and what lies beyond the clock's range means never.
  static Deadline after(std::chrono::nanoseconds timeout) noexcept { return after_ns(timeout.count()); }
  static Deadline after_ns(std::int64_t timeout_ns) noexcept {
    const std::int64_t now = monotonic_ns();
    if (timeout_ns > kNever - now) return never();
    return Deadline(now + std::max<std::int64_t>(timeout_ns, 0));
  }
  static Deadline after_ms(std::int64_t timeout_ms) noexcept {
    if (timeout_ms > kNever / kNanosPerMilli) return never();
    return after_ns(std::max<std::int64_t>(timeout_ms, 0) * kNanosPerMilli);
  }
  static Deadline never() noexcept { return Deadline(kNever); }

  [[nodiscard]] bool is_never() const noexcept { return at_ns_ == kNever; }
  [[nodiscard]] std::int64_t at_ns() const noexcept { return at_ns_; }
  /// Nanoseconds left: 0 once it has passed.
  [[nodiscard]] std::int64_t left_ns() const noexcept {
    return is_never() ? kNever : std::max<std::int64_t>(at_ns_ - monotonic_ns(), 0);
  }
  [[nodiscard]] bool has_passed() const noexcept { return left_ns() == 0; }
  /// For poll() and epoll_wait(): rounded up, so that a wait does not end before its time; -1 for never.
  [[nodiscard]] int left_ms() const noexcept {
    if (is_never()) return -1;
    const std::int64_t left = left_ns();
    const std::int64_t ms = left / kNanosPerMilli + (left % kNanosPerMilli != 0 ? 1 : 0);
    return static_cast<int>(std::min<std::int64_t>(ms, std::numeric_limits<int>::max()));
  }

 private:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  explicit Deadline(std::int64_t at_ns) noexcept : at_ns_(at_ns) {}

  std::int64_t at_ns_;
};

}  // namespace leat::internal
