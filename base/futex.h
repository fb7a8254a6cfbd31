// Raw futex calls, not process-private: std::atomic::wait would be. FUTEX_WAIT works on a read-only mapping.
#pragma once

#include <cstdint>

namespace leat::internal {

/// Sleeps while *word == expected, at most `timeout_ns` (CLOCK_MONOTONIC). May return early for any reason.
void futex_wait(const void* word, std::uint32_t expected, std::int64_t timeout_ns) noexcept;

/// Wakes up to `count` sleepers. Returns how many were woken, or -1.
int futex_wake(const void* word, int count) noexcept;

}  // namespace leat::internal
