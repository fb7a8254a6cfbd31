// Headers in a record: what goes in comes out, bounds are kept, and bytes of anybody are read safely.
#include "record/headers.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "record/record.h"

namespace leat::internal {
namespace {

std::string encoded(std::span<const Header> headers) {
  std::string bytes(headers_units(headers) * kHeadersUnit, '\xff');
  EXPECT_EQ(encode_headers(reinterpret_cast<std::byte*>(bytes.data()), headers), bytes.size());
  return bytes;
}

TEST(Headers, ComeOutAsTheyWentIn) {
  const std::string long_value(3000, '\0');
  const std::vector<std::vector<Header>> sets = {
      {{"a", ""}},
      {{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, {"content-type", "text/plain"}},
      {{std::string_view("~"), std::string_view("\0\xff\n", 3)}, {"b", long_value}, {"c", "="}},
  };
  for (const auto& headers : sets) {
    ASSERT_TRUE(headers_are_valid(std::span(headers)));
    const std::string bytes = encoded(headers);
    EXPECT_TRUE(headers_are_valid(std::string_view(bytes)));
    std::size_t i = 0;
    for (const Header& header : HeaderList(bytes)) {
      ASSERT_LT(i, headers.size());
      EXPECT_EQ(header.name, headers[i].name);
      EXPECT_EQ(header.value, headers[i].value);
      EXPECT_EQ(HeaderList(bytes).find(header.name), header.value);
      ++i;
    }
    EXPECT_EQ(i, headers.size());
  }
  EXPECT_TRUE(HeaderList().empty());
  EXPECT_EQ(HeaderList(encoded(sets[0])).find("A"), std::nullopt) << "names are compared byte for byte";
}

TEST(Headers, AreBoundedEachAndTogether) {
  const std::string name255(255, 'n');
  const std::string name256(256, 'n');
  const std::string value(kMaxHeadersBytes, 'v');
  std::vector<std::string> names;
  std::vector<Header> many;
  for (std::size_t i = 0; i <= kMaxHeaders; ++i) names.push_back("n" + std::to_string(i));
  for (const std::string& name : names) many.push_back({name, "v"});
  const std::pair<std::vector<Header>, bool> cases[] = {
      {{{name255, "v"}}, true},
      {{{name256, "v"}}, false},
      {{{"", "v"}}, false},
      {{{"a b", "v"}}, false},
      {{{"\x7f", "v"}}, false},
      {{{"\xc3\xa4", "v"}}, false},
      {{{"a", "1"}, {"a", "2"}}, false},
      {{{"a", "1"}, {"A", "2"}}, true},
      {{{"a", std::string_view(value).substr(1)}}, true},  // 4096 bytes together
      {{{"a", value}}, false},
      {{{"a", std::string_view(value).substr(2)}, {"b", ""}}, true},
      {{{"a", std::string_view(value).substr(1)}, {"b", ""}}, false},
      {{many.begin(), many.end() - 1}, true},
      {many, false},
      {{}, true},
  };
  for (const auto& [headers, good] : cases) {
    EXPECT_EQ(headers_are_valid(std::span(headers)), good) << headers.size() << " headers";
    if (good && !headers.empty()) {
      EXPECT_TRUE(headers_are_valid(std::string_view(encoded(headers))));
    }
  }
  // As many bytes and pairs as there may be are counted in the record's byte.
  std::vector<Header> full(many.begin(), many.end() - 1);
  std::size_t bytes = 0;
  for (const Header& header : full) bytes += header.name.size() + header.value.size();
  const std::string rest(kMaxHeadersBytes - bytes + 1, 'v');
  full.back().value = rest;
  ASSERT_TRUE(headers_are_valid(std::span(full)));
  EXPECT_LE(headers_units(full), 255U);
}

TEST(Headers, OfARecordAreValidOnlyAsTheyAreEncoded) {
  const std::vector<Header> headers = {{"name", "value"}, {"b", ""}};
  const std::string good = encoded(headers);
  ASSERT_TRUE(headers_are_valid(std::string_view(good)));
  EXPECT_TRUE(headers_are_valid(std::string_view())) << "no headers";
  EXPECT_FALSE(headers_are_valid(std::string_view(good + std::string(kHeadersUnit, '\0')))) << "a unit too many";
  EXPECT_FALSE(headers_are_valid(std::string_view(std::string(kHeadersUnit, '\0')))) << "units and no header";
  std::string bad = good;
  bad.back() = 1;
  EXPECT_FALSE(headers_are_valid(std::string_view(bad))) << "padding that is not zero";
  bad = good;
  bad[1] = '\xff';
  bad[2] = '\xff';
  EXPECT_FALSE(headers_are_valid(std::string_view(bad))) << "a value that is cut off";
  bad = good;
  bad[3] = ' ';
  EXPECT_FALSE(headers_are_valid(std::string_view(bad))) << "a blank in a name";
}

// Each byte set to each value: readers stay within the bytes, and end.
TEST(Headers, OfAnyBytesAreReadWithinThem) {
  const std::vector<Header> headers = {{"name", "value"}, {"another", "v"}};
  const std::string good = encoded(headers);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::vector<char> bytes(good.begin(), good.end());  // on the heap, so that a sanitizer sees a byte too far
      bytes[at] = static_cast<char>(value);
      std::size_t read = 0;
      const HeaderList list(std::string_view(bytes.data(), bytes.size()));
      for (const Header& header : list) {
        ASSERT_GE(header.name.data(), bytes.data());
        ASSERT_LE(header.value.data() + header.value.size(), bytes.data() + bytes.size());
        read += header.name.size() + header.value.size();
      }
      ASSERT_LE(read, bytes.size());
    }
  }
}

TEST(Headers, LieBetweenMessageIdAndPayloadOfTheRecord) {
  const std::vector<Header> headers = {{"trace", "1"}, {"type", "json"}};
  const Event event = {.topic = "t", .key = "k", .message_id = "m", .payload = "payload", .headers = headers};
  const std::size_t bytes = record_bytes_of(event);
  std::vector<std::uint64_t> words(bytes / kWordBytes);
  auto* const to = reinterpret_cast<std::byte*>(words.data());
  encode_event(to, event, event.payload.size(), 1, 0);
  RecordView record;
  ASSERT_EQ(decode_record(to, bytes, bytes, record), Decode::ok);
  EXPECT_EQ(record.header.headers_units, 1);
  EXPECT_EQ(record.payload, "payload");
  EXPECT_EQ(HeaderList(record.headers).find("type"), "json");
  EXPECT_EQ(record.header.length, 48U + 3 + kHeadersUnit + 7);
  // A length without the headers' room contradicts itself.
  RecordHeader header = record.header;
  header.length = static_cast<std::uint32_t>(bytes_before_payload(header) - 1);
  EXPECT_FALSE(header_is_sane(header, bytes));
}

}  // namespace
}  // namespace leat::internal
