#include "text/ndjson.h"

#include <gtest/gtest.h>

#include <string>

namespace leat::tool {
namespace {

std::string payload_of(std::string_view line) {
  auto event = parse_ndjson(line);
  return event ? event->payload : "error: " + event.error().message;
}

TEST(Ndjson, TakesEveryField) {
  auto event = parse_ndjson(R"({"topic":"a.b","key":"k","message_id":"m","payload":"p","durable":false})");
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->topic, "a.b");
  EXPECT_EQ(event->key, "k");
  EXPECT_EQ(event->message_id, "m");
  EXPECT_EQ(event->payload, "p");
  EXPECT_FALSE(event->durable);
}

TEST(Ndjson, LeavesAbsentFieldsEmptyAndDurable) {
  auto event = parse_ndjson("{}");
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->topic + event->key + event->message_id + event->payload, "");
  EXPECT_TRUE(event->durable);
}

TEST(Ndjson, KeepsTheDigitsAndTheOrderOfAJsonPayload) {
  EXPECT_EQ(payload_of(R"( { "payload" : { "z" : 1.10, "a" : [ 12345678901234567890123 , null ] } , "topic":"t" } )"),
            R"({"z":1.10,"a":[12345678901234567890123,null]})");
  EXPECT_EQ(payload_of(R"({"payload":{"a":1,"a":2}})"), R"({"a":1,"a":2})");
  EXPECT_EQ(payload_of(R"({"payload": -0.0e1 })"), "-0.0e1");
  EXPECT_EQ(payload_of(R"({"payload":null})"), "null");
  EXPECT_EQ(payload_of(R"({"payload":["a \" } , ] b", "\\"]})"), R"(["a \" } , ] b","\\"])");
}

TEST(Ndjson, FindsThePayloadOfTheOutermostObjectOnly) {
  EXPECT_EQ(payload_of(R"({"key":"payload\":1","payload":{"payload":{"payload":2}}})"), R"({"payload":{"payload":2}})");
  EXPECT_EQ(payload_of(R"({"pay\u006coad":[1]})"), "[1]");
}

TEST(Ndjson, TakesStringPayloadsAsBytes) {
  EXPECT_EQ(payload_of(R"({"payload":"a\u0000\n\u00fc"})"), std::string("a\0\n\xc3\xbc", 5));
  EXPECT_EQ(payload_of(R"({"payload_base64":"//4A"})"), std::string("\xff\xfe\0", 3));
}

TEST(Ndjson, LetsThroughWhatTailPrints) {
  EXPECT_EQ(payload_of(R"({"sequence":1,"cursor":"00-1","epoch":"00","timestamp_ns":1,"producer_id":1,)"
                       R"("producer_sequence":1,"topic":"t","key":"","message_id":"","payload":"x"})"),
            "x");
}

TEST(Ndjson, TakesHeadersAndTombstones) {
  auto event = parse_ndjson(
      R"({"topic":"t","key":"k","headers":{"a":"1","b":{"base64":"//4A"},"c":""},"tombstone":true,"payload":""})");
  ASSERT_TRUE(event.ok()) << event.error().message;
  EXPECT_TRUE(event->tombstone);
  const std::vector<std::pair<std::string, std::string>> wanted = {{"a", "1"},
                                                                   {"b", std::string("\xff\xfe\0", 3)},
                                                                   {"c", ""}};
  EXPECT_EQ(event->headers, wanted);
  EXPECT_TRUE(parse_ndjson(R"({"headers":{}})")->headers.empty());
  EXPECT_FALSE(parse_ndjson("{}")->tombstone);
}

TEST(Ndjson, SaysWhatIsWrong) {
  const auto complaint = [](std::string_view line) {
    auto event = parse_ndjson(line);
    return event ? std::string("no complaint") : event.error().message;
  };
  EXPECT_EQ(complaint(R"({"topic":"a","topic":"b"})"), "field 'topic' appears twice");
  EXPECT_TRUE(complaint(R"({"topc":"a"})").starts_with("unknown field 'topc'"));
  EXPECT_TRUE(complaint(R"({"reset":1})").starts_with("unknown field 'reset'"));
  EXPECT_TRUE(complaint(R"({"reset":{},"topic":"a"})").starts_with("unknown field 'reset'"));
  EXPECT_EQ(complaint(R"({"topic":1})"), "topic is not a string");
  EXPECT_EQ(complaint(R"({"key":1})"), "key is not a string");
  EXPECT_EQ(complaint(R"({"durable":1})"), "durable is neither true nor false");
  EXPECT_EQ(complaint(R"({"tombstone":"yes"})"), "tombstone is neither true nor false");
  EXPECT_EQ(complaint(R"({"headers":["a"]})"), "headers is not an object");
  for (const char* const value :
       {"1", "null", "{}", R"({"base64":1})", R"({"base64":"?"})", R"({"base64":"YQ==","x":1})"}) {
    EXPECT_TRUE(complaint(std::string(R"({"headers":{"a":)") + value + "}}")
                    .starts_with("header 'a' is neither a string nor an object with base64"))
        << value;
  }
  EXPECT_EQ(complaint(R"({"payload":"a","payload_base64":"YQ=="})"), "both payload and payload_base64; give one");
  EXPECT_TRUE(complaint(R"({"payload_base64":"a"})").starts_with("payload_base64 is not base64"));
  EXPECT_TRUE(complaint("[]").starts_with("not an object"));
  EXPECT_TRUE(complaint(R"({"topic":"a")").starts_with("not JSON: column "));
  EXPECT_TRUE(complaint("{\"topic\":\"\xff\"}").starts_with("not JSON: column "));
  EXPECT_NE(complaint(R"({"payload":)" + std::string(600, '[') + std::string(600, ']') + "}").find("nested deeper"),
            std::string::npos);
  EXPECT_NE(complaint(R"({"payload":)" + std::string(1'000'000, '[')).find("nested deeper"), std::string::npos);
  EXPECT_NE(complaint(R"({"topik":"a"})").find("did you mean topic?"), std::string::npos);
  EXPECT_NE(complaint(R"({"topic":"a"}{"topic":"b"})").find("one object a line"), std::string::npos);
}

}  // namespace
}  // namespace leat::tool
