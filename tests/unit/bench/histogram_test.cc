// The bench suite's histogram: exact below 128, to within a step of 1/128 above, at any count.
#include "bench/suite/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace leat::bench {
namespace {

TEST(Histogram, IsEmptyAtFirst) {
  const auto histogram = std::make_unique<Histogram>();
  EXPECT_EQ(histogram->count(), 0u);
  EXPECT_EQ(histogram->at(0.5), 0u);
  EXPECT_EQ(histogram->max(), 0u);
}

TEST(Histogram, KeepsSmallValuesExactly) {
  const auto histogram = std::make_unique<Histogram>();
  for (int value = 0; value < 100; ++value) histogram->record(value);
  EXPECT_EQ(histogram->at(0.5), 50u);
  EXPECT_EQ(histogram->at(0.9), 90u);
  EXPECT_EQ(histogram->at(1), 99u);
  EXPECT_EQ(histogram->max(), 99u);
}

TEST(Histogram, CountsANegativeTimeAsNone) {  // clocks of two cores may differ
  const auto histogram = std::make_unique<Histogram>();
  histogram->record(-5);
  EXPECT_EQ(histogram->count(), 1u);
  EXPECT_EQ(histogram->at(0.5), 0u);
}

TEST(Histogram, TakesEveryValueThereIs) {
  const auto histogram = std::make_unique<Histogram>();
  for (int bit = 0; bit < 63; ++bit) {
    for (const std::int64_t near : {-1, 0, 1}) histogram->record((std::int64_t{1} << bit) + near);
  }
  histogram->record(INT64_MAX);
  EXPECT_EQ(histogram->count(), 63u * 3 + 1);
  EXPECT_EQ(histogram->at(1), static_cast<std::uint64_t>(INT64_MAX));
}

TEST(Histogram, AgreesWithASortedListToWithinAStep) {
  std::mt19937_64 random(7);
  for (const double spread : {3.0, 9.0, 15.0, 21.0}) {
    const auto histogram = std::make_unique<Histogram>();
    std::vector<std::uint64_t> values;
    std::lognormal_distribution<double> times(spread, 1.5);
    for (int i = 0; i < 20'000; ++i) {
      values.push_back(static_cast<std::uint64_t>(times(random)));
      histogram->record(static_cast<std::int64_t>(values.back()));
    }
    std::ranges::sort(values);
    for (const double fraction : {0.0, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
      const std::uint64_t exact = values[static_cast<std::size_t>(fraction * 20'000)];
      const std::uint64_t found = histogram->at(fraction);
      EXPECT_GE(found, exact) << fraction << " of e^" << spread;
      EXPECT_LE(found, exact + exact / 128) << fraction << " of e^" << spread;
    }
    EXPECT_EQ(histogram->max(), values.back());
  }
}

TEST(Histogram, MergesWhatOthersHaveCounted) {
  const auto one = std::make_unique<Histogram>();
  const auto other = std::make_unique<Histogram>();
  for (int i = 0; i < 50; ++i) one->record(10);
  for (int i = 0; i < 50; ++i) other->record(1000 + i);
  one->merge(*other);
  EXPECT_EQ(one->count(), 100u);
  EXPECT_EQ(one->at(0.25), 10u);
  EXPECT_GE(one->at(0.75), 1000u);
  EXPECT_EQ(one->max(), 1049u);
}

}  // namespace
}  // namespace leat::bench
