// Marks, segment ends and gaps, as the broker and the repair write them.
#include "record/own_record.h"

#include <gtest/gtest.h>

namespace leat::internal {
namespace {

constexpr std::uint64_t kSeed = 77;
constexpr std::uint64_t kPosition = 4096;

RecordView decoded(const std::string& bytes) {
  RecordView record{};
  const auto* const from = reinterpret_cast<const std::byte*>(bytes.data());
  EXPECT_EQ(decode_record(from, bytes.size(), bytes.size(), record), Decode::ok);
  EXPECT_EQ(record_checksum(from, record.header.length, kSeed, kPosition), record.header.checksum);
  EXPECT_EQ(padded_record_bytes(record.header.length), bytes.size());
  return record;
}

TEST(OwnRecord, CarriesItsBodyAndWhatTheHeaderSays) {
  const GapBody body{.first_missing = 5, .last_missing = 9};
  const std::string bytes = make_own_record({.type = RecordType::gap,
                                             .flags = kFlagCleanClose,
                                             .sequence = 9,
                                             .producer_sequence = 5,
                                             .timestamp_ns = 1234,
                                             .body = &body,
                                             .body_bytes = sizeof body},
                                            kSeed, kPosition);
  EXPECT_EQ(bytes.size(), kGapRecordBytes);
  const RecordView record = decoded(bytes);
  EXPECT_EQ(record.header.type, static_cast<std::uint16_t>(RecordType::gap));
  EXPECT_EQ(record.header.flags, kFlagCleanClose);
  EXPECT_EQ(record.header.sequence, 9u);
  EXPECT_EQ(record.header.producer_sequence, 5u);
  EXPECT_EQ(record.header.timestamp_ns, 1234);
  const GapBody read = gap_of({}, record.payload);
  EXPECT_EQ(read.first_missing, 5u);
  EXPECT_EQ(read.last_missing, 9u);
}

TEST(OwnRecord, MayBeLongerThanItsBody) {
  for (const std::uint64_t length : {kRecordHeaderBytes, kRecordHeaderBytes + 1, kMarkRecordBytes + 64}) {
    const std::string bytes =
        make_own_record({.type = RecordType::mark, .sequence = 3, .length = length}, kSeed, kPosition);
    const RecordView record = decoded(bytes);
    EXPECT_EQ(record.header.length, length);
    EXPECT_EQ(bytes.find_first_not_of('\0', kRecordHeaderBytes), std::string::npos);
  }
}

TEST(OwnRecord, BelongsToItsPlace) {
  const std::string bytes = make_own_record({.type = RecordType::segment_end, .sequence = 3}, kSeed, kPosition);
  const RecordView record = decoded(bytes);
  EXPECT_EQ(bytes.size(), kSegmentEndRecordBytes);
  EXPECT_NE(record_checksum(bytes.data(), record.header.length, kSeed, kPosition + 8), record.header.checksum);
}

}  // namespace
}  // namespace leat::internal
