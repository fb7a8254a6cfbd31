// Where a journal ends that has more than one segment.
#include "journal/read/journal_end.h"

#include <gtest/gtest.h>

#include "tests/unit/fixtures/journal_maker.h"

namespace leat::internal {
namespace {

using test::JournalMaker;

// Its place and its header are right, and it is not what comes next.
TEST(JournalEndOf, SegmentsWhoseNumbersDoNotFollowOnIsBetweenThem) {
  JournalMaker journal;
  journal.events(10);
  journal.roll();
  journal.events(2);
  {
    JournalFiles files = journal.files();
    EXPECT_EQ(test::must(find_journal_end(files)).segments, 2u);
  }
  const SegmentName next = journal.segments().back();
  const SegmentName other{.first_sequence = next.first_sequence + 3, .first_position = next.first_position};
  std::filesystem::rename(journal.path() / next.to_string(), journal.path() / other.to_string());
  const SegmentHeader header = make_segment_header(journal.identity().uuid, test::kTinySegment, other.first_sequence,
                                                   other.first_position, journal.identity().current().id, 1);
  test::write_at(journal.path() / other.to_string(), 0,
                 std::string(reinterpret_cast<const char*>(&header), sizeof header));
  JournalFiles files = journal.files();
  const JournalEnd end = test::must(find_journal_end(files));
  EXPECT_EQ(end.segments, 1u);
  EXPECT_EQ(end.scan.end_sequence, 10u);
}

}  // namespace
}  // namespace leat::internal
