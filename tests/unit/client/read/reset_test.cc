// Where a reader stands behind a Reset, for each reason (I11): include/leat/consumer.h, Reset.
#include <leat/journal.h>

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/fixtures/journal_maker.h"

namespace leat {
namespace {

// Three epochs: 1..20 seen, of which 16..20 were lost; 16..40; 41... A gap at 51..54, and what lies before the second
// segment was pruned.
class ResetOf : public ::testing::Test {
 protected:
  ResetOf() {
    journal.events(15, 900);
    const std::uint64_t second = journal.position();
    journal.events(25, 900);
    journal.identity().epochs = {{0xa, 1, 0}, {0xb, 16, second}, {0xc, 41, journal.position()}};
    journal.store(journal.identity());
    journal.events(10, 900);
    journal.gap(51, 54);
    journal.events(6, 900);
    earliest = journal.segments()[1].first_sequence;
    std::filesystem::remove(journal.path() / journal.segments()[0].to_string());
  }
  // Reads to the first Reset, which is to be for `reason`, and looks where the reader goes on.
  void expect_at(const Start& start, Reset::Reason reason, std::uint64_t wanted, std::uint64_t goes_on_at) {
    JournalReader reader = test::must(open_journal(journal.path(), start));
    EventView event;
    Poll found = Poll::event;
    while (found == Poll::event) found = reader.next(event);
    ASSERT_EQ(found, Poll::reset);
    const Reset reset = reader.last_reset();
    EXPECT_EQ(to_string(reset.reason), to_string(reason));
    EXPECT_EQ(reset.wanted_sequence, wanted);
    EXPECT_EQ(reset.earliest_sequence, earliest) << "of all that is retained, whatever the reason";
    EXPECT_EQ(reset.latest_sequence, 60u);
    EXPECT_EQ(reset.resume, (Cursor{0xc, goes_on_at - 1}));
    EXPECT_EQ(reader.cursor(), reset.resume);
    ASSERT_EQ(reader.next(event), Poll::event);
    EXPECT_EQ(event.sequence, goes_on_at);
    EXPECT_EQ(event.cursor, (Cursor{0xc, goes_on_at}));
    // Whoever begins anew after `resume` comes to the same place, and no Reset.
    JournalReader anew = test::must(open_journal(journal.path(), Start::after(reset.resume)));
    ASSERT_EQ(anew.next(event), Poll::event);
    EXPECT_EQ(event.sequence, goes_on_at);
  }

  test::JournalMaker journal;
  std::uint64_t earliest = 0;
};

TEST_F(ResetOf, APlaceThatCannotBeHadStandsAtTheEarliestEvent) {
  ASSERT_GT(earliest, 2u);
  ASSERT_LT(earliest, 16u);
  expect_at(Start::at(1), Reset::Reason::expired, 1, earliest);
  expect_at(Start::after({0xa, earliest - 2}), Reset::Reason::expired, earliest - 1, earliest);
  expect_at(Start::after({0xa, 20}), Reset::Reason::lost_tail, 21, earliest);
  expect_at(Start::after({0xd, 30}), Reset::Reason::unknown_epoch, 31, earliest);
  expect_at(Start::after({0xc, 61}), Reset::Reason::future, 62, earliest);
}

TEST_F(ResetOf, AGapStandsBehindTheGap) {
  expect_at(Start::earliest(), Reset::Reason::gap, 51, 55);
  expect_at(Start::at(51), Reset::Reason::gap, 51, 55);
  expect_at(Start::at(53), Reset::Reason::gap, 53, 55);  // from within
  expect_at(Start::after({0xc, 54 - 1}), Reset::Reason::gap, 54, 55);
}

}  // namespace
}  // namespace leat
