// The stamps of events over clocks that step, jump for a moment, start absurd, and are set right again.
#include "broker/sequence/stamp_clock.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

#include "tests/unit/fixtures/log_capture.h"

namespace leat::broker {
namespace {

constexpr std::int64_t kSecond = internal::kNanosPerSecond;
constexpr std::int64_t kHour = 3600 * kSecond;
constexpr std::int64_t kYear = 365LL * 86400 * kSecond;
constexpr std::int64_t kTrue = 56 * kYear;  // the right time at the start of each test
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

// A clock that is `error` off, and time since boot.
struct World {
  std::int64_t passed_ns = 0;
  std::int64_t error_ns = 0;
  [[nodiscard]] std::int64_t boot() const { return 1000 * kSecond + passed_ns; }
  [[nodiscard]] std::int64_t right() const { return kTrue + passed_ns; }
  [[nodiscard]] std::int64_t wall() const {
    std::int64_t sum = 0;
    if (!__builtin_add_overflow(right(), error_ns, &sum)) return sum;
    return error_ns > 0 ? kMax : kMin;
  }
};

class StampClockTest : public ::testing::Test {
 protected:
  // Events for so long, one each `each`. Returns the last stamp.
  std::int64_t run(StampClock& clock, std::int64_t for_ns, std::int64_t each = 100'000'000) {
    for (const std::int64_t end = world.passed_ns + for_ns; world.passed_ns < end; world.passed_ns += each)
      stamp(clock);
    return stamps.back();
  }
  std::int64_t stamp(StampClock& clock) {
    stamps.push_back(clock.stamp(world.wall(), world.boot()));
    return stamps.back();
  }
  [[nodiscard]] int steps_back() const {
    int count = 0;
    for (std::size_t i = 1; i < stamps.size(); ++i) count += stamps[i] < stamps[i - 1];
    return count;
  }

