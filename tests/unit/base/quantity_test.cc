#include "base/quantity.h"

#include <gtest/gtest.h>

#include <string>

namespace leat::internal {
namespace {

using Rule = QuantityRule;

constexpr std::uint64_t kRefused = UINT64_MAX - 7;  // a value that no test below takes

std::uint64_t taken(std::string_view text, const Rule& rule) {
  const auto value = parse_quantity("--x", text, rule);
  return value ? *value : kRefused;
}

std::string said(std::string_view text, const Rule& rule) {
  const auto value = parse_quantity("--x", text, rule);
  return value ? "taken as " + std::to_string(*value) : value.error().message;
}

constexpr Rule kAnyCount = Rule::count(0, UINT64_MAX);
constexpr Rule kAnyBytes = Rule::bytes(0, UINT64_MAX);
constexpr Rule kAnyTime = Rule::seconds(0, UINT64_MAX);

TEST(Quantity, TakesDecimalDigitsForWhatTheySay) {
  EXPECT_EQ(taken("0", kAnyCount), 0U);
  EXPECT_EQ(taken("4096", kAnyCount), 4096U);
  EXPECT_EQ(taken("050", kAnyCount), 50U);
  EXPECT_EQ(taken("000000000000000000000000000000000000000000000000000007", kAnyCount), 7U);
  EXPECT_EQ(taken("9223372036854775808", kAnyCount), 1ULL << 63);
  EXPECT_EQ(taken("18446744073709551615", kAnyCount), UINT64_MAX);
}

TEST(Quantity, RefusesWhatIsNoDecimalNumber) {
  for (const std::string_view text :
       {"",     " ",        "-1",           "-0",         "+5",        " 5",       "5 ",   "\t5",   "5\n",   "0x10",
        "1e3",  "1E3",      "1e",           "nan",        "inf",       "infinity", "1,5",  "1_000", "1'000", "5.",
        ".",    "..5",      "1.2.3",        "five",       "0b11",      "0o17",     "true", "{}",    "[1]",   "--5",
        "5-",   "\xd9\xa3", "\xef\xbc\x95", "5\xc2\xb5s", "unlimited", "no",       "K",    "s",     "1KK",   "1Kbit",
        "1M B", "5x"}) {
    for (const Rule& rule : {kAnyCount, kAnyBytes, kAnyTime, Rule::slots(0, UINT64_MAX)}) {
      EXPECT_EQ(taken(text, rule), kRefused) << text;
    }
  }
  const std::string_view with_nul("5\0", 2);
  EXPECT_EQ(taken(with_nul, kAnyCount), kRefused);
}

TEST(Quantity, TakesUnitsOnlyOfItsKind) {
  EXPECT_EQ(taken("64K", kAnyBytes), 65536U);
  EXPECT_EQ(taken("64k", kAnyBytes), 65536U);
  EXPECT_EQ(taken("64KB", kAnyBytes), 65536U);
  EXPECT_EQ(taken("64KiB", kAnyBytes), 65536U);
  EXPECT_EQ(taken("64B", kAnyBytes), 64U);
  EXPECT_EQ(taken("2T", kAnyBytes), 2ULL << 40);
  EXPECT_EQ(taken("1P", kAnyBytes), 1ULL << 50);
  EXPECT_EQ(taken("4K", Rule::slots(0, 10000)), 4096U);
  EXPECT_EQ(taken("4K", kAnyCount), kRefused);
  EXPECT_EQ(taken("4s", kAnyBytes), kRefused);
  EXPECT_EQ(taken("4K", kAnyTime), kRefused);
  EXPECT_EQ(taken("4M", kAnyTime), kRefused);  // neither minutes nor mega-
  EXPECT_EQ(taken("20us", kAnyTime), 20'000U);
  EXPECT_EQ(taken("250ms", kAnyTime), 250'000'000U);
  EXPECT_EQ(taken("90s", kAnyTime), 90 * kSecond);
  EXPECT_EQ(taken("15m", kAnyTime), 900 * kSecond);
  EXPECT_EQ(taken("15min", kAnyTime), 900 * kSecond);
  EXPECT_EQ(taken("36h", kAnyTime), 36 * 3600 * kSecond);
  EXPECT_EQ(taken("7d", kAnyTime), 7 * kDay);
  EXPECT_EQ(taken("1w", kAnyTime), 7 * kDay);
  EXPECT_EQ(taken("5ns", kAnyTime), 5U);
}

TEST(Quantity, TakesFractionsThatComeOutExactly) {
  EXPECT_EQ(taken("1.5G", kAnyBytes), 3ULL << 29);
  EXPECT_EQ(taken("0.5K", kAnyBytes), 512U);
  EXPECT_EQ(taken("1.50", kAnyTime), 1'500'000'000U);
  EXPECT_EQ(taken(".5", kAnyTime), 500'000'000U);
  EXPECT_EQ(taken("0.000000001", kAnyTime), 1U);
  EXPECT_EQ(taken("5.000000000000000000000000000000", kAnyCount), 5U);
  EXPECT_EQ(taken("0.1K", kAnyBytes), kRefused);  // 102.4 bytes
  EXPECT_EQ(taken("1.5", kAnyBytes), kRefused);
  EXPECT_EQ(taken("1.5", kAnyCount), kRefused);
  EXPECT_EQ(taken("0.0000000001", kAnyTime), kRefused);  // a tenth of a nanosecond
  EXPECT_EQ(taken("0.3333333333333333333333K", kAnyBytes), kRefused);
}

TEST(Quantity, CountsInItsStepAndRefusesWhatLiesBetween) {
  const Rule retain = Rule::duration(kSecond, 0, 36'500 * 86'400ULL);
  EXPECT_EQ(taken("90", retain), 90U);
  EXPECT_EQ(taken("90s", retain), 90U);
  EXPECT_EQ(taken("15m", retain), 900U);
  EXPECT_EQ(taken("2000ms", retain), 2U);
  EXPECT_EQ(taken("1500ms", retain), kRefused);
  EXPECT_EQ(taken("36500d", retain), 36'500 * 86'400ULL);
  EXPECT_EQ(taken("36501d", retain), kRefused);
  const Rule spin = Rule::duration(kMicrosecond, 0, 1'000'000);
  EXPECT_EQ(taken("20", spin), 20U);
  EXPECT_EQ(taken("1ms", spin), 1000U);
  EXPECT_EQ(taken("1s", spin), 1'000'000U);
  EXPECT_EQ(taken("999ns", spin), kRefused);
}

TEST(Quantity, NeverWrapsAround) {
  EXPECT_EQ(taken("18446744073709551616", kAnyCount), kRefused);
  EXPECT_EQ(taken("99999999999999999999999999999", kAnyCount), kRefused);
  EXPECT_EQ(taken(std::string(1000, '9'), kAnyCount), kRefused);
  EXPECT_EQ(taken("16384P", kAnyBytes), kRefused);              // 2^64
  EXPECT_EQ(taken("18014398509481984K", kAnyBytes), kRefused);  // likewise
  EXPECT_EQ(taken("18446744073709551615P", kAnyBytes), kRefused);
  EXPECT_EQ(taken("18446744073709551616P", kAnyBytes), kRefused);
  EXPECT_EQ(taken("18446744074", kAnyTime), kRefused);  // beyond 2^64 nanoseconds
  EXPECT_EQ(taken("18446744073709551615w", kAnyTime), kRefused);
  EXPECT_EQ(taken("9223372037", Rule::duration(kSecond, 0, INT64_MAX / kSecond)), kRefused);
  EXPECT_EQ(taken("9223372036", Rule::duration(kSecond, 0, INT64_MAX / kSecond)), 9223372036U);
}

TEST(Quantity, ErrorsNameTheOptionTheTextAndTheBoundsInItsOwnUnit) {
  EXPECT_EQ(said("1T", Rule::bytes(65536, 4ULL << 30)),
            "--x: '1T' is too large; give 65536 to 4294967296 bytes (64K to 4G), bare or with K, M, G, T, P");
  EXPECT_EQ(said("-1", Rule::duration(kSecond, 0, 86'400).or_unlimited(0)),
            "--x: '-1' is negative; give 0 to 86400 seconds (0 to 1d), bare or with ns, us, ms, s, m, h, d, w; 0 or "
            "unlimited "
            "means no bound");
  EXPECT_EQ(
      said("0", Rule::seconds(kMillisecond, 365 * kDay)),
      "--x: '0' is too small; give 0.001 to 31536000 seconds (1ms to 365d), bare or with ns, us, ms, s, m, h, d, w");
  EXPECT_EQ(said("", Rule::count(1, 4096)), "--x: '' is empty; give 1 to 4096");
  EXPECT_EQ(said("4K", Rule::count(1, 4096)), "--x: '4K' is not a whole number; give 1 to 4096");
  EXPECT_EQ(said("1.5", Rule::bytes(1, 10)),
            "--x: '1.5' is not a whole number of bytes; give 1 to 10 bytes, bare or with K, M, G, T, P");
  EXPECT_EQ(said("x\x1b[31m\xff", Rule::count(0, kMostCount)),
            "--x: 'x\\x1b[31m\\xff' is not a number; give 0 to 10^18");
  EXPECT_LT(said(std::string(100'000, '9'), kAnyCount).size(), 200U);
}

TEST(Quantity, ForEverHasAWordWhereItMeansSomething) {
  EXPECT_EQ(taken("unlimited", Rule::bytes(0, kMostBytes).or_unlimited(0)), 0U);
  EXPECT_EQ(taken("unlimited", Rule::bytes(0, kMostBytes).or_unlimited(INT64_MAX)),
            static_cast<std::uint64_t>(INT64_MAX));
  EXPECT_EQ(taken("Unlimited ", Rule::bytes(0, kMostBytes).or_unlimited(0)), kRefused);
  EXPECT_EQ(bounds_text(Rule::bytes(0, kMostBytes).or_unlimited(0)), "0 to 1P or unlimited");
}

TEST(Quantity, WhatItShowsIsWhatItTakes) {
  const Rule rules[] = {kAnyCount,
                        kAnyBytes,
                        Rule::seconds(0, INT64_MAX),
                        Rule::duration(kSecond, 0, INT64_MAX / kSecond),
                        Rule::duration(kMicrosecond, 0, 1'000'000),
                        Rule::bytes(0, kMostBytes).or_unlimited(INT64_MAX)};
  for (const Rule& rule : rules) {
    for (std::uint64_t value = 1; value < rule.most / 3; value *= 3) {
      EXPECT_EQ(taken(quantity_text(value, rule), rule), value) << quantity_text(value, rule);
    }
    for (const std::uint64_t value : {std::uint64_t{0}, rule.least, rule.most, rule.unlimited.value_or(0)}) {
      EXPECT_EQ(taken(quantity_text(value, rule), rule), value) << quantity_text(value, rule);
    }
  }
  EXPECT_EQ(quantity_text(65536, kAnyBytes), "64K");
  EXPECT_EQ(quantity_text(65537, kAnyBytes), "65537");
  EXPECT_EQ(quantity_text(90, Rule::duration(kSecond, 0, 100)), "90s");
  EXPECT_EQ(quantity_text(120, Rule::duration(kSecond, 0, 200)), "2m");
  EXPECT_EQ(bounds_text(kAnyCount), "0 to 2^64-1");
}

}  // namespace
}  // namespace leat::internal
