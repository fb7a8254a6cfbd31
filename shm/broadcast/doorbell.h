// Waking consumers without a system call when nobody sleeps.
//
// Each watermark has a word for its sleepers. The word is odd while anybody sleeps, or is about to; each wake-up makes
// the word even by adding 1.
//
// Sleeper: make the word odd; seq_cst fence; look at the watermark again; FUTEX_WAIT while the word is what it was
//          then, with a bounded time-out.
// Waker:   watermark := new; seq_cst fence; is the word odd? add 1 and FUTEX_WAKE all.
//
// The word is a flag, not a count of sleepers: a sleeper that is killed costs one wake-up too many, and leaves nothing
// behind. Each wake-up changes the word for good, so whoever is about to sleep when the wake-up comes does not sleep. A
// plain flag would not do: a waker that clears the flag for an earlier sleep may clear it for a sleeper, too, that goes
// to sleep only then (found by tests/interleave; docs/adr/0005-doorbell-of-flags.md).
#pragma once

#include <climits>
#include <cstdint>

#include "base/atomic.h"
#include "base/futex.h"
#include "base/words.h"

namespace leat::internal {

inline bool somebody_sleeps(std::uint32_t sleepers) noexcept { return sleepers % 2 != 0; }

/// The waker's half, after the watermark was raised; one waker a word. Returns true if it made the system call.
inline bool ring_doorbell(Atomic<std::uint32_t>& sleepers) noexcept {
  fence_seq_cst();  // SYNC POINT: pairs with the fence in sleep_on
  if (!somebody_sleeps(sleepers.load(std::memory_order_relaxed))) return false;
  sleepers.fetch_add(1, std::memory_order_seq_cst);
  futex_wake(&sleepers, INT_MAX);
  return true;
}

/// The sleeper's half: sleeps while `watermark` reads `seen`, at most `timeout_ns`. May return early.
inline void sleep_on(Atomic<std::uint32_t>& sleepers, const Atomic<std::uint64_t>& watermark, std::uint64_t seen,
                     std::int64_t timeout_ns) noexcept {
  const std::uint32_t asleep = sleepers.fetch_or(1, std::memory_order_seq_cst) | 1;
  fence_seq_cst();  // SYNC POINT: pairs with the fence in ring_doorbell
  if (watermark.load(std::memory_order_acquire) != seen) return;
  futex_wait(&sleepers, asleep, timeout_ns);
}

}  // namespace leat::internal
