// Retention's sums: real sizes, any bound, any clock.
#include "broker/storage/retention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

namespace leat::broker {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kYear = 365 * 86400 * kSecond;
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

// Ten events each, of so many bytes.
Retention of_sizes(const Options& options, std::initializer_list<std::uint64_t> sizes, std::int64_t age_base_ns = 0) {
  Retention retained(options);
  std::uint64_t i = 0;
  for (const std::uint64_t bytes : sizes) {
    retained.add({.name = {.first_sequence = 10 * i + 1, .first_position = 1000 * i},
                  .file_bytes = bytes,
                  .age_base_ns = age_base_ns});
    ++i;
  }
  return retained;
}

using Holds = std::vector<CursorHold>;

// One user, who may hold as much as all may.
Holds one_at(std::uint64_t next_sequence, const Options& options) {
  return {{.name = "one", .uid = 1, .next_sequence = next_sequence, .most_bytes = options.cursor_hold_bytes}};
}

std::size_t left_of(Retention retained, std::int64_t now_ns, const Holds& holds = {}) {
  while (retained.exceeded(now_ns) != Bound::none && !retained.held_for(holds)) retained.drop_oldest();
  return retained.size();
}

TEST(Retention, CountsTheFilesAsLargeAsTheyAre) {
  Options options;
  options.retain_bytes = 100;
  for (const std::uint64_t configured : {1ULL, 64ULL << 20, ~0ULL}) {
    options.segment_bytes = configured;
    EXPECT_EQ(left_of(of_sizes(options, {10, 10, 10, 10, 60}), 0), 5u) << "100 bytes are not beyond 100";
    EXPECT_EQ(left_of(of_sizes(options, {1, 10, 10, 10, 10, 60}), 0), 5u);
    EXPECT_EQ(left_of(of_sizes(options, {64, 64, 64, 64, 64}), 0), 1u) << "two would be beyond it";
    EXPECT_EQ(left_of(of_sizes(options, {200}), 0), 1u) << "the current one always stays";
  }
}

TEST(Retention, KeepsAtLeastSoManyEventsBesidesTheCurrentSegment) {
  Options options;
  for (const auto& [events, left] :
       {std::pair{1U, 2U}, {10U, 2U}, {11U, 3U}, {20U, 3U}, {30U, 4U}, {31U, 5U}, {1000U, 5U}}) {
    options.retain_events = events;
    EXPECT_EQ(left_of(of_sizes(options, {1, 1, 1, 1, 1}), 0), left) << events << " of ten a segment";
  }
}

TEST(Retention, HoldsForACursorByRealSizes) {
  Options options;
  options.retain_bytes = 20;
  options.cursor_hold_bytes = 50;
  for (const std::uint64_t configured : {1ULL, 64ULL << 20, ~0ULL}) {
    options.segment_bytes = configured;
    EXPECT_EQ(left_of(of_sizes(options, {10, 10, 10, 10, 10}), 0, one_at(1, options)), 5u);
    EXPECT_EQ(left_of(of_sizes(options, {10, 10, 10, 10, 10, 10}), 0, one_at(1, options)), 5u) << "up to the bound";
    EXPECT_EQ(left_of(of_sizes(options, {10, 10, 10, 10, 10}), 0, one_at(11, options)), 4u) << "it has read the first";
    EXPECT_EQ(left_of(of_sizes(options, {10, 10, 10, 10, 10}), 0, one_at(1000, options)), 2u);
  }
  options.cursor_hold_bytes = 0;
  EXPECT_EQ(left_of(of_sizes(options, {10, 10, 10, 10, 10}), 0, one_at(1, options)), 2u) << "0 holds nothing";
}

// No number of any option, however large, prunes what a smaller one keeps.
TEST(Retention, ALargerBoundNeverKeepsLessWhateverItsValue) {
  const std::array<std::uint64_t, 18> bounds = {1,          2,          59,          60,
                                                61,         3600,       86400,       1ULL << 31,
                                                1ULL << 32, 9223372035, 9223372036,  9223372037,
                                                9999999999, 1ULL << 62, kMax - 1ULL, (1ULL << 63),
                                                ~0ULL - 1,  ~0ULL};
  const std::array<std::int64_t, 6> ages = {0, 1, 59 * kSecond, 60 * kSecond + 1, kYear, kMax};
  for (std::uint64_t Options::*const bound :
       {&Options::retain_bytes, &Options::retain_seconds, &Options::retain_events}) {
    for (const std::int64_t age : ages) {
      Options options;
      options.retain_bytes = options.retain_seconds = options.retain_events = 0;
      const std::size_t all = left_of(of_sizes(options, {60, 60, 60, 60, 60}), age);
      EXPECT_EQ(all, 5u) << "0 is no bound";
      std::size_t before = 1;
      for (const std::uint64_t value : bounds) {
        options.*bound = value;
        const std::size_t left = left_of(of_sizes(options, {60, 60, 60, 60, 60}), age);
        EXPECT_GE(left, before) << "bound " << value << ", age " << age;
        before = left;
      }
      EXPECT_EQ(before, 5u) << "the largest number keeps everything, age " << age;
    }
  }
}

TEST(Retention, AnAgeIsBeyondItsBoundFromTheNextNanosecondOn) {
  EXPECT_FALSE(is_older_than(60 * kSecond, 60));
  EXPECT_TRUE(is_older_than(60 * kSecond + 1, 60));
  EXPECT_FALSE(is_older_than(0, 0));
  EXPECT_TRUE(is_older_than(1, 0));
  EXPECT_FALSE(is_older_than(-1, 0));
  EXPECT_FALSE(is_older_than(kMin, 1));
  EXPECT_FALSE(is_older_than(kMax, 9223372037));
  EXPECT_TRUE(is_older_than(kMax, 9223372036));
  EXPECT_FALSE(is_older_than(kMax, ~0ULL));
}

// The rule for the ages at a start, over every pair of clocks: one that is wrong at one of the readings deletes
// nothing.
TEST(Retention, OneWrongClockAtAStartMakesNothingOlder) {
  const std::int64_t true_now = 56 * kYear;
  const std::array<std::int64_t, 11> wrong =
      {kMin,        -kYear,      -1,  1, kSecond, 20 * kYear, true_now - 3600 * kSecond, true_now + 3600 * kSecond,
       136 * kYear, 250 * kYear, kMax};
  for (const std::int64_t true_age : {std::int64_t{0}, 10 * kSecond, kYear}) {
    const std::int64_t changed = true_now - kSecond - true_age;  // the newest event came a second ago
    const std::int64_t newest = true_now - kSecond;
    EXPECT_EQ(age_at_start_ns(changed, newest, true_now), true_age);
    EXPECT_EQ(age_at_start_ns(changed, 0, true_now), true_age + kSecond) << "no newest event is known";
    for (const std::int64_t clock : wrong) {
      EXPECT_LE(age_at_start_ns(changed, newest, clock), true_age) << "now is " << clock;
      EXPECT_GE(age_at_start_ns(changed, newest, clock), 0) << "now is " << clock;
      EXPECT_LE(age_at_start_ns(changed, clock == 0 ? 1 : clock, true_now), true_age + kSecond) << "then was " << clock;
      EXPECT_GE(age_at_start_ns(changed, clock, true_now), 0) << "then was " << clock;
    }
    for (const std::int64_t clock : {true_now + 3600 * kSecond, 136 * kYear, kMax}) {
      EXPECT_EQ(age_at_start_ns(clock, newest, true_now), 0) << "a file of the future is new";
    }
  }
}

TEST(Retention, TheTimeForWhichAFeedRestedIsNotCounted) {
  const std::int64_t newest = 56 * kYear;
  EXPECT_EQ(age_at_start_ns(newest - 5 * kSecond, newest, newest + 10 * kYear), 5 * kSecond);
}

TEST(Retention, FileTimesBeyondWhatNanosecondsHoldAreTheLeastOrTheGreatest) {
  EXPECT_EQ(nanoseconds_of(1, 5), kSecond + 5);
  EXPECT_EQ(nanoseconds_of(-1, 5), -kSecond + 5);
  EXPECT_EQ(nanoseconds_of(9223372037, 0), kMax);
  EXPECT_EQ(nanoseconds_of(9223372036, 999'999'999), kMax);
  EXPECT_EQ(nanoseconds_of(kMax, 0), kMax);
  EXPECT_EQ(nanoseconds_of(-9223372037, 0), kMin);
  EXPECT_EQ(nanoseconds_of(kMin, 999'999'999), kMin);
}

TEST(Retention, ThePlanOfAStartIsWhatThenGoes) {
  for (const std::uint64_t bytes : {0ULL, 1ULL, 150ULL, 250ULL, ~0ULL}) {
    for (const std::uint64_t events : {0ULL, 1ULL, 15ULL, ~0ULL}) {
      for (const std::uint64_t seconds : {0ULL, 5ULL, ~0ULL}) {
        for (const std::uint64_t hold : {0ULL, 200ULL, ~0ULL}) {
          for (const std::uint64_t next : {1ULL, 15ULL, 21ULL, ~0ULL}) {
            Options options;
            options.retain_bytes = bytes;
            options.retain_events = events;
            options.retain_seconds = seconds;
            options.cursor_hold_bytes = hold;
            const Retention retained = of_sizes(options, {100, 100, 50, 50, 50});
            const Holds holds = one_at(next, options);
            const Retention::Plan plan = retained.plan(10 * kSecond, holds);
            EXPECT_EQ(plan.segments, retained.size() - left_of(retained, 10 * kSecond, holds));
            EXPECT_EQ(plan.options.empty(), plan.segments == 0);
            if (plan.segments > 0) {
              EXPECT_EQ(plan.first_sequence, 1u);
              EXPECT_EQ(plan.last_sequence, 10 * plan.segments);
              EXPECT_EQ(plan.overtaken != nullptr, next <= plan.last_sequence);
            }
          }
        }
      }
    }
  }
}

// Three users, each somewhere, each with some bound: whatever the others do, each holds what he would hold alone, and
// nothing is held that nobody holds.
TEST(Retention, WhatOneUserHoldsTakesNothingFromAnotherAndNobodyHoldsMoreThanHisShare) {
  constexpr std::array<std::uint64_t, 5> places = {1, 15, 21, 45, ~0ULL};
  constexpr std::array<std::uint64_t, 5> shares = {0, 100, 150, 299, ~0ULL};
  constexpr std::size_t kCases = places.size() * shares.size();
  const auto user = [&](std::size_t i) {
    return CursorHold{.name = std::to_string(i),
                      .uid = static_cast<std::uint32_t>(i),
                      .next_sequence = places[i % places.size()],
                      .most_bytes = shares[i / places.size()]};
  };
  Options options;
  options.retain_bytes = 60;
  const Retention retained = of_sizes(options, {100, 100, 50, 50, 50});
  for (std::size_t a = 0; a < kCases; ++a) {
    for (std::size_t b = 0; b < kCases; ++b) {
      for (std::size_t c = 0; c < kCases; ++c) {
        Holds holds = {user(a), user(b), user(c)};
        std::ranges::stable_sort(holds, {}, &CursorHold::next_sequence);
        std::size_t most = 0;
        for (const CursorHold& hold : holds) most = std::max(most, left_of(retained, 0, {hold}));
        ASSERT_EQ(left_of(retained, 0, holds), most) << a << " " << b << " " << c;
        const Retention::Plan plan = retained.plan(0, holds);
        ASSERT_EQ(plan.segments, retained.size() - most) << a << " " << b << " " << c;
        ASSERT_EQ(plan.overtaken, holds[0].next_sequence <= plan.last_sequence ? holds.data() : nullptr);
      }
    }
  }
}

}  // namespace
}  // namespace leat::broker
