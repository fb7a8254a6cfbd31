// Segment names and headers, index entries, and the feed's identity.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>

#include "journal/format/feed_identity.h"
#include "journal/format/segment_layout.h"
#include "tests/unit/fixtures/temp_directory.h"
#include "base/unique_fd.h"

namespace leat::internal {
namespace {

constexpr FeedUuid kUuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

TEST(SegmentName, RoundTripsAndSortsAsText) {
  for (const SegmentName name : {SegmentName{1, 0}, SegmentName{42, 4096}, SegmentName{~0ULL, ~0ULL}}) {
    EXPECT_EQ(SegmentName::parse(name.to_string()), name);
  }
  EXPECT_LT((SegmentName{9, 100}.to_string()), (SegmentName{10, 99}.to_string()));
}

TEST(SegmentName, IsNothingElse) {
  const std::string good = SegmentName{1, 8}.to_string();
  for (const std::string& bad :
       {std::string(), good.substr(1), good + "x", good.substr(0, 44) + ".bak", "x" + good.substr(1),
        good.substr(0, 20) + "_" + good.substr(21), good.substr(0, 19) + " " + good.substr(20),
        good.substr(0, 40) + "-" + good.substr(41), std::string(20, '9') + good.substr(20), std::string("feed"),
        std::string("lock"), std::string("prepared-1.tmp")}) {
    EXPECT_FALSE(SegmentName::parse(bad).has_value()) << bad;
  }
}

TEST(SegmentHeader, IsValidOnlyAsItWasMade) {
  const SegmentHeader header = make_segment_header(kUuid, 16384, 10, 4096, 77, 1);
  EXPECT_TRUE(segment_header_is_valid(header, kUuid, 16384, 10, 4096));
  EXPECT_FALSE(segment_header_is_valid(header, kUuid, 20480, 10, 4096)) << "of a file of another size";
  EXPECT_FALSE(segment_header_is_valid(header, kUuid, 16384, 11, 4096)) << "of another name";
  EXPECT_FALSE(segment_header_is_valid(header, kUuid, 16384, 10, 4104));
  FeedUuid other = kUuid;
  other[15] ^= 1;
  EXPECT_FALSE(segment_header_is_valid(header, other, 16384, 10, 4096)) << "of another feed";
}

TEST(SegmentHeader, IsInvalidWithAnyBitFlipped) {
  const SegmentHeader header = make_segment_header(kUuid, 16384, 10, 4096, 77, 123456789);
  for (std::size_t bit = 0; bit < 8 * sizeof header; ++bit) {
    SegmentHeader flipped = header;
    reinterpret_cast<unsigned char*>(&flipped)[bit / 8] ^= static_cast<unsigned char>(1 << (bit % 8));
    EXPECT_FALSE(segment_header_is_valid(flipped, kUuid, 16384, 10, 4096)) << "bit " << bit;
  }
  EXPECT_FALSE(segment_header_is_valid(SegmentHeader{}, kUuid, 16384, 0, 0)) << "never written";
}

TEST(SegmentGeometry, LeavesRoomForTheLargestBatch) {
  for (const std::uint64_t bytes : {kMinSegmentBytes, std::uint64_t{1} << 20, kMaxSegmentBytes}) {
    const SegmentGeometry geometry = segment_geometry(bytes);
    EXPECT_EQ(geometry.data_offset + geometry.data_bytes, bytes);
    EXPECT_EQ(geometry.data_offset % kPageBytes, 0u);
    EXPECT_GE(geometry.data_offset, kSegmentHeaderBytes + geometry.index_entries * sizeof(IndexEntry));
    EXPECT_LT(max_segment_batch_bytes(bytes), geometry.data_bytes);
  }
}

TEST(SegmentGeometry, KnowsTheSizesInWhichRecordsBeginAtAnOffset) {
  constexpr std::uint64_t kBoundary = 8 << 20;  // here the index takes another page
  for (std::uint64_t least = kBoundary - 3 * kPageBytes; least < kBoundary + 3 * kPageBytes; least += 8) {
    for (const std::uint64_t offset : {2 * kPageBytes, 3 * kPageBytes}) {
      const std::uint64_t bytes = segment_size_with(offset, least);
      ASSERT_TRUE(is_segment_size(bytes)) << bytes;
      ASSERT_EQ(segment_geometry(bytes).data_offset, offset) << bytes;
      const bool there_is_one = segment_geometry(align_up(least, kPageBytes)).data_offset <= offset;
      ASSERT_EQ(bytes >= least, there_is_one) << least;
      if (there_is_one && segment_geometry(bytes - kPageBytes).data_offset == offset) {
        ASSERT_LT(bytes - kPageBytes, least);
      }
    }
    const std::uint64_t made = segment_size_for(least);
    ASSERT_TRUE(is_segment_size(made));
    ASSERT_GE(segment_geometry(made).data_bytes, least);
    ASSERT_LT(segment_geometry(made - kPageBytes).data_bytes, least);
  }
  EXPECT_EQ(segment_size_for(8), kMinSegmentBytes);
  EXPECT_TRUE(is_segment_size(segment_size_for(kMaxSegmentBytes / 2)));
  EXPECT_EQ(segment_size_with(segment_geometry(kMaxSegmentBytes).data_offset, ~0ULL), kMaxSegmentBytes);
}

TEST(IndexEntry, IsInvalidWithAnyBitFlippedAndWhenZero) {
  const IndexEntry entry = make_index_entry(99, 65536, 1000, 123);
  EXPECT_TRUE(index_entry_is_valid(entry, 99));
  EXPECT_FALSE(index_entry_is_valid(entry, 98));
  EXPECT_FALSE(index_entry_is_valid(IndexEntry{}, 99));
  for (std::size_t bit = 0; bit < 8 * sizeof entry; ++bit) {
    IndexEntry flipped = entry;
    reinterpret_cast<unsigned char*>(&flipped)[bit / 8] ^= static_cast<unsigned char>(1 << (bit % 8));
    EXPECT_FALSE(index_entry_is_valid(flipped, 99)) << "bit " << bit;
  }
}

class Identity : public ::testing::Test {
 protected:
  Identity() : fd_(::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY)) {}
  [[nodiscard]] std::filesystem::path file() const { return directory_.path() / kIdentityFileName; }
  Result<FeedIdentity> load() { return load_identity({fd_.get(), directory_.path().string()}); }
  void store(const FeedIdentity& identity) {
    test::must(store_identity({fd_.get(), directory_.path().string()}, identity));
  }
  test::TempDirectory directory_;
  UniqueFd fd_;
};

TEST_F(Identity, RoundTripsWithAnyNumberOfEpochs) {
  FeedIdentity identity = create_identity(4711);
  for (const std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{200}, kMaxEpochs}) {
    while (identity.epochs.size() < count) {
      identity.epochs.push_back({identity.epochs.size(), 10 * identity.epochs.size(), 99});
    }
    identity.closed_position = count == 2 ? 12345 : kNotClosed;
    store(identity);
    const FeedIdentity loaded = test::must(load());
    EXPECT_EQ(loaded.uuid, identity.uuid);
    EXPECT_EQ(loaded.directory_inode, 4711u);
    EXPECT_EQ(loaded.closed_cleanly(), count == 2);
    ASSERT_EQ(loaded.epochs.size(), count);
    EXPECT_EQ(loaded.epochs.back().first_sequence, identity.epochs.back().first_sequence);
  }
}

