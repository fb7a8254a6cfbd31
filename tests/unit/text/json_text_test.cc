#include "text/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "tools/leat/event_printer.h"
#include "text/ndjson.h"

namespace leat::tool {
namespace {

std::string payload_of(std::string_view line) {
  auto event = parse_ndjson(line);
  return event ? event->payload : "error: " + event.error().message;
}

// The case: a byte order mark made every payload that is no string empty.
TEST(JsonText, PassesOverAByteOrderMarkAndLosesNothing) {
  for (const std::string payload : {"{\"a\":1}", "[1,2]", "12", "null", "true", "\"text\""}) {
    const std::string line = "{\"topic\":\"a.b\",\"payload\":" + payload + "}";
    const std::string wanted = payload == "\"text\"" ? "text" : payload;
    EXPECT_EQ(payload_of(line), wanted);
    EXPECT_EQ(payload_of("\xef\xbb\xbf" + line), wanted);
    EXPECT_EQ(payload_of("\xef\xbb\xbf  " + line + " \r"), wanted);
  }
  EXPECT_FALSE(read_json_object("  \xef\xbb\xbf{}").ok());
  EXPECT_FALSE(read_json_object("\xef\xbb\xbf\xef\xbb\xbf{}").ok());
  EXPECT_FALSE(read_json_object("\xff\xfe{").ok());  // UTF-16's
}

TEST(JsonText, KeepsNumbersBeyondWhatAnyTypeHolds) {
  for (const std::string number : {"123456789012345678901234567890", "-9223372036854775809", "1e400", "-1e-400",
                                   "0.1000000000000000000001", "18446744073709551616", "-0", "0", "1E+2"}) {
    EXPECT_EQ(payload_of("{\"payload\": " + number + " }"), number);
  }
  for (const std::string number : {"01", "+1", "1.", ".5", "1e", "0x10", "NaN", "Infinity", "-", "--1", "1 2"}) {
    EXPECT_FALSE(parse_ndjson("{\"payload\":" + number + "}").ok()) << number;
  }
}

TEST(JsonText, SaysWhatIsWrongAndWhere) {
  const auto complaint = [](std::string_view line) {
    auto members = read_json_object(line);
    return members ? std::string("taken") : members.error().message;
  };
  EXPECT_EQ(complaint(R"({"a":1} x)"), "column 9: something stands behind the object; give one object a line");
  EXPECT_EQ(complaint(R"({"a":1}{"b":2})"), "column 8: something stands behind the object; give one object a line");
  EXPECT_EQ(complaint(std::string_view("{\"a\":1}\0", 8)),
            "column 8: something stands behind the object; give one object a line");
  EXPECT_EQ(complaint(R"({"a":"\ud800"})"),
            "column 7: half of a surrogate pair, which is no character; give such bytes as ..._base64");
  EXPECT_EQ(complaint(R"({"a":"\udc00\ud800"})"), complaint(R"({"a":"\ud800"})"));
  EXPECT_EQ(complaint("{\"a\":\"\t\"}"), "column 7: a control character in a string; write \\u00XX");
  EXPECT_EQ(complaint("{\"a\":\"\xff\"}"), "column 7: bytes that are not UTF-8; give them as ..._base64");
  EXPECT_EQ(complaint("{\"a\""), "column 5: ':' is missing");
  EXPECT_EQ(complaint("{\"a\":"), "column 6: the text ends where a value should be");
  EXPECT_EQ(complaint("{'a':1}"), "column 2: a string is missing");
  EXPECT_EQ(complaint("{\"a\":1,}"), "column 8: a string is missing");
  EXPECT_EQ(complaint("{\"a\":True}"), "column 6: neither a value nor a string in quotes");
  EXPECT_EQ(complaint("[1]"), "not an object");
  EXPECT_EQ(complaint("topic: a"), "column 1: neither a value nor a string in quotes");
  for (const std::string_view text : {"", "{", "}", "{\"", "{\"a\":\"\\", "{\"a\":\"\\u12", "{\"a\":tru", "{,}",
                                      "{\"a\" 1}", "{\"a\":[1,]}", "{\"a\":[1 2]}"}) {
    EXPECT_FALSE(read_json_object(text).ok()) << text;
  }
}

// Another parser is the judge: what it takes is taken, what it refuses is refused, and strings and structure are the
// same.
TEST(JsonText, AgreesWithAnotherParserOnRandomTexts) {
  std::mt19937 random(20261127);
  const std::string pieces[] = {"{",
                                "}",
                                "[",
                                "]",
                                ",",
                                ":",
                                "\"a\"",
                                "\"b\\n\"",
                                "\"\\u00e9\"",
                                "\"\\ud83d\\ude00\"",
                                "\"\xc3\xa9\"",
                                "1",
                                "-2.5e-3",
                                "0",
                                "true",
                                "false",
                                "null",
                                " ",
                                "\t",
                                "\"",
                                "\\",
                                "01",
                                "x"};
  int taken = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text = random() % 2 == 0 ? "{\"a\":" : "{\"k\":[";
    for (std::size_t n = random() % 8; n > 0; --n) text += pieces[random() % std::size(pieces)];
    text += random() % 2 == 0 ? "}" : "]}";
    const auto judge = nlohmann::json::parse(text, nullptr, false);
    const auto members = read_json_object(text);
    ASSERT_EQ(members.ok(), judge.is_object()) << text << (members ? "" : ": " + members.error().message);
    if (!members) continue;
    ++taken;
    for (const JsonMember& member : *members) {
      const auto value = nlohmann::json::parse(member.text);
      if (members->size() == 1) {
        EXPECT_EQ(value, judge.at(member.name)) << text;
      }
      if (member.kind == JsonKind::string) {
        EXPECT_EQ(value.get<std::string>(), member.bytes) << text;
      }
    }
  }
  EXPECT_GT(taken, 5000);
}

TEST(JsonText, AResetOfTailIsNoEvent) {
  std::string line;
  append_json(line, Reset{});
  const auto event = parse_ndjson(line);
  ASSERT_TRUE(event.ok()) << event.error().message;
  EXPECT_TRUE(event->is_reset);
}

// tail --format json | pub --ndjson: equal events, whatever their bytes.
TEST(JsonText, WhatTailPrintsIsReadBackByteForByte) {
  std::mt19937 random(42);
  const auto bytes = [&](std::size_t most) {
    std::string out;
    const auto style = random() % 4;
    for (std::size_t n = random() % most; n > 0; --n) {
      out += style == 0   ? static_cast<char>(random())
             : style == 1 ? static_cast<char>(random() % 128)
                          : "{}[]\":,\\/u0019 \n\r\t"[random() % 19];
      if (style == 3) out += "\xe2\x80\xa8";
    }
    return out;
  };
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = bytes(30);
    const std::string message_id = bytes(30);
    const std::string payload = i % 5 == 0 ? "{\"b\": [1, 2.50, \"\\u2028\", \"\xe2\x80\xae\"]}" : bytes(200);
    EventView event{};
    event.topic = "a.\"b\"";
    event.key = key;
    event.message_id = message_id;
    event.payload = payload;
    for (const PayloadStyle style : {PayloadStyle::text, PayloadStyle::json}) {
      std::string line;
      append_json(line, event, style);
      EXPECT_EQ(line.find('\n'), std::string::npos);
      const auto again = parse_ndjson(line);
      ASSERT_TRUE(again.ok()) << line << ": " << again.error().message;
      EXPECT_EQ(again->topic, event.topic);
      EXPECT_EQ(again->key, key);
      EXPECT_EQ(again->message_id, message_id);
      if (style == PayloadStyle::text) {
        EXPECT_EQ(again->payload, payload);
      } else if (again->payload != payload) {  // blanks and the spelling of characters aside it is the same JSON
        EXPECT_EQ(nlohmann::json::parse(again->payload), nlohmann::json::parse(payload));
      }
    }
  }
}

}  // namespace
}  // namespace leat::tool
