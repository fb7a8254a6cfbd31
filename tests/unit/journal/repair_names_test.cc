// Segments whose headers are damaged and that have lost their names as well. What was in them lies somewhere else in
// the journal's string: taken at the wrong name, it would be gone without a word, and so could be what is good.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/fixtures/repair_bench.h"
#include "broker/log.h"

namespace leat::internal {
namespace {

using test::check_of;
using test::describe;
using test::JournalMaker;
using test::segment;

class RepairNames : public ::testing::Test {
 protected:
  RepairNames() { broker::Log::set_level("off"); }

  // Cuts it to `left` bytes, damages its header and renames it.
  static void spoil(const JournalMaker& journal, std::size_t number, std::uint64_t left, const SegmentName& name) {
    const auto renamed = journal.path() / name.to_string();
    std::filesystem::rename(segment(journal, number), renamed);
    std::filesystem::resize_file(renamed, left);
    if (left > 0) test::write_at(renamed, 60, "damaged");
  }
  static void expect_refused(const JournalMaker& journal, const std::string& why) {
    const JournalCheck check = check_of(journal);
    const test::FileSet before = test::read_files(journal.path());
    const auto done = repair_journal(journal.directory(), check);
    ASSERT_FALSE(done.ok()) << describe(check);
    EXPECT_NE(done.error().message.find(why), std::string::npos) << done.error().message;
    EXPECT_EQ(test::read_files(journal.path()), before);
  }
};

// Taken at its name it would be a journal's last segment that never reached the disk, and its events gone in silence.
TEST_F(RepairNames, RefusesASegmentOfWhichNeitherHeaderNorNameIsGood) {
  JournalMaker journal;
  journal.events(100, 400);
  std::filesystem::rename(segment(journal, 0), journal.path() / SegmentName{700, 700'000}.to_string());
  test::write_at(journal.path() / SegmentName{700, 700'000}.to_string(), 60, "damaged");
  const auto done = repair_journal(journal.directory(), check_of(journal));
  ASSERT_FALSE(done.ok());
  EXPECT_NE(done.error().message.find("neither its header nor its name"), std::string::npos) << done.error().message;
}

// The ring of the broker before holds what the journal has given up.
// Taken at its name it would be the oldest one, and all before it removed by retention.
TEST_F(RepairNames, RefusesTheOnlySegmentOfWhichNothingIsGood) {
  JournalMaker journal;
  journal.events(20);
  journal.close_cleanly();
  spoil(journal, 0, 4096, SegmentName{10, journal.position() - 400});
  expect_refused(journal, "neither its header nor its name");
}

// Its name says that it stands behind the next one, so it would be set aside; that it was the oldest would not be said.
TEST_F(RepairNames, RefusesOneAtOddsWithOthersThatMayHaveBeenTheOldest) {
  JournalMaker journal;
  journal.events(100, 400);
  const std::uint64_t second = journal.segments()[1].first_position;
  spoil(journal, 0, test::kTinySegment, SegmentName{900, second - 400});
  expect_refused(journal, "its name contradicts that of");
}

// Its name lies in the middle of the next one, whose good records behind there would be given up for it.
TEST_F(RepairNames, RefusesOneThatBelongsNowhereInTheMiddleOfAnother) {
  JournalMaker journal;
  journal.events(45, 400);
  journal.close_cleanly();
  const std::uint64_t last = journal.segments().back().first_position;
  spoil(journal, 0, 0, SegmentName{900, last + 800});
  expect_refused(journal, "neither its header nor its name");
}

// One of the middle is missed by the others, which say what is lost with it.
TEST_F(RepairNames, SetsOneAsideThatTheOthersMiss) {
  JournalMaker journal;
  journal.events(100, 400);
  journal.roll();
  const auto& names = journal.segments();
  std::set<std::uint64_t> lost;
  for (std::uint64_t s = names[1].first_sequence; s < names[2].first_sequence; ++s) lost.insert(s);
  spoil(journal, 1, test::kTinySegment, SegmentName{900, names[2].first_position - 400});
  const JournalCheck check = test::repair(journal);
  EXPECT_EQ(test::lost_in(check), lost) << describe(check);
  EXPECT_EQ(test::broken_promise(journal, check, false), "");
}

}  // namespace
}  // namespace leat::internal
