// Raw futex calls, not process-private: std::atomic::wait would be. FUTEX_WAIT works on a read-only mapping.
#pragma once

#include <cstdint>

#include "shm/base/atomic.h"

namespace leat::shm {

/// Sleeps while *word == expected, at most `timeout_ns` (CLOCK_MONOTONIC). May return early for any reason.
void futex_wait(const void* word, std::uint32_t expected, std::int64_t timeout_ns) noexcept;

/// Wakes up to `count` sleepers. Returns how many were woken, or -1.
int futex_wake(const void* word, int count) noexcept;

/// The half of a 64-bit atomic that changes with every store: the futex word of a watermark (little-endian: the first).
inline const void* low_half(const Atomic<std::uint64_t>& watermark) noexcept { return &watermark; }

}  // namespace leat::shm
