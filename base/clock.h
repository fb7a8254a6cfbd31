// The clocks: monotonic for every time-out, real time only to stamp events; and the time since boot, which nobody sets
// and which a suspended machine does not stop, to judge steps of the real time.
#pragma once

#include <cstdint>
#include <ctime>

namespace leat::internal {

inline std::int64_t read_clock_ns(clockid_t id) noexcept {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}
inline std::int64_t monotonic_ns() noexcept { return read_clock_ns(CLOCK_MONOTONIC); }
inline std::int64_t boottime_ns() noexcept { return read_clock_ns(CLOCK_BOOTTIME); }
inline std::int64_t realtime_ns() noexcept { return read_clock_ns(CLOCK_REALTIME); }

inline constexpr std::int64_t kNanosPerMicro = 1'000;
inline constexpr std::int64_t kNanosPerMilli = 1'000'000;
inline constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

}  // namespace leat::internal