TEST_F(Identity, DetectsEveryFlippedByte) {
  FeedIdentity identity = create_identity(4711);
  identity.epochs.push_back({5, 6, 7});
  store(identity);
  const std::string good = test::read_file(file());
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int mask : {0x01, 0x80, 0xff}) {
      test::write_at(file(), at, std::string(1, static_cast<char>(good[at] ^ mask)));
      const auto loaded = load();
      ASSERT_FALSE(loaded.ok()) << "byte " << at << " mask " << mask;
      EXPECT_EQ(loaded.error().code, at >= 8 && at < 12 ? ErrorCode::layout_mismatch : ErrorCode::corrupt);
    }
    test::write_at(file(), at, good.substr(at, 1));
  }
  EXPECT_TRUE(load().ok());
}

TEST_F(Identity, DetectsEveryTruncationAndAnythingAppended) {
  store(create_identity(1));
  const auto size = std::filesystem::file_size(file());
  std::filesystem::resize_file(file(), size + 1);
  EXPECT_EQ(load().error().code, ErrorCode::corrupt);
  for (std::uintmax_t bytes = size - 1;; --bytes) {
    std::filesystem::resize_file(file(), bytes);
    ASSERT_FALSE(load().ok()) << bytes;
    ASSERT_EQ(load().error().code, ErrorCode::corrupt) << bytes;
    if (bytes == 0) break;
  }
}

