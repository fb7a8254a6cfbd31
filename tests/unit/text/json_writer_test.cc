// The writer against the library that it stands in for: the same bytes.
#include "text/json_writer.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include <nlohmann/json.hpp>

namespace leat::tool {
namespace {

std::string library_text(const nlohmann::json& value, bool ascii) {
  return value.dump(-1, ' ', ascii, nlohmann::json::error_handler_t::replace);
}

TEST(JsonWriter, WritesStringsOfAnyBytesAsTheLibraryDoes) {
  std::mt19937_64 random(7);
  // Bytes that begin, go on and break characters, far more often than chance has them.
  const std::string likely =
      "a\"\\\b\f\n\r\t\x01\x1f\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xed\xef\xf0\xf1\xf4\xf5\xff";
  for (int round = 0; round < 100'000; ++round) {
    std::string text(random() % 9, ' ');
    for (char& byte : text) {
      byte = random() % 4 == 0 ? static_cast<char>(random() & 0xff) : likely[random() % likely.size()];
    }
    ASSERT_EQ(json_string(text).text, library_text(text, false)) << round;
    ASSERT_EQ(json_string(text, JsonStrings::ascii).text, library_text(text, true)) << round;
  }
}

TEST(JsonWriter, WritesIntegersExactly) {
  EXPECT_EQ(json_value(std::numeric_limits<std::uint64_t>::max()).text, "18446744073709551615");
  EXPECT_EQ(json_value(std::numeric_limits<std::int64_t>::min()).text, "-9223372036854775808");
  EXPECT_EQ(json_value(0).text, "0");
  EXPECT_EQ(json_value(-7).text, "-7");
  EXPECT_EQ(json_value(static_cast<std::uint8_t>(200)).text, "200") << "no letter";
}

TEST(JsonWriter, WritesDoublesAsTheLibraryDoes) {
  for (const double value : {0.0,
                             -0.0,
                             1.0,
                             -1.5,
                             0.1,
                             0.2,
                             1.0 / 3,
                             1e-4,
                             1e-5,
                             1.25e-5,
                             123456.789,
                             1e14,
                             1e15,
                             1e16,
                             123456789012345.0,
                             1234567890123456.0,
                             1e20,
                             1.5e300,
                             5e-324,
                             1.7976931348623157e308,
                             std::numeric_limits<double>::infinity(),
                             std::nan("")}) {
    EXPECT_EQ(json_value(value).text, library_text(value, false));
  }
  std::mt19937_64 random(7);
  for (int round = 0; round < 100'000; ++round) {
    const double quotient = static_cast<double>(random() % 10'000'000) / static_cast<double>(1 + random() % 10'000);
    ASSERT_EQ(nlohmann::json::parse(json_value(quotient).text).get<double>(), quotient);
    const auto any = std::bit_cast<double>(random());
    if (!std::isfinite(any)) continue;
    const std::string text = json_value(any).text;
    ASSERT_EQ(nlohmann::json::parse(text).get<double>(), any);
    ASSERT_LE(text.size(), library_text(any, false).size()) << "the library now and then has a digit too many";
  }
}

TEST(JsonWriter, KeepsTheOrderOfMembersOrSortsThemByName) {
  for (const JsonOrder order : {JsonOrder::as_added, JsonOrder::by_name}) {
    JsonArray numbers;
    numbers.add(1);
    numbers.add(2.5);
    JsonObject object(order);
    object.add("p99_ns", 1)
        .add("p99.9_ns", "x")
        .add("p99.99_ns", true)
        .add("a\n", std::optional<int>())
        .add("n", numbers);
    object.add("texts", std::vector<std::string>{"b", "a"}).add("none", JsonArray()).add("empty", JsonObject());
    const auto fill = [](auto json) {
      json["p99_ns"] = 1;
      json["p99.9_ns"] = "x";
      json["p99.99_ns"] = true;
      json["a\n"] = nullptr;
      json["n"] = {1, 2.5};
      json["texts"] = {"b", "a"};
      json["none"] = decltype(json)::array();
      json["empty"] = decltype(json)::object();
      return json.dump();
    };
    EXPECT_EQ(object.json().text,
              order == JsonOrder::by_name ? fill(nlohmann::json()) : fill(nlohmann::ordered_json()));
  }
}

}  // namespace
}  // namespace leat::tool
