// Searches over made journals: every event is found by its sequence and by its time, whatever became of the index.
#include "journal/read/locate.h"

#include <gtest/gtest.h>

#include "tests/unit/fixtures/journal_maker.h"

namespace leat::internal {
namespace {

using test::JournalMaker;

void expect_all_found(const JournalMaker& journal) {
  JournalFiles files = journal.files();
  for (const auto& event : journal.written()) {
    const Located by_sequence = test::must(locate_sequence(files, event.sequence, ~0ULL));
    ASSERT_TRUE(by_sequence.found) << event.sequence;
    ASSERT_EQ(by_sequence.position, event.position);
    ASSERT_EQ(by_sequence.sequence, event.sequence);
    for (const std::int64_t early : {0, 1}) {
      const Located by_time = test::must(locate_time(files, event.timestamp_ns - early, ~0ULL));
      ASSERT_TRUE(by_time.found) << event.sequence;
      ASSERT_EQ(by_time.position, event.position);
      ASSERT_EQ(by_time.sequence, event.sequence);
    }
  }
}

TEST(Locate, FindsEveryEventInTinySegments) {
  JournalMaker journal;
  for (int i = 0; i < 200; ++i) {
    journal.event(static_cast<std::size_t>(i * 31 % 1500));
    if (i % 20 == 0) journal.mark_all();
  }
  ASSERT_GT(journal.segments().size(), 5u);
  expect_all_found(journal);
}

TEST(Locate, FindsEveryEventThroughASparseIndex) {
  JournalMaker journal(1 << 20);
  journal.events(500, 5000);
  ASSERT_GT(journal.segments().size(), 1u);
  EXPECT_GT(test::must(journal.files().read_index(journal.segments()[0])).size(), 10u);
  expect_all_found(journal);
}

TEST(Locate, FindsTheFirstOfManyWithTheSameTime) {
  JournalMaker journal;
  journal.timestamp_step_ns = 0;
  journal.events(60, 1000);
  JournalFiles files = journal.files();
  EXPECT_EQ(test::must(locate_time(files, 1000, ~0ULL)).sequence, 1u);
  EXPECT_FALSE(test::must(locate_time(files, 1001, ~0ULL)).found);
}

TEST(Locate, SaysWhatComesNextWhenNothingIsFound) {
  JournalMaker journal;
  journal.events(60, 1000);
  JournalFiles files = journal.files();
  const Located sequence = test::must(locate_sequence(files, 61, ~0ULL));
  EXPECT_FALSE(sequence.found);
  EXPECT_EQ(sequence.sequence, 61u);
  EXPECT_EQ(sequence.position, journal.position());
  EXPECT_EQ(test::must(locate_time(files, 1 << 30, ~0ULL)).sequence, 61u);
}

TEST(Locate, LooksNoFurtherThanItsLimit) {
  JournalMaker journal;
  journal.events(30, 100);
  JournalFiles files = journal.files();
  const auto& limit = journal.written()[9];
  EXPECT_FALSE(test::must(locate_sequence(files, 10, limit.position)).found);
  EXPECT_TRUE(test::must(locate_sequence(files, 9, limit.position)).found);
}

TEST(Locate, DoesNotMindADamagedIndexEntry) {
  JournalMaker journal(1 << 20);
  journal.events(150, 5000);
  const auto file = journal.place_of(0).file;
  for (const std::uint64_t entry : {0u, 1u, 5u, 10u}) {
    journal.flip_in_file(file, kSegmentHeaderBytes + entry * sizeof(IndexEntry) + 8);
  }
  expect_all_found(journal);
}

TEST(Locate, DoesNotMindAnIndexThatIsAllZeroes) {
  JournalMaker journal(1 << 20);
  journal.events(250, 5000);
  ASSERT_GT(journal.segments().size(), 1u);
  for (const SegmentName& name : journal.segments()) {
    test::write_at(journal.path() / name.to_string(), kSegmentHeaderBytes, std::string(4096, '\0'));
  }
  expect_all_found(journal);
}

TEST(Locate, BelievesNoIndexEntryThatLiesWithAGoodChecksum) {
  JournalMaker journal(1 << 20);
  journal.events(150, 5000);
  const auto& written = journal.written();
  const auto put = [&](std::uint64_t slot, const IndexEntry& entry) {
    test::write_at(journal.place_of(0).file, kSegmentHeaderBytes + slot * sizeof entry,
                   std::string(reinterpret_cast<const char*>(&entry), sizeof entry));
  };
  put(1, make_index_entry(journal.seed(), written[20].position + 8, written[20].sequence, written[20].timestamp_ns));
  put(3, make_index_entry(journal.seed(), written[100].position, 40, written[40].timestamp_ns));
  put(5, make_index_entry(journal.seed(), 1ULL << 50, 60, written[60].timestamp_ns));
  expect_all_found(journal);
}

TEST(Locate, PassesOverASegmentThatHoldsNoEvent) {
  JournalMaker journal;
  journal.events(10);
  journal.roll();
  journal.roll();
  journal.events(10);
  expect_all_found(journal);
}

TEST(JournalFiles, TellsAPositionBelowTheOldestSegmentFromOneToCome) {
  JournalMaker journal;
  journal.events(100, 400);
  std::filesystem::remove(journal.path() / journal.segments().front().to_string());
  JournalFiles files = journal.files();
  RecordBuffer buffer(4096);
  buffer.restart(0);
  EXPECT_EQ(files.fill(buffer, false, ~0ULL), JournalFiles::Fill::expired);
  buffer.restart(journal.position() + (1 << 20));
  EXPECT_EQ(files.fill(buffer, false, ~0ULL), JournalFiles::Fill::no_data);
}

TEST(JournalFiles, KnowsWhenTheSegmentItReadIsGone) {
  JournalMaker journal;
  journal.events(100, 400);
  JournalFiles files = journal.files();
  RecordBuffer buffer(4096);
  buffer.restart(0);
  ASSERT_EQ(files.fill(buffer, false, ~0ULL), JournalFiles::Fill::ok);
  EXPECT_TRUE(test::must(files.still_retained()));
  const auto file = journal.place_of(0).file;  // as a restored backup would be
  std::filesystem::copy_file(file, journal.path() / "copy");
  std::filesystem::rename(journal.path() / "copy", file);
  EXPECT_FALSE(test::must(files.still_retained())) << "the name is there, but it is another file";
  ASSERT_EQ(JournalFiles::Fill::ok, (files = journal.files()).fill(buffer, false, ~0ULL));
  EXPECT_TRUE(test::must(files.still_retained()));
  ASSERT_TRUE(journal.pool().recycle(journal.segments().front()).ok());
  EXPECT_FALSE(test::must(files.still_retained()));
}

TEST(JournalFiles, RefusesTwoSegmentsOfOnePosition) {
  JournalMaker journal;
  journal.events(3);
  std::filesystem::copy_file(journal.place_of(0).file, journal.path() / SegmentName{7, 0}.to_string());
  const auto opened = JournalFiles::open(journal.path().string());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
}

}  // namespace
}  // namespace leat::internal
