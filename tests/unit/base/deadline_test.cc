#include "base/deadline.h"

#include <gtest/gtest.h>

namespace leat::internal {
namespace {

using std::chrono::nanoseconds;

TEST(Deadline, LiesAheadByItsTimeoutAndRunsOut) {
  const Deadline later = Deadline::after(std::chrono::hours(1));
  EXPECT_FALSE(later.has_passed());
  EXPECT_LE(later.left_ns(), 3600 * kNanosPerSecond);
  EXPECT_GT(later.left_ns(), 3000 * kNanosPerSecond);
  EXPECT_GT(later.left_ms(), 3'000'000);
  for (const std::int64_t timeout : {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
    const Deadline now = Deadline::after_ns(timeout);
    EXPECT_TRUE(now.has_passed()) << timeout;
    EXPECT_EQ(now.left_ns(), 0) << timeout;
    EXPECT_EQ(now.left_ms(), 0) << timeout;
    EXPECT_TRUE(Deadline::after_ms(timeout).has_passed()) << timeout;
  }
}

TEST(Deadline, OfATimeoutBeyondTheClocksRangeIsNever) {
  for (const Deadline& never : {Deadline::after(nanoseconds::max()), Deadline::never(),
                                Deadline::after_ms(std::numeric_limits<std::int64_t>::max())}) {
    EXPECT_TRUE(never.is_never());
    EXPECT_FALSE(never.has_passed());
    EXPECT_EQ(never.left_ms(), -1);
    EXPECT_EQ(never.left_ns(), std::numeric_limits<std::int64_t>::max());
  }
  // The largest that is none: an int of poll() holds less than that.
  const Deadline far = Deadline::after_ns(std::numeric_limits<std::int64_t>::max() - 2 * monotonic_ns());
  EXPECT_FALSE(far.is_never());
  EXPECT_EQ(far.left_ms(), std::numeric_limits<int>::max());
}

TEST(Deadline, RoundsMillisecondsUpSoThatNoWaitEndsBeforeItsTime) {
  const Deadline soon = Deadline::after_ns(kNanosPerMilli / 2 + kNanosPerSecond);
  EXPECT_GE(static_cast<std::int64_t>(soon.left_ms()) * kNanosPerMilli, soon.left_ns());
}

}  // namespace
}  // namespace leat::internal