  World world;
  std::vector<std::int64_t> stamps;
  test::LogCapture log;
};

TEST_F(StampClockTest, FollowsAClockThatGoesOn) {
  StampClock clock(0);
  run(clock, 100 * kSecond);
  EXPECT_EQ(stamps.back(), world.right() - 100'000'000);
  world.passed_ns += 10 * 24 * kHour;  // nothing comes for ten days
  EXPECT_EQ(stamp(clock), world.right());
  EXPECT_EQ(log.text(), "");
}

TEST_F(StampClockTest, FollowsAClockThatIsSetAheadByHoursAtOnce) {
  StampClock clock(0);
  run(clock, kSecond);
  world.error_ns = kHour;
  EXPECT_EQ(stamp(clock), world.right() + kHour);
}

TEST_F(StampClockTest, DoesNotGoBackWithAClockThatIsSetBackByHoursAndGoesOnUntilItHasCaughtUp) {
  StampClock clock(0);
  run(clock, kSecond);
  world.error_ns = -kHour;
  const std::int64_t before = stamps.back();
  run(clock, kHour, kSecond);
  EXPECT_EQ(steps_back(), 0);
  EXPECT_NEAR(static_cast<double>(stamps.back() - before), static_cast<double>(kHour / 2), 2e9) << "half as fast";
  EXPECT_EQ(log.count("was set back by 3599 s: events' times do not go back"), 1) << log.text();
  run(clock, kHour + 10 * kSecond, kSecond);
  EXPECT_EQ(steps_back(), 0);
  EXPECT_EQ(stamp(clock), world.wall()) << "caught up";
  world.passed_ns += 7 * kHour;
  EXPECT_EQ(stamp(clock), world.wall());
  world.error_ns -= kSecond;  // another small one starts anew
  const std::int64_t held = stamp(clock);
  EXPECT_LE(held - stamps[stamps.size() - 2], kSecond);
}

// Every jump beyond the bound, for a moment: no stamp shows it.
TEST_F(StampClockTest, AClockThatIsAbsurdForAMomentLeavesNoTrace) {
  for (const std::int64_t jump :
       {4 * kHour, -4 * kHour, kYear, -kYear, 73 * kYear, -50 * kYear, -60 * kYear, 200 * kYear, kMax, kMin}) {
    SCOPED_TRACE(jump);
    world = {};
    stamps.clear();
    log.clear();
    StampClock clock(0);
    run(clock, kSecond);
    world.error_ns = jump;
    run(clock, StampClock::kSettleNs - 200'000'000);
    world.error_ns = 0;
    run(clock, kSecond);
    EXPECT_EQ(steps_back(), 0);
    for (std::size_t i = 1; i < stamps.size(); ++i) ASSERT_EQ(stamps[i] - stamps[i - 1], 100'000'000) << i;
    EXPECT_EQ(log.count("the wall clock has jumped"), 1) << log.text();
    EXPECT_EQ(log.count("the wall clock is back where it was"), 1) << log.text();
  }
}

TEST_F(StampClockTest, AClockThatStaysWhereItHasJumpedToIsFollowedAfterAMomentAndBackAgain) {
  for (const std::int64_t jump : {4 * kHour, kYear, 73 * kYear, 190 * kYear, -4 * kHour, -50 * kYear, -60 * kYear}) {
    SCOPED_TRACE(jump);
    world = {};
    stamps.clear();
    log.clear();
    StampClock clock(0);
    run(clock, kSecond);
    world.error_ns = jump;
    run(clock, StampClock::kSettleNs + kSecond);
    EXPECT_EQ(stamp(clock), world.wall());
    world.error_ns = 0;
    run(clock, StampClock::kSettleNs + kSecond);
    EXPECT_EQ(stamp(clock), world.right()) << "a stamp that was once absurd spoils no later ones";
    EXPECT_EQ(steps_back(), 1) << "once, for one of the two jumps";
    EXPECT_EQ(log.count("stays where it has jumped to"), 2) << log.text();
    EXPECT_EQ(log.count("events to come have earlier times than some before them"), 1) << log.text();
  }
}

TEST_F(StampClockTest, WhatAnIdleFeedLooksAtIsBelievedByTheTimeSomethingComes) {
  StampClock clock(0);
  run(clock, kSecond);
  world.error_ns = -10 * kYear;
  for (int i = 0; i < 30; ++i) {
    clock.look(world.wall(), world.boot());
    world.passed_ns += 100'000'000;
  }
  EXPECT_EQ(stamp(clock), world.wall());
}

// First life, restart, step while running: after each the stamps are the clock's again.
TEST_F(StampClockTest, EveryClockOfAnEarlierLifeEveryClockAtTheStartAndEveryStepAfterIt) {
  const std::array<std::int64_t, 11> errors = {0,
                                               kSecond,
                                               -kSecond,
                                               kHour,
                                               -kHour,
                                               5 * kHour,
                                               -5 * kHour,
                                               73 * kYear,
                                               -50 * kYear,
                                               190 * kYear,
                                               -56 * kYear - kSecond};
  for (const std::int64_t first : errors) {
    for (const std::int64_t second : errors) {
      for (const std::int64_t step : errors) {
        SCOPED_TRACE(::testing::Message() << first << " " << second << " " << step);
        world = {.error_ns = first};
        stamps.clear();
        StampClock earlier(0);
        const std::int64_t last = run(earlier, kSecond);
        EXPECT_EQ(last + 100'000'000, world.wall());
        world.passed_ns += kSecond;
        world.error_ns = second;
        StampClock clock(last);
        const std::int64_t begun = stamp(clock);
        if (last - world.wall() > StampClock::kMostHeldNs || world.wall() >= last) {
          EXPECT_EQ(begun, world.wall());
        } else {
          EXPECT_GE(begun, last) << "never back by less than the bound";
        }
        world.error_ns = step;
        run(clock, StampClock::kSettleNs + kSecond);
        const std::int64_t off = stamp(clock) - world.wall();
        EXPECT_GE(off, 0);
        EXPECT_LE(off, StampClock::kMostHeldNs);
        world.error_ns = 0;
        run(clock, StampClock::kSettleNs + kSecond);
        world.passed_ns += 7 * kHour;
        EXPECT_EQ(stamp(clock), world.right()) << "whatever came before, the clock is right now";
      }
    }
  }
}

}  // namespace
}  // namespace leat::broker
