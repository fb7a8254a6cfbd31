#include "tools/leat/event_printer.h"

#include <gtest/gtest.h>

#include <vector>

#include "record/headers.h"

#include <string>
#include <string_view>

namespace leat::tool {
namespace {

std::string escaped(std::string_view text, EscapeOptions options = {}) {
  std::string out;
  append_escaped(out, text, options);
  return out;
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string base64(std::string_view bytes) {
  std::string out;
  append_base64(out, bytes);
  return out;
}

std::int64_t time_of(std::string_view text) {
  const auto time = parse_time(text);
  return time ? *time : -1;
}

std::string iso_time(std::int64_t ns) {
  std::string out;
  append_iso_time(out, ns);
  return out;
}

EventView example() {
  return {.sequence = 7,
          .timestamp_ns = 1'700'000'000'123'456'789,
          .producer_sequence = 3,
          .producer_id = 2,
          .topic = "session.created",
          .key = "s1",
          .message_id = "m1",
          .payload = "hello world",
          .cursor = {.epoch = 0x00c0ffee00c0ffee, .sequence = 7}};
}

std::string printed(const EventView& event, PrinterOptions options) {
  std::string out;
  EventPrinter(options).append(out, event);
  return out;
}

TEST(Utf8, AcceptsWellFormedCharactersOnly) {
  for (const std::string_view good : {"", "a", "\xc2\xa0", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const std::string_view bad : {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                                     "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xc3(", "\xff"}) {
    EXPECT_FALSE(is_utf8(bad)) << base64(bad);
  }
}

TEST(AppendEscaped, KeepsOneLineAndIsUnambiguous) {
  EXPECT_EQ(escaped("plain text"), "plain text");
  EXPECT_EQ(escaped("a\nb\rc\td\\e"), "a\\nb\\rc\\td\\\\e");
  EXPECT_EQ(escaped(std::string_view("\0x", 2)), "\\x00x");
  EXPECT_EQ(escaped("a\\b", {.keep_backslash = true}), "a\\b");
  EXPECT_EQ(escaped("two words", {.escape_space = true}), "two\\x20words");
}

TEST(AppendEscaped, LetsNothingThroughThatATerminalActsUpon) {
  EXPECT_EQ(escaped("\033[31mred"), "\\x1b[31mred");
  EXPECT_EQ(escaped("\x7f"), "\\x7f");
  EXPECT_EQ(escaped("\xc2\x9b"
                    "31m"),
            "\\xc2\\x9b31m")
      << "CSI as U+009B";
  EXPECT_EQ(escaped("\x9b"
                    "31m"),
            "\\x9b31m")
      << "CSI as a bare byte";
  EXPECT_EQ(escaped("\xe2\x80\xae"), "\\xe2\\x80\\xae") << "right-to-left override";
  EXPECT_EQ(escaped("\xe2\x80\xa8"), "\\xe2\\x80\\xa8") << "line separator";
}

TEST(AppendEscaped, NeverEmitsAControlByteWhateverTheInput) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const char bytes[] = {static_cast<char>(first), static_cast<char>(second)};
      const std::string out = escaped({bytes, 2});
      EXPECT_TRUE(is_utf8(out));
      for (std::size_t i = 0; i < out.size(); ++i) {
        const auto byte = static_cast<unsigned char>(out[i]);
        const bool c1 = byte == 0xc2 && static_cast<unsigned char>(out[i + 1]) < 0xa0;
        EXPECT_TRUE(byte >= 0x20 && byte != 0x7f && !c1) << first << ' ' << second;
      }
    }
  }
}

TEST(AppendEscaped, KeepsOtherCharactersUnlessAsciiOnly) {
  EXPECT_EQ(escaped("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(escaped("\xc3\xbc", {.ascii_only = true}), "\\xc3\\xbc");
}

TEST(AppendJsonString, EscapesAsJsonDoes) {
  EXPECT_EQ(json_string("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(json_string("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(json_string(std::string_view("\0\033\x7f", 3)), R"("\u0000\u001b\u007f")");
  EXPECT_EQ(json_string("\xc2\x9b"), R"("\u009b")");
  EXPECT_EQ(json_string("\xe2\x80\xa8"), R"("\u2028")");
  EXPECT_EQ(json_string("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"");
}

TEST(Base64, EncodesTheVectorsOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Base64, DecodesWhatItEncodes) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(decode_base64(base64(bytes)), bytes);
    bytes += static_cast<char>(i * 37);
  }
}

TEST(Base64, RefusesWhatIsNotCanonical) {
  for (const std::string_view bad : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm9v=", "====", "Zg==Zg==", "Zm 9v", "Zm-_"}) {
    EXPECT_FALSE(decode_base64(bad).has_value()) << bad;
  }
}

TEST(IsoTime, PrintsUtcWithMicroseconds) {
  EXPECT_EQ(iso_time(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(iso_time(1'700'000'000'123'456'789), "2023-11-14T22:13:20.123456Z");
  EXPECT_EQ(iso_time(1'709'164'799'999'999'999), "2024-02-28T23:59:59.999999Z");
  EXPECT_EQ(iso_time(-1), "1969-12-31T23:59:59.999999Z");
}

TEST(IsoTime, ReadsWhatItPrints) {
  EXPECT_EQ(time_of("2023-11-14T22:13:20.123456Z"), 1'700'000'000'123'456'000);
  EXPECT_EQ(time_of("2023-11-14T22:13:20.123456789"), 1'700'000'000'123'456'789);
  EXPECT_EQ(time_of("2023-11-14 22:13"), 1'699'999'980'000'000'000);
  EXPECT_EQ(time_of("2023-11-14"), 1'699'920'000'000'000'000);
  EXPECT_EQ(time_of("2023-11-15T00:13:20+02:00"), 1'700'000'000'000'000'000);
  EXPECT_EQ(time_of("2023-11-14T17:13:20-0500"), 1'700'000'000'000'000'000);
}

TEST(IsoTime, RefusesWhatIsNoTime) {
  for (const std::string_view bad :
       {"", "2023", "2023-13-01", "2023-02-29", "2023-11-14T", "2023-11-14T24:00", "2023-11-14T22:13:20.",
        "2023-11-14T22:13:20Zx", "2023-11-14T22:13+1", "1969-12-31"}) {
    EXPECT_FALSE(parse_time(bad).ok()) << bad;
  }
}

TEST(ParseDecimal, TakesDigitsOnly) {
  EXPECT_EQ(parse_decimal("0"), 0U);
  EXPECT_EQ(parse_decimal("18446744073709551615"), UINT64_MAX);
  for (const std::string_view bad : {"", "-1", "+1", " 1", "1 ", "1x", "18446744073709551616"}) {
    EXPECT_FALSE(parse_decimal(bad).has_value()) << bad;
  }
}

TEST(EventPrinter, PrintsTextAsFiveFields) {
  EXPECT_EQ(printed(example(), {}), "7 2023-11-14T22:13:20.123456Z session.created s1 hello world\n");
}

TEST(EventPrinter, MarksTheMissingKeyAndKeepsKeysOneWord) {
  EventView event = example();
  event.key = "";
  EXPECT_EQ(printed(event, {}), "7 2023-11-14T22:13:20.123456Z session.created - hello world\n");
  event.key = "-";
  EXPECT_EQ(printed(event, {}), "7 2023-11-14T22:13:20.123456Z session.created \\x2d hello world\n");
  event.key = "a b";
  EXPECT_EQ(printed(event, {}), "7 2023-11-14T22:13:20.123456Z session.created a\\x20b hello world\n");
}

TEST(EventPrinter, ColoursOnlyWhenTold) {
  EXPECT_EQ(printed(example(), {}).find('\033'), std::string::npos);
  const std::string coloured = printed(example(), {.colour = true});
  EXPECT_NE(coloured.find("\033[36msession.created\033[0m"), std::string::npos);
  EXPECT_TRUE(coloured.ends_with(" hello world\n"));
}

TEST(EventPrinter, PrintsJsonOneObjectALine) {
  EXPECT_EQ(printed(example(), {.format = Format::json}),
            "{\"sequence\":7,\"cursor\":\"00c0ffee00c0ffee-7\",\"epoch\":\"00c0ffee00c0ffee\","
            "\"timestamp_ns\":\"1700000000123456789\",\"time\":\"2023-11-14T22:13:20.123456789Z\","
            "\"producer_id\":2,\"producer_sequence\":3,"
            "\"topic\":\"session.created\",\"key\":\"s1\",\"message_id\":\"m1\",\"payload\":\"hello world\"}\n");
}

std::string encoded(const std::vector<Header>& headers) {
  std::string bytes(internal::headers_units(headers) * internal::kHeadersUnit, '\0');
  internal::encode_headers(reinterpret_cast<std::byte*>(bytes.data()), headers);
  return bytes;
}

TEST(EventPrinter, PrintsHeadersAndTombstones) {
  const std::string bytes = encoded({{.name = "type", .value = "a b\n"}, {.name = "bin", .value = "\xff\xfe"}});
  EventView event = example();
  event.headers = HeaderList(bytes);
  EXPECT_NE(printed(event, {.format = Format::json})
                .find(R"(,"headers":{"type":"a b\n","bin":{"base64":"//4="}},"payload":)"),
            std::string::npos)
      << printed(event, {.format = Format::json});
  EXPECT_TRUE(printed(event, {}).ends_with(" s1 {type=a\\x20b\\n bin=\\xff\\xfe} hello world\n")) << printed(event, {});
  EXPECT_EQ(printed(event, {.format = Format::raw}), "hello world\n");
  event = example();
  event.payload = {};
  event.tombstone = true;
  EXPECT_TRUE(printed(event, {.format = Format::json}).ends_with(",\"tombstone\":true,\"payload\":\"\"}\n"));
  EXPECT_TRUE(printed(event, {}).ends_with(" s1 (deleted)\n")) << printed(event, {});
}

TEST(EventPrinter, PrintsBytesThatAreNotUtf8AsBase64) {
  EventView event = example();
  event.payload = "\xff\xfe";
  event.key = "\x80";
  const std::string line = printed(event, {.format = Format::json});
  EXPECT_NE(line.find(",\"key_base64\":\"gA==\","), std::string::npos) << line;
  EXPECT_TRUE(line.ends_with(",\"payload_base64\":\"//4=\"}\n")) << line;
}

TEST(EventPrinter, PrintsRawPayloadsAsTheyAre) {
  EventView event = example();
  event.payload = std::string_view("a\0\033b", 4);
  EXPECT_EQ(printed(event, {.format = Format::raw}), std::string("a\0\033b\n", 5));
}

TEST(EventPrinter, PrintsAResetInJsonOnly) {
  const Reset reset{.reason = Reset::Reason::expired,
                    .wanted_sequence = 3,
                    .earliest_sequence = 10,
                    .latest_sequence = 20,
                    .resume = {.epoch = 1, .sequence = 9}};
  std::string out;
  EXPECT_FALSE(EventPrinter({}).append(out, reset));
  EXPECT_FALSE(EventPrinter({.format = Format::raw}).append(out, reset));
  EXPECT_EQ(out, "");
  EXPECT_TRUE(EventPrinter({.format = Format::json}).append(out, reset));
  EXPECT_EQ(out,
            "{\"reset\":{\"reason\":\"expired\",\"wanted_sequence\":3,\"earliest_sequence\":10,"
            "\"latest_sequence\":20,\"resume\":\"0000000000000001-9\"}}\n");
}

}  // namespace
}  // namespace leat::tool
