// When a waiting thread looks again and when it sleeps.
#include "base/idle.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace leat::internal {
namespace {

constexpr std::int64_t kSpinNs = 40 * kNanosPerMilli;
constexpr std::chrono::nanoseconds kLongWait(IdleSpinner::kHopefulWait* kSpinNs * 3 / 2);

// How long the spinner wants to spin, from the first look on.
std::int64_t spin_out(IdleSpinner& spinner) {
  const std::int64_t begin = monotonic_ns();
  while (spinner.keep_spinning()) {
  }
  return monotonic_ns() - begin;
}

// A thread may lose its core at any time, so a short spin may look long, now and then; a long one never looks short.
bool becomes_short(IdleSpinner& spinner) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    const std::int64_t took = spin_out(spinner);
    std::this_thread::sleep_for(kLongWait);
    spinner.reset();
    if (took < kSpinNs / 2) return true;
  }
  return false;
}

TEST(IdleSpinner, NeverSpinsToBlock) {
  IdleSpinner spinner(IdleStrategy::block, kSpinNs, 2);
  EXPECT_FALSE(spinner.keep_spinning());
}

TEST(IdleSpinner, NeverSleepsToSpin) {
  IdleSpinner spinner(IdleStrategy::spin, 1, 1);
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(spinner.keep_spinning());
}

TEST(IdleSpinner, AdaptiveSleepsAtOnceWhereThereIsOneCore) {
  IdleSpinner spinner(IdleStrategy::adaptive, kSpinNs, 1);
  EXPECT_FALSE(spinner.keep_spinning());
}

TEST(IdleSpinner, AdaptiveSpinsAsLongAsItIsToldAtFirst) {
  IdleSpinner spinner(IdleStrategy::adaptive, kSpinNs, 2);
  EXPECT_GE(spin_out(spinner), kSpinNs);
}

TEST(IdleSpinner, AdaptiveSpinsBrieflyAfterALongWaitAndWholeAfterAShortOne) {
  IdleSpinner spinner(IdleStrategy::adaptive, kSpinNs, 2);
  (void)spin_out(spinner);
  std::this_thread::sleep_for(kLongWait);
  spinner.reset();
  EXPECT_TRUE(becomes_short(spinner));
  ASSERT_TRUE(spinner.keep_spinning());
  spinner.reset();  // found within the spin, short as it is
  EXPECT_GE(spin_out(spinner), kSpinNs);
}

TEST(IdleSpinner, AdaptiveKeepsSpinningWhenTheWaitWasLittleLonger) {
  IdleSpinner spinner(IdleStrategy::adaptive, kSpinNs, 2);
  // A round that the machine stretched beyond the bound says nothing.
  for (int attempt = 0; attempt < 20; ++attempt) {
    const std::int64_t begin = monotonic_ns();
    (void)spin_out(spinner);
    spinner.reset();
    if (monotonic_ns() - begin >= IdleSpinner::kHopefulWait * kSpinNs) continue;
    EXPECT_GE(spin_out(spinner), kSpinNs);
    return;
  }
  FAIL() << "this machine never let a thread spin for " << kSpinNs << " ns";
}

}  // namespace
}  // namespace leat::internal
