// How long a call may wait.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <ratio>
#include <utility>

namespace leat {

/// Any std::chrono::duration of whole ticks. What nanoseconds cannot hold (292 years) is the longest or the shortest
/// that they can, where a plain conversion would wrap: std::chrono::milliseconds::max() is for ever, not a moment ago.
/// A value; any thread.
class Timeout {
 public:
  constexpr Timeout() noexcept = default;  ///< 0
  template <std::integral Rep, typename Period>
  requires std::convertible_to<std::chrono::duration<Rep, Period>, std::chrono::nanoseconds>
  constexpr Timeout(std::chrono::duration<Rep, Period> span) noexcept  // NOLINT(google-explicit-constructor)
      : ns_(saturated(span)) {}

  constexpr operator std::chrono::nanoseconds() const noexcept {  // NOLINT(google-explicit-constructor)
    return std::chrono::nanoseconds(ns_);
  }
  [[nodiscard]] constexpr std::int64_t count() const noexcept { return ns_; }  ///< nanoseconds
  friend constexpr bool operator==(const Timeout&, const Timeout&) = default;

 private:
  template <typename Rep, typename Period>
  static constexpr std::int64_t saturated(std::chrono::duration<Rep, Period> span) noexcept {
    constexpr std::int64_t kTickNs = std::ratio_divide<Period, std::nano>::num;
    using Limits = std::numeric_limits<std::int64_t>;
    if (std::cmp_greater(span.count(), Limits::max() / kTickNs)) return Limits::max();
    if (std::cmp_less(span.count(), Limits::min() / kTickNs)) return Limits::min();
    return static_cast<std::int64_t>(span.count()) * kTickNs;
  }

  std::int64_t ns_ = 0;
};

}  // namespace leat
