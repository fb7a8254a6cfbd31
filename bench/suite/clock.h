#pragma once

#include <cstdint>
#include <ctime>

namespace leat::bench {

/// CLOCK_MONOTONIC, the same in every process of the host.
inline std::int64_t now_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

}  // namespace leat::bench
