// Segments ahead of need: made in slices, recycled, given up, cleared away.
#include "broker/storage/segment_pool.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "tests/unit/fixtures/journal_maker.h"

namespace leat::broker {
namespace {

using namespace internal;
using test::JournalMaker;

TEST(SegmentPool, RecyclesAFewFilesAndRemovesTheRest) {
  JournalMaker journal;
  for (int i = 0; i < 4; ++i) journal.roll();
  EXPECT_TRUE(test::must(journal.pool().recycle(journal.segments()[0])));
  EXPECT_TRUE(test::must(journal.pool().recycle(journal.segments()[1])));
  EXPECT_FALSE(test::must(journal.pool().recycle(journal.segments()[2])));
  EXPECT_TRUE(journal.pool().has_recycled());
  EXPECT_FALSE(std::filesystem::exists(journal.path() / journal.segments()[2].to_string()));
  EXPECT_FALSE(test::must(journal.pool().recycle(journal.segments()[2])))
      << "somebody has removed it already: no error";
}

// As after a start with another --segment-bytes.
TEST(SegmentPool, RecyclesNoFileOfAnotherSize) {
  JournalMaker journal;
  journal.roll();
  SegmentPool pool(journal.directory(), 2 * test::kTinySegment, false);
  EXPECT_FALSE(test::must(pool.recycle(journal.segments()[0])));
  EXPECT_FALSE(pool.has_recycled());
  EXPECT_EQ(std::filesystem::file_size(journal.path() / test::must(pool.prepare())->file_name), 2 * test::kTinySegment);
}

TEST(SegmentPool, HandsOutARecycledFileWithoutItsOldHeader) {
  JournalMaker journal;
  journal.events(20);
  journal.roll();
  ASSERT_TRUE(test::must(journal.pool().recycle(journal.segments()[0])));
  const auto segment = test::must(journal.pool().prepare());
  const std::byte* const bytes = segment->mapping.data();
  const SegmentGeometry geometry = segment_geometry(test::kTinySegment);
  for (std::uint64_t at = 0; at < geometry.data_offset + 8; ++at) ASSERT_EQ(bytes[at], std::byte{0}) << at;
  EXPECT_FALSE(journal.pool().has_recycled());
}

constexpr std::uint64_t kMiB = 1 << 20;

// The number of slices; the segment comes with the last.
int prepare_in_slices(SegmentPool& pool, std::unique_ptr<MappedSegment>& segment) {
  int slices = 0;
  for (std::uint64_t before = 0; segment == nullptr; before = pool.new_filled_bytes()) {
    segment = test::must(pool.prepare_some());
    ++slices;
    if (segment == nullptr) {
      EXPECT_GT(pool.new_filled_bytes(), before);
    }
  }
  EXPECT_EQ(pool.new_filled_bytes(), 0U);
  return slices;
}

TEST(SegmentPool, PreparesInSlicesSoThatASyncNeverWaitsLong) {
  for (const bool sync_often : {true, false}) {
    JournalMaker journal;
    SegmentPool pool(journal.directory(), 16 * kMiB, sync_often);
    std::unique_ptr<MappedSegment> segment;
    EXPECT_EQ(prepare_in_slices(pool, segment), sync_often ? 64 : 2);
    EXPECT_EQ(segment->file_bytes, 16 * kMiB);
    EXPECT_EQ(std::filesystem::file_size(journal.path() / segment->file_name), 16 * kMiB);
    struct stat status {};
    ASSERT_EQ(::fstat(segment->fd.get(), &status), 0);
    EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, 16 * kMiB)
        << "allocated: no store can fail for space";
    EXPECT_EQ(status.st_mode & 0777, 0600u);
  }
}

TEST(SegmentPool, EndsAtOnceWhatIsUnderWayWhenInAHurry) {
  JournalMaker journal;
  SegmentPool pool(journal.directory(), 16 * kMiB, true);
  ASSERT_EQ(test::must(pool.prepare_some()), nullptr);
  ASSERT_GT(pool.new_filled_bytes(), 0U);
  const auto segment = test::must(pool.prepare_some(SegmentPool::Hurry::yes));
  ASSERT_NE(segment, nullptr);
  EXPECT_EQ(std::filesystem::file_size(journal.path() / segment->file_name), 16 * kMiB);
}

TEST(SegmentPool, TakesARecycledFileWhileANewOneIsUnderWayAndGoesOnWithThatLater) {
  JournalMaker journal;
  SegmentPool pool(journal.directory(), test::kTinySegment * 64, true);
  journal.roll();
  std::filesystem::resize_file(journal.path() / journal.segments()[0].to_string(), test::kTinySegment * 64);
  auto first = test::must(pool.prepare_some());
  if (first == nullptr) {
    ASSERT_TRUE(test::must(pool.recycle(journal.segments()[0])));
    const std::uint64_t filled = pool.new_filled_bytes();
    EXPECT_NE(test::must(pool.prepare_some()), nullptr);
    EXPECT_EQ(pool.new_filled_bytes(), filled) << "kept for later";
  }
  EXPECT_NE(test::must(pool.prepare()), nullptr);
}

TEST(SegmentPool, BeginsAnewAfterAFailureAndLeavesNothingBehind) {
  JournalMaker journal;
  // More than any file system here can hold.
  SegmentPool pool(journal.directory(), 1ULL << 50, true);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto failed = pool.prepare_some();
    ASSERT_FALSE(failed.ok());
    EXPECT_NE(failed.error().message.find("allocating"), std::string::npos) << failed.error().message;
    EXPECT_EQ(pool.new_filled_bytes(), 0U);
    for (const auto& entry : std::filesystem::directory_iterator(journal.path())) {
      EXPECT_FALSE(entry.path().filename().string().starts_with("prepared-")) << entry.path();
    }
  }
}

