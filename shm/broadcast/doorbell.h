// Waking consumers without a system call when nobody sleeps.
//
// Sleeper: flag := 1; seq_cst fence; look at the watermark again; FUTEX_WAIT on its low half, with a bounded time-out.
// Waker:   watermark := new; seq_cst fence; flag set? flag := 0 and FUTEX_WAKE all.
// With a flag instead of a count, a sleeper that is killed costs one wake-up too many and leaves nothing behind.
#pragma once

#include <climits>
#include <cstdint>

#include "shm/base/atomic.h"
#include "shm/base/futex.h"
#include "shm/base/words.h"
#include "shm/broadcast/broadcast_layout.h"

namespace leat::shm {

/// The waker's half, after the watermark was raised. Returns true if it made the system call.
inline bool ring_doorbell(Atomic<std::uint32_t>& sleepers, const Atomic<std::uint64_t>& watermark) noexcept {
  fence_seq_cst();  // SYNC POINT: pairs with the fence in sleep_on
  if (sleepers.load(std::memory_order_relaxed) == 0) return false;
  sleepers.store(0, std::memory_order_seq_cst);
  futex_wake(low_half(watermark), INT_MAX);
  return true;
}

/// The sleeper's half: sleeps while `watermark` reads `seen`, at most `timeout_ns`. May return early.
inline void sleep_on(Atomic<std::uint32_t>& sleepers, const Atomic<std::uint64_t>& watermark,
                     std::uint64_t seen, std::int64_t timeout_ns) noexcept {
  sleepers.store(1, std::memory_order_seq_cst);
  fence_seq_cst();  // SYNC POINT: pairs with the fence in ring_doorbell
  if (watermark.load(std::memory_order_acquire) != seen) return;
  futex_wait(low_half(watermark), static_cast<std::uint32_t>(seen), timeout_ns);
}

}  // namespace leat::shm