TEST_F(Identity, IsUnknownWhereThereIsNone) { EXPECT_EQ(load().error().code, ErrorCode::unknown_feed); }

TEST_F(Identity, IsNewEveryTimeAndAVersion4Uuid) {
  const FeedIdentity a = create_identity(1);
  const FeedIdentity b = create_identity(1);
  EXPECT_NE(a.uuid, b.uuid);
  EXPECT_NE(a.current().id, b.current().id);
  const std::string text = format_uuid(a.uuid);
  EXPECT_EQ(text.size(), 36u);
  EXPECT_EQ(text[14], '4');
  EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos);
  EXPECT_EQ(format_uuid(kUuid), "01020304-0506-0708-090a-0b0c0d0e0f10");
}

TEST(Epochs, JudgeCursorsByTheirTable) {
  FeedIdentity identity;
  identity.epochs = {{0xa, 1, 0}, {0xb, 11, 1000}, {0xc, 21, 2000}};
  const std::pair<Cursor, CursorCheck> rows[] = {{{0xa, 0}, CursorCheck::ok},
                                                 {{0xa, 10}, CursorCheck::ok},
                                                 {{0xa, 11}, CursorCheck::lost_tail},
                                                 {{0xa, 25}, CursorCheck::lost_tail},
                                                 {{0xb, 10}, CursorCheck::ok},
                                                 {{0xb, 20}, CursorCheck::ok},
                                                 {{0xb, 21}, CursorCheck::lost_tail},
                                                 {{0xc, 20}, CursorCheck::ok},
                                                 {{0xc, 21}, CursorCheck::ok},
                                                 {{0xc, 99999}, CursorCheck::ok},
                                                 {{0xd, 5}, CursorCheck::unknown_epoch},
                                                 {{0, 0}, CursorCheck::unknown_epoch}};
  for (const auto& [cursor, expected] : rows) EXPECT_EQ(identity.check(cursor), expected) << cursor.to_string();
}

// A broker is killed, its successor on the same boot cannot prove anything and begins an epoch behind all that it
// finds; then the power fails before that was synced, and the next one begins below.
TEST(Epochs, JudgeCursorsByEveryLaterEpoch) {
  FeedIdentity identity;
  identity.epochs = {{0xa, 1, 0}, {0xb, 21, 2000}, {0xc, 13, 1200}};
  EXPECT_EQ(identity.check({0xa, 12}), CursorCheck::ok);
  EXPECT_EQ(identity.check({0xa, 13}), CursorCheck::lost_tail) << "sequence 13 is another event now";
  EXPECT_EQ(identity.check({0xb, 12}), CursorCheck::ok);
  EXPECT_EQ(identity.check({0xb, 20}), CursorCheck::lost_tail);
  EXPECT_EQ(identity.check({0xc, 20}), CursorCheck::ok);
}

}  // namespace
}  // namespace leat::internal
