#include "base/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

namespace leat::internal {

void futex_wait(const void* word, std::uint32_t expected, std::int64_t timeout_ns) noexcept {
  if (timeout_ns <= 0) return;
  timespec timeout{.tv_sec = timeout_ns / 1'000'000'000, .tv_nsec = timeout_ns % 1'000'000'000};
  // The time-out of FUTEX_WAIT is relative and counts on CLOCK_MONOTONIC, so wall clock steps do not matter.
  if (syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, nullptr, 0) == 0) return;
  if (errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT) return;
  // A kernel, or a filter of system calls, without futexes: a nap in its place, or whoever waits would burn a core.
  constexpr std::int64_t kNapNs = 1'000'000;
  const timespec nap{.tv_sec = 0, .tv_nsec = timeout_ns < kNapNs ? timeout_ns : kNapNs};
  ::nanosleep(&nap, nullptr);
}

int futex_wake(const void* word, int count) noexcept {
  return static_cast<int>(syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0));
}

}  // namespace leat::internal
