// What a repair puts into a hole: records one behind the other, to its very end, whatever its length.
#include "journal/rewrite/fill_hole.h"

#include <gtest/gtest.h>

#include "record/record.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::internal {
namespace {

constexpr std::uint64_t kSeed = 77;
constexpr std::uint64_t kFrom = 4096;

// `lost` events, newest before the hole being 9.
Damage hole(std::uint64_t bytes, std::uint64_t lost, bool ends_segment) {
  Damage damage{};
  damage.kind = DamageKind::records;
  damage.from_position = kFrom;
  damage.to_position = kFrom + bytes;
  damage.newest_before = 9;
  damage.first_lost = 10;
  damage.last_lost = 9 + lost;
  damage.ends_segment = ends_segment;
  return damage;
}

void expect_filled(const Damage& damage) {
  std::uint64_t at = damage.from_position;
  std::vector<RecordType> types;
  const auto sink = [&](std::uint64_t position, const std::string& bytes) -> Result<void> {
    EXPECT_EQ(position, at);
    RecordView record;
    const auto* const from = reinterpret_cast<const std::byte*>(bytes.data());
    EXPECT_EQ(decode_record(from, bytes.size(), kMaxFillerBytes, record), Decode::ok) << "at " << position - kFrom;
    EXPECT_EQ(record_checksum(from, record.header.length, kSeed, position), record.header.checksum);
    EXPECT_EQ(padded_record_bytes(record.header.length), bytes.size());
    types.push_back(static_cast<RecordType>(record.header.type));
    if (types.back() == RecordType::mark) {
      EXPECT_NE(record.payload.size(), sizeof(MarkBody)) << "filling that proves something";
    }
    at += bytes.size();
    return {};
  };
  test::must(fill_hole(damage, kSeed, sink));
  EXPECT_EQ(at, damage.to_position);
  ASSERT_FALSE(types.empty());
  EXPECT_EQ(types.front() == RecordType::gap, damage.loses_events());
  EXPECT_EQ(types.back() == RecordType::segment_end, damage.ends_segment);
}

TEST(FillHole, OfEveryLengthThereCanBe) {
  for (const bool ends_segment : {false, true}) {
    const std::uint64_t end = ends_segment ? kSegmentEndRecordBytes : 0;
    for (const std::uint64_t around :
         {std::uint64_t{kGapRecordBytes}, kMaxGapBytes, kMaxFillerBytes, 2 * kMaxFillerBytes}) {
      for (std::uint64_t more = 0; more <= 4 * kRecordHeaderBytes; more += kRecordAlignment) {
        SCOPED_TRACE(std::to_string(around + more) + (ends_segment ? " with an end" : ""));
        expect_filled(hole(around + more + end, 3, ends_segment));
        expect_filled(hole(around + more + end, 0, ends_segment));
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace leat::internal
