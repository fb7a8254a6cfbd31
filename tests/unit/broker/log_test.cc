#include "broker/log.h"

#include <gtest/gtest.h>

#include <limits>
#include <optional>

#include "tests/unit/fixtures/log_capture.h"

namespace leat::broker::log {
namespace {

template <typename... Values>
std::string text_of(std::string_view format, const Values&... values) {
  const std::array<Value, sizeof...(Values)> packed{Value(values)...};
  return formatted(format, packed);
}

// What a format has to fit is proven where it is compiled; these are the proof's own rules.
static_assert(next_field("a {} b", 0).begin == 2 && next_field("a {} b", 0).end == 4);
static_assert(next_field("a {} b", 4).begin == std::string_view::npos);
static_assert(next_field("{:016x}", 0).base == 16 && next_field("{:016x}", 0).least_digits == 16);
static_assert(next_field("{:o}", 0).base == 8);
static_assert(next_field("{ {y} {:?} {:x", 0).begin == std::string_view::npos, "no fields, and nothing to fail");

TEST(LogLine, HoldsEachValueInItsField) {
  EXPECT_EQ(text_of("feed {} ({})", std::string("orders"), std::string_view("x")), "feed orders (x)");
  EXPECT_EQ(text_of("{}{}", "a", 'x' == 'y'), "afalse");
  EXPECT_EQ(text_of("{} {} {}", 0, -1, 42U), "0 -1 42");
  EXPECT_EQ(text_of("{} {}", std::numeric_limits<std::uint64_t>::max(), std::numeric_limits<std::int64_t>::min()),
            "18446744073709551615 -9223372036854775808");
  EXPECT_EQ(text_of("{:016x} {:o}", std::uint64_t{0xbeef}, 0755U), "000000000000beef 755");
  EXPECT_EQ(text_of("{}", "a value with {} in it"), "a value with {} in it");
  EXPECT_EQ(text_of("no field"), "no field");
}

TEST(LogLine, WithTooFewOrTooManyValuesIsALineStill) {
  EXPECT_EQ(text_of("{} and {}", 1), "1 and {}");
  EXPECT_EQ(text_of("none", 1), "none");
}

TEST(LogLine, BelowTheLevelIsLeftOut) {
  test::LogCapture log;
  debug("{}", 1);
  info("{} is {}", "one", 1);
  Log::set_level("error");
  warn("not this");
  error("but this");
  critical("and this");
  EXPECT_EQ(log.text(), "info: one is 1\nerror: but this\ncritical: and this\n");
}

}  // namespace
}  // namespace leat::broker::log