TEST(SegmentPool, ClearsWhatAnEarlierBrokerHadPrepared) {
  JournalMaker journal;
  const std::string name = test::must(journal.pool().prepare())->file_name;
  ASSERT_TRUE(std::filesystem::exists(journal.path() / name));
  test::must(journal.pool().clear_leftovers());
  EXPECT_FALSE(std::filesystem::exists(journal.path() / name));
  EXPECT_TRUE(std::filesystem::exists(journal.place_of(0).file));
}

TEST(SegmentPool, OnlyMakesTheLengthOfSegmentsThatAreNotMapped) {
  JournalMaker journal;
  SegmentPool pool(journal.directory(), 16 * kMiB, false, SegmentWrites::written);
  const auto segment = test::must(pool.prepare_some());
  ASSERT_NE(segment, nullptr) << "no slices: there is nothing to fill";
  EXPECT_FALSE(segment->mapping.valid());
  EXPECT_EQ(std::filesystem::file_size(journal.path() / segment->file_name), 16 * kMiB);
  journal.roll();
  EXPECT_FALSE(test::must(pool.recycle(journal.segments()[0]))) << "an old file's room is worth nothing";
  EXPECT_FALSE(std::filesystem::exists(journal.path() / journal.segments()[0].to_string()));
}

TEST(SegmentPool, FillsTheHolesOfASegmentThatACopyHasLeftInIt) {
  JournalMaker journal;
  journal.event();
  const std::filesystem::path file = journal.place_of(0).file;
  const std::string bytes = test::read_file(file);
  std::filesystem::resize_file(file, 4096 * 3);
  std::filesystem::resize_file(file, bytes.size());  // sparse behind
  const auto segment = test::must(journal.pool().open_current(journal.segments()[0]));
  struct stat status {};
  ASSERT_EQ(::fstat(segment->fd.get(), &status), 0);
  EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, bytes.size())
      << "a store into a hole could be a SIGBUS";
  EXPECT_TRUE(segment->mapping.valid());
  EXPECT_EQ(test::read_file(file), bytes);
}

}  // namespace
}  // namespace leat::broker
