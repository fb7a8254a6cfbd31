// The record codec at its bounds, and that no wrong byte passes its checksum.
#include "record/record.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace leat::internal {
namespace {

constexpr FeedUuid kUuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr std::size_t kMaxLength = 1 << 20;

class Encoded {
 public:
  explicit Encoded(const Event& event, std::uint16_t flags = 0)
      : length_(record_length(event.topic.size(), event.key.size(), event.message_id.size(), event.payload.size())),
        words_(padded_record_bytes(length_) / kWordBytes + 1, ~0ULL) {
    encode_event(bytes(), event, event.payload.size(), 17, flags);
  }
  std::byte* bytes() { return reinterpret_cast<std::byte*>(words_.data()); }
  [[nodiscard]] std::size_t length() const { return length_; }
  [[nodiscard]] std::size_t padded() const { return padded_record_bytes(length_); }
  [[nodiscard]] std::uint64_t guard() const { return words_.back(); }
  void set_length(std::uint32_t length) { std::memcpy(bytes() + 8, &length, sizeof length); }

 private:
  std::size_t length_;
  std::vector<std::uint64_t> words_;
};

TEST(Record, RoundTripsEveryExtremeOfItsFields) {
  for (const std::size_t topic : {0u, 1u, 255u}) {
    for (const std::size_t key : {0u, 1u, 255u}) {
      for (const std::size_t id : {0u, 7u, 255u}) {
        for (const std::size_t payload : {0u, 1u, 7u, 8u, 9u, 4096u}) {
          const std::string t(topic, 't');
          const std::string k(key, 'k');
          const std::string m(id, 'm');
          const std::string p(payload, '\xff');
          Encoded record({.topic = t, .key = k, .message_id = m, .payload = p}, kFlagMoreInBatch);
          RecordView view;
          ASSERT_EQ(decode_record(record.bytes(), record.padded(), kMaxLength, view), Decode::ok);
          ASSERT_EQ(view.topic, t);
          ASSERT_EQ(view.key, k);
          ASSERT_EQ(view.message_id, m);
          ASSERT_EQ(view.payload, p);
          ASSERT_EQ(view.header.length, 48 + topic + key + id + payload);
          ASSERT_EQ(view.header.producer_sequence, 17u);
          ASSERT_EQ(view.header.flags, kFlagMoreInBatch);
          ASSERT_EQ(view.header.checksum, 0u);
          ASSERT_EQ(record.guard(), ~0ULL) << "not a byte behind the padding";
        }
      }
    }
  }
}

TEST(Record, ZeroesItsPadding) {
  for (std::size_t payload = 0; payload < 17; ++payload) {
    const std::string p(payload, 'x');
    Encoded record({.topic = "t", .payload = p});
    for (std::size_t at = record.length(); at < record.padded(); ++at) {
      EXPECT_EQ(record.bytes()[at], std::byte{0}) << "payload " << payload << ", byte " << at;
    }
  }
}

TEST(Record, LeavesThePayloadToTheCallerWhenItHasNone) {
  std::vector<std::uint64_t> room(16, ~0ULL);
  auto* const to = reinterpret_cast<std::byte*>(room.data());
  std::byte* const payload = encode_event(to, {.topic = "topic", .key = "k"}, 10, 1, 0);
  EXPECT_EQ(payload, to + 48 + 6);
  std::memcpy(payload, "0123456789", 10);
  RecordView view;
  ASSERT_EQ(decode_record(to, 64, kMaxLength, view), Decode::ok);
  EXPECT_EQ(view.payload, "0123456789");
}

TEST(Record, AsksForMoreAtEveryTruncation) {
  Encoded record({.topic = "topic", .key = "key", .payload = "some payload"});
  for (std::size_t available = 0; available < record.padded(); ++available) {
    RecordView view;
    ASSERT_EQ(decode_record(record.bytes(), available, kMaxLength, view), Decode::need_more) << available;
    EXPECT_EQ(view.header.length, available < kRecordHeaderBytes ? 0 : record.length());
  }
}

TEST(Record, CallsLengthsThatContradictEachOtherMalformed) {
  Encoded record({.topic = "topic", .key = "key", .message_id = "id", .payload = "pay"});
  const std::size_t fields = kRecordHeaderBytes + 10;
  RecordView view;
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, kRecordHeaderBytes, fields - 1}) {
    record.set_length(static_cast<std::uint32_t>(length));
    EXPECT_EQ(decode_record(record.bytes(), record.padded(), kMaxLength, view), Decode::malformed) << length;
  }
  record.set_length(static_cast<std::uint32_t>(fields));
  EXPECT_EQ(decode_record(record.bytes(), record.padded(), kMaxLength, view), Decode::ok);
  EXPECT_TRUE(view.payload.empty());
  for (const std::uint32_t length : {101U, 0x7fffffffU, 0xffffffffU}) {
    record.set_length(length);
    EXPECT_EQ(decode_record(record.bytes(), record.padded(), 100, view), Decode::malformed) << length;
  }
}

TEST(Record, CatchesEveryFlippedBitByItsChecksum) {
  Encoded record({.topic = "topic", .key = "k", .message_id = "m", .payload = "payload"});
  const std::uint64_t seed = feed_checksum_seed(kUuid);
  const std::uint64_t sum = record_checksum(record.bytes(), record.length(), seed, 4096);
  for (std::size_t bit = 8 * kWordBytes; bit < 8 * record.length(); ++bit) {
    const auto mask = static_cast<std::byte>(1 << (bit % 8));
    record.bytes()[bit / 8] ^= mask;
    EXPECT_NE(record_checksum(record.bytes(), record.length(), seed, 4096), sum) << "bit " << bit;
    record.bytes()[bit / 8] ^= mask;
  }
  EXPECT_EQ(record_checksum(record.bytes(), record.length(), seed, 4096), sum);
}

TEST(Record, PassesAtNoOtherPositionAndInNoOtherFeed) {
  Encoded record({.topic = "topic", .payload = "payload"});
  const std::uint64_t seed = feed_checksum_seed(kUuid);
  const std::uint64_t sum = record_checksum(record.bytes(), record.length(), seed, 1 << 20);
  for (std::uint64_t position = 0; position < 4096; position += 8) {
    EXPECT_NE(record_checksum(record.bytes(), record.length(), seed, position), sum);
  }
  for (std::size_t byte = 0; byte < kUuid.size(); ++byte) {
    FeedUuid other = kUuid;
    other[byte] ^= 1;
    EXPECT_NE(record_checksum(record.bytes(), record.length(), feed_checksum_seed(other), 1 << 20), sum);
  }
}

TEST(Record, HasAChecksumThatIsNeverZeroAndDoesNotCoverItself) {
  Encoded record({.topic = "t"});
  const std::uint64_t sum = record_checksum(record.bytes(), record.length(), 1, 2);
  std::memcpy(record.bytes(), &sum, sizeof sum);
  EXPECT_EQ(record_checksum(record.bytes(), record.length(), 1, 2), sum);
  for (std::uint64_t position = 0; position < 100'000; ++position) {
    ASSERT_NE(record_checksum(record.bytes(), record.length(), 1, position), 0u);
  }
}

}  // namespace
}  // namespace leat::internal
