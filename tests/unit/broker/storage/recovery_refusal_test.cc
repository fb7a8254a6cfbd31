// The journals that a broker refuses, and of which it changes nothing.
#include "broker/storage/recovery.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/fixtures/recovery_bench.h"

namespace leat::broker {
namespace {

using namespace internal;
using test::JournalMaker;
using test::Recovery;

// The name alone would say where the feed stands: sequences begin at 1, and records on a word.
TEST_F(Recovery, RefusesANameThatNoSegmentCanHave) {
  for (const SegmentName name : {SegmentName{0, 0}, SegmentName{0, 8}, SegmentName{5, 4242}}) {
    JournalMaker journal;
    journal.events(5);
    std::filesystem::rename(journal.path() / journal.segments()[0].to_string(), journal.path() / name.to_string());
    EXPECT_NE(expect_refused(journal).find("has a name that no segment can have"), std::string::npos)
        << name.to_string();
  }
}

TEST_F(Recovery, RefusesAJournalWithASegmentMissingInTheMiddleAndChangesNothing) {
  JournalMaker journal;
  make_four_segments(journal, true);
  std::filesystem::remove(journal.path() / journal.segments()[1].to_string());
  const std::string message = expect_refused(journal);
  EXPECT_NE(message.find(journal.segments()[2].to_string()), std::string::npos) << message;
  EXPECT_NE(message.find("from sequence 6 to at least"), std::string::npos) << message;
  // The older ones moved away, as docs/recovery.md says: what is left is a journal that begins later.
  std::filesystem::remove(journal.path() / journal.segments()[0].to_string());
  EXPECT_EQ(test::must(recover(journal)).end_sequence, 20u);
}

TEST_F(Recovery, RefusesATornRecordInASealedSegmentThatAMarkOfALaterOneVouchesFor) {
  JournalMaker journal;
  make_four_segments(journal, false);
  const auto bad = journal.written()[7];
  journal.mark(bad.position + bad.bytes, 8);
  journal.flip(bad.position + 60);
  const std::string message = expect_refused(journal);
  EXPECT_NE(message.find(journal.segments()[1].to_string() + ", offset " +
                         std::to_string(journal.place_of(bad.position).offset)),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("from sequence 8 to at least 10"), std::string::npos) << message;
}

TEST_F(Recovery, RefusesASegmentThatWasCutShort) {
  for (const std::uint64_t bytes : {0u, 80u, 5000u, 12288u}) {
    JournalMaker journal;
    journal.events(5);
    journal.roll();
    journal.events(5);
    std::filesystem::resize_file(journal.place_of(journal.position()).file, bytes);
    const std::string message = expect_refused(journal);
    EXPECT_NE(message.find("not as long as it was made"), std::string::npos) << message;
  }
}

TEST_F(Recovery, RefusesABadRecordBelowAMarkAndChangesNothing) {
  JournalMaker journal;
  journal.events(5);
  journal.mark_all();
  journal.events(2);
  journal.flip(journal.written()[2].position + 60);
  const std::string message = expect_refused(journal);
  EXPECT_NE(message.find(journal.segments().back().to_string()), std::string::npos) << message;
  EXPECT_NE(message.find("from sequence 3 to at least 5"), std::string::npos) << message;
  EXPECT_NE(message.find("offset " + std::to_string(journal.place_of(journal.written()[2].position).offset)),
            std::string::npos)
      << message;
}

TEST_F(Recovery, RefusesAnEndBelowTheCleanCloseAndChangesNothing) {
  JournalMaker journal;
  journal.events(5);
  journal.close_cleanly();
  const auto last = journal.written().back();
  journal.overwrite(last.position, std::string(last.bytes, '\0'));
  expect_refused(journal);
}

TEST_F(Recovery, RefusesADamagedHeaderOfASegmentThatWasDurableAndChangesNothing) {
  JournalMaker journal;
  journal.events(5);
  journal.roll();
  journal.events(5);
  journal.mark_all();
  journal.flip_in_file(journal.place_of(journal.position()).file, 60);
  expect_refused(journal);
}

TEST_F(Recovery, RefusesALostSegmentOfACleanlyClosedJournalAndChangesNothing) {
  JournalMaker journal;
  journal.events(5);
  journal.roll();
  journal.events(5);
  journal.close_cleanly();
  const auto place = journal.place_of(journal.position());
  test::write_at(place.file, 0, std::string(test::kTinySegment, '\0'));
  expect_refused(journal);
}

TEST_F(Recovery, RefusesACleanlyClosedJournalWithoutSegmentsAndChangesNothing) {
  JournalMaker journal;
  journal.events(5);
  journal.close_cleanly();
  std::filesystem::remove(journal.place_of(0).file);
  expect_refused(journal);
}

TEST_F(Recovery, RefusesSegmentsWithoutAnIdentityAndChangesNothing) {
  JournalMaker journal;
  journal.events(5);
  std::filesystem::remove(journal.path() / kIdentityFileName);
  expect_refused(journal);
}

TEST_F(Recovery, RefusesADamagedIdentityAndChangesNothing) {
  JournalMaker journal;
  journal.events(5);
  journal.flip_in_file(journal.path() / kIdentityFileName, 33);
  expect_refused(journal);
}

TEST_F(Recovery, RefusesABadSealedSegmentOfTheUnfinishedRoundAndNamesIt) {
  JournalMaker journal(4 << 20);
  journal.events(5);
  journal.roll();  // early: the first segment's room is mostly unused
  journal.events(5);
  journal.mark_all();
  journal.flip(journal.written()[2].position + 60);
  const std::string message = expect_refused(journal, {.known = true, .committed = 0, .round_position = 0});
  EXPECT_NE(message.find(journal.segments().front().to_string()), std::string::npos) << message;
}

}  // namespace
}  // namespace leat::broker
