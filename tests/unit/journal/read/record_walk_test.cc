// The one walk over the records of a journal: through its segments, or in one of them, to the first bad place.
#include "journal/read/record_walk.h"

#include <gtest/gtest.h>

#include "tests/unit/fixtures/journal_maker.h"

namespace leat::internal {
namespace {

using Found = RecordWalk::Found;
using test::JournalMaker;

constexpr std::size_t kBufferBytes = 4096;

// Walks to its end, and gives the sequences of the events on the way.
std::vector<std::uint64_t> events_of(RecordWalk& walk, Found& end) {
  std::vector<std::uint64_t> sequences;
  RecordView record{};
  std::uint64_t expected_position = walk.position();
  while ((end = walk.next(record)) == Found::record) {
    EXPECT_EQ(walk.record_position(), expected_position);
    expected_position += padded_record_bytes(record.header.length);
    EXPECT_EQ(walk.position(), expected_position);
    if (record.header.type == static_cast<std::uint16_t>(RecordType::event)) {
      sequences.push_back(record.header.sequence);
    }
  }
  EXPECT_EQ(walk.position(), expected_position) << "the place that the answer is about";
  return sequences;
}

TEST(RecordWalk, GoesThroughAllSegmentsToTheEnd) {
  JournalMaker journal;
  journal.events(200, 900);
  ASSERT_GT(journal.segments().size(), 3u);
  JournalFiles files = journal.files();
  RecordWalk walk(files, kBufferBytes, 0);
  Found end = Found::record;
  const auto sequences = events_of(walk, end);
  EXPECT_EQ(sequences.size(), 200u);
  EXPECT_EQ(end, Found::zero);
  EXPECT_EQ(walk.position(), journal.position());
}

TEST(RecordWalk, StaysInOneSegmentIfItIsToldTo) {
  JournalMaker journal;
  journal.events(200, 900);
  JournalFiles files = journal.files();
  const SegmentName name = journal.segments()[1];
  const SegmentName next = journal.segments()[2];
  RecordWalk walk(files, kBufferBytes, name.first_position, ~0ULL, RecordWalk::Scope::segment);
  RecordView record{};
  while (walk.next(record) == Found::record && walk.position() < next.first_position) {
  }
  EXPECT_EQ(record.header.type, static_cast<std::uint16_t>(RecordType::segment_end));
  EXPECT_NE(walk.next(record), Found::record) << "what is behind its end is no part of the stream";
}

TEST(RecordWalk, GrowsForARecordThatIsLongerThanItsBuffer) {
  JournalMaker journal(1 << 20);
  journal.events(3, 10 * kBufferBytes);
  JournalFiles files = journal.files();
  RecordWalk walk(files, kBufferBytes, 0);
  Found end = Found::record;
  EXPECT_EQ(events_of(walk, end).size(), 3u);
}

TEST(RecordWalk, ReadsNothingBeyondItsLimit) {
  JournalMaker journal;
  journal.events(10, 100);
  JournalFiles files = journal.files();
  const std::uint64_t limit = journal.written()[6].position;
  RecordWalk walk(files, kBufferBytes, 0, limit);
  Found end = Found::record;
  EXPECT_EQ(events_of(walk, end).size(), 6u);
  EXPECT_EQ(end, Found::no_data);
  RecordWalk within(files, kBufferBytes, 0, limit - kWordBytes);
  EXPECT_EQ(events_of(within, end).size(), 5u);
  EXPECT_EQ(end, Found::bad) << "the sixth is not all there";
}

TEST(RecordWalk, StandsStillAtDamage) {
  JournalMaker journal;
  journal.events(10, 100);
  const auto& damaged = journal.written()[4];
  journal.overwrite(damaged.position + kRecordHeaderBytes + 1, "?!");
  JournalFiles files = journal.files();
  RecordWalk walk(files, kBufferBytes, 0);
  Found end = Found::record;
  EXPECT_EQ(events_of(walk, end).size(), 4u);
  EXPECT_EQ(end, Found::bad);
  EXPECT_EQ(walk.position(), damaged.position);
  RecordView record{};
  EXPECT_EQ(walk.next(record), Found::bad) << "and the next time too";
}

TEST(RecordWalk, SaysWhenItsPlaceIsGone) {
  JournalMaker journal;
  journal.events(200, 900);
  ASSERT_TRUE(std::filesystem::remove(journal.path() / journal.segments()[0].to_string()));
  JournalFiles files = journal.files();
  RecordWalk walk(files, kBufferBytes, 0);
  RecordView record{};
  EXPECT_EQ(walk.next(record), Found::expired);
}

}  // namespace
}  // namespace leat::internal
