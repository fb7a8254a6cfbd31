#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <string>

#include "tools/leat/options.h"
#include "text/text_encoding.h"

namespace leat::tool {
namespace {

constexpr std::int64_t kThen = 1'785'587'696'123'456'789;  // 2026-08-01T12:34:56.123456789Z

std::int64_t time_of(std::string_view text) {
  const auto time = parse_time(text);
  return time ? *time : -1;
}
std::string complaint_about(std::string_view text) {
  const auto time = parse_time(text);
  return time ? "taken as " + std::to_string(*time) : time.error().message;
}

TEST(Time, TakesWhatDatePrints) {
  EXPECT_EQ(time_of("2026-08-01T12:34:56,123456789+00:00"), kThen);  // date -Ins
  EXPECT_EQ(time_of("2026-08-01T14:34:56,123456789+02:00"), kThen);
  EXPECT_EQ(time_of("2026-08-01T12:34:56+00:00"), kThen / 1'000'000'000 * 1'000'000'000);  // date -Iseconds
  EXPECT_EQ(time_of("2026-08-01T12:34+00:00"), 1'785'587'640'000'000'000);                 // date -Iminutes
  EXPECT_EQ(time_of("2026-08-01"), 1'785'542'400'000'000'000);                             // date -I
  EXPECT_EQ(time_of("2026-08-01 12:34:56.123456789+00:00"), kThen);                        // date --rfc-3339=ns
  EXPECT_EQ(time_of("2026-08-01 07:04:56.123456789 -0530"), kThen);                        // date +'%F %T.%N %z'
  EXPECT_EQ(time_of("1785587696.123456789"), kThen);                                       // date +%s.%N
  EXPECT_EQ(time_of("@1785587696.123456789"), kThen);
  EXPECT_EQ(time_of("@1785587696"), 1'785'587'696'000'000'000);
  EXPECT_EQ(time_of("1785587696123456789"), kThen);  // date +%s%N
}

TEST(Time, TakesRfc3339InAllItsForms) {
  EXPECT_EQ(time_of("2026-08-01t12:34:56.123456789z"), kThen);
  EXPECT_EQ(time_of("2026-08-01T12:34:56.123456789-00:00"), kThen);
  EXPECT_EQ(time_of("2026-08-02T11:34:56.123456789+23:00"), kThen);
  EXPECT_EQ(time_of("2026-08-01T14:34:56.123456789+02"), kThen);
  EXPECT_EQ(time_of("2026-08-01T12:34:56.1Z"), 1'785'587'696'100'000'000);
  EXPECT_EQ(time_of("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(time_of("2261-12-31T23:59:59Z"), 9'214'646'399'000'000'000);
}

TEST(Time, SaysWhichPartIsWrong) {
  EXPECT_NE(complaint_about("1785587696").find("write seconds as @1785587696"), std::string::npos);  // date +%s
  EXPECT_NE(complaint_about("1785587696123").find("nanoseconds"), std::string::npos);                // milliseconds
  EXPECT_EQ(complaint_about("2016-12-31T23:59:60Z").substr(0, 12), "leap seconds");
  EXPECT_EQ(complaint_about("1969-12-31"), "it lies outside of 1970 to 2261");
  EXPECT_EQ(complaint_about("1970-01-01T00:00+02:00"), "it lies outside of 1970 to 2261");
  EXPECT_EQ(complaint_about("2262-01-01"), "it lies outside of 1970 to 2261");
  EXPECT_EQ(complaint_about("9999-12-31"), "it lies outside of 1970 to 2261");
  EXPECT_EQ(complaint_about("2026-13-01"), "the month is not 01 to 12");
  EXPECT_EQ(complaint_about("2026-02-30"), "that month has no such day");
  EXPECT_EQ(complaint_about("2026-08-01T24:00"), "the hour is not 00 to 23");
  EXPECT_EQ(complaint_about("2026-08-01T12:34:56.1234567890"), "more digits than nanoseconds have");
  EXPECT_EQ(complaint_about("2026-08-01T12:34:56.Z"), "no digit behind the point");
  EXPECT_EQ(complaint_about("2026-08-01T12:34:56 CEST"), "the offset from UTC is not Z, +hh:mm, +hhmm or +hh");
  EXPECT_EQ(complaint_about("Sat Aug  1 12:34:56 UTC 2026"), "a date is written 2026-08-01");  // date
  EXPECT_EQ(complaint_about("01/08/2026"), "a date is written 2026-08-01");
  EXPECT_EQ(complaint_about(""), "a date is written 2026-08-01");
  for (const std::string_view text : {"now", "-1", "@", "@-1", "@1e9", "@9223372037", "@99999999999999999999", "1.2.3",
                                      ".", "@.", "2026-8-1", "+2026-08-01", "2026-08-01T12:34:56.5 ", " 2026-08-01",
                                      "2026-08-01T12:34:56+02:0", "2026-08-01T12:34:56ZZ", "99999999999999999999"}) {
    EXPECT_FALSE(parse_time(text).ok()) << text;
  }
}

/// The time zone of this process, for a while: an hour east of UTC, two in summer, as in Berlin.
class BerlinTime {
 public:
  BerlinTime() { set("CET-1CEST,M3.5.0,M10.5.0/3"); }
  BerlinTime(const BerlinTime&) = delete;
  BerlinTime& operator=(const BerlinTime&) = delete;
  ~BerlinTime() { set("UTC0"); }

 private:
  static void set(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
};

TEST(TypedTime, IsLocalWhereItSaysNoOffset) {
  const BerlinTime zone;
  const auto typed = [](std::string_view text) {
    const auto time = parse_typed_time(text, kThen);
    return time ? *time : -1;
  };
  const std::int64_t day = time_of("2026-08-01");
  const std::int64_t hour = 3'600'000'000'000;
  EXPECT_EQ(typed("2026-08-01T12:34:56.123456789Z"), kThen);
  EXPECT_EQ(typed("2026-08-01T14:34:56.123456789"), kThen) << "two hours east in summer";
  EXPECT_EQ(typed("2026-08-01 14:34:56,123456789"), kThen);
  EXPECT_EQ(typed("2026-08-01T10:00+01:00"), day + 9 * hour);
  EXPECT_EQ(typed("2026-01-01T12:00"), time_of("2026-01-01T11:00"));
  EXPECT_EQ(typed("2026-08-01"), day - 2 * hour);
  EXPECT_EQ(typed("2026-03-29T03:30"), time_of("2026-03-29T01:30")) << "the hour before is not there";
  EXPECT_EQ(typed("10:30"), day + 8 * hour + hour / 2);
  EXPECT_EQ(typed("10:30Z"), day + 10 * hour + hour / 2);
  EXPECT_EQ(typed("10:30:15.5+01:00"), day + 9 * hour + hour / 2 + 15'500'000'000);
  EXPECT_EQ(typed("@1785587696"), kThen / 1'000'000'000 * 1'000'000'000);
  EXPECT_EQ(typed("1785587696123456789"), kThen);
  EXPECT_EQ(typed("1785587696.5"), 1'785'587'696'500'000'000);
}

TEST(TypedTime, OfTodayIsOfTheDayThatItIsThere) {
  const BerlinTime zone;
  const std::int64_t late = time_of("2026-08-01T23:00Z");  // 01:00 of the next day there
  EXPECT_EQ(parse_typed_time("01:30", late).value(), time_of("2026-08-01T23:30Z"));
  EXPECT_EQ(parse_typed_time("01:30Z", late).value(), time_of("2026-08-01T01:30Z"));
}

TEST(TypedTime, MayBeSoLongAgo) {
  const std::int64_t second = 1'000'000'000;
  EXPECT_EQ(parse_typed_time("now", kThen).value(), kThen);
  EXPECT_EQ(parse_typed_time("-90", kThen).value(), kThen - 90 * second);
  EXPECT_EQ(parse_typed_time("-5m", kThen).value(), kThen - 300 * second);
  EXPECT_EQ(parse_typed_time("-1.5h", kThen).value(), kThen - 5400 * second);
  EXPECT_EQ(parse_typed_time("-7d", kThen).value(), kThen - 7 * 86400 * second);
  EXPECT_EQ(parse_typed_time("-250ms", kThen).value(), kThen - second / 4);
  for (const std::string_view text : {"-", "--5m", "-5x", "-5 m", "-100000d", "-999999999999999999999d", "5m", "ten",
                                      "1:30", "25:00", "10:60", "10:30x", "10:30+25:00", "", "nows"}) {
    EXPECT_FALSE(parse_typed_time(text, kThen).ok()) << text;
  }
}

TEST(TypedTime, OrASequenceOrTheHeadIsAnEnd) {
  EXPECT_TRUE(parse_until("head", kThen).value().head);
  EXPECT_EQ(parse_until("17", kThen).value().sequence, 17U);
  EXPECT_EQ(parse_until("1785587696123456789", kThen).value().time_ns, kThen);
  EXPECT_EQ(parse_until("-5m", kThen).value().time_ns, kThen - 300'000'000'000);
  for (const std::string_view text : {"0", "-x", "tail", "007:00"}) {
    const auto until = parse_until(text, kThen);
    ASSERT_FALSE(until.ok()) << text;
    EXPECT_TRUE(until.error().message.starts_with("--until " + std::string(text) + ": ")) << until.error().message;
  }
}

TEST(Time, AStartNamesTheTextAndWhatIsWrongWithIt) {
  const auto start = parse_start("time:2026-02-30");
  ASSERT_FALSE(start.ok());
  EXPECT_TRUE(start.error().message.starts_with("--from time:2026-02-30: that month has no such day; write time:"))
      << start.error().message;
  EXPECT_TRUE(parse_start("time:2026-08-01T12:34:56,123456789+00:00").ok());
}

}  // namespace
}  // namespace leat::tool
