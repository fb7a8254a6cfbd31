// Segments that were cut, and whose headers are gone too: nothing says any more how long they were. Wherever they were
// cut, what is left of them is kept, and no other look at them comes to another length.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <filesystem>

#include "broker/journal/recovery.h"
#include "tests/unit/fixtures/repair_bench.h"

namespace leat::shm {
namespace {

using test::describe;
using test::JournalMaker;

class RepairLength : public ::testing::Test {
 protected:
  RepairLength() { spdlog::set_level(spdlog::level::off); }

  static std::filesystem::path segment(const JournalMaker& journal, std::size_t number) {
    return journal.path() / journal.segments()[number].to_string();
  }
  static void cut_and_behead(const JournalMaker& journal, std::size_t number, std::uint64_t left) {
    std::filesystem::resize_file(segment(journal, number), left);
    test::write_at(segment(journal, number), 0, std::string(std::min<std::uint64_t>(left, kPageBytes), '\0'));
  }
  // The events of segment `number` that do not lie within its first `left` bytes.
  static std::set<std::uint64_t> behind(const JournalMaker& journal, std::size_t number, std::uint64_t left) {
    std::set<std::uint64_t> lost;
    for (const auto& event : journal.written()) {
      const auto place = journal.place_of(event.position);
      if (place.file == segment(journal, number) && place.offset + event.bytes > left) lost.insert(event.sequence);
    }
    return lost;
  }
};

// Lengths that are a whole number of words, and some that are not.
template <typename Try>
void for_each_length(std::uint64_t stride_words, Try try_it) {
  for (std::uint64_t left = 0; left < test::kTinySegment; left += stride_words * kWordBytes) {
    try_it(left);
    if (left % 64 == 0) try_it(left + 3);
    if (::testing::Test::HasFatalFailure()) FAIL() << "cut to " << left;
  }
}

TEST_F(RepairLength, TheOnlySegmentOfAClosedJournal) {
  for_each_length(1, [](std::uint64_t left) {
    JournalMaker journal;
    journal.events(50);
    journal.close_cleanly();
    cut_and_behead(journal, 0, left);
    const JournalCheck check = test::repair(journal);
    ASSERT_EQ(test::lost_in(check), behind(journal, 0, left)) << describe(check);
    ASSERT_EQ(test::broken_promise(journal, check, false), "");
  });
}

// The records fill it, so each cut leaves one that ends near the end of the file.
TEST_F(RepairLength, TheOnlySegmentThatNobodyVouchesFor) {
  for_each_length(2, [](std::uint64_t left) {
    JournalMaker journal;
    journal.events(60);
    ASSERT_EQ(journal.segments().size(), 1u);
    cut_and_behead(journal, 0, left);
    const JournalCheck check = test::repair(journal);
    ASSERT_EQ(test::broken_promise(journal, check, true), "") << describe(check);
    if (check.intact()) return;  // nothing of it was left, and it was long enough: it never reached the disk
    ASSERT_EQ(check.end_sequence + behind(journal, 0, left).size(), journal.sequence());
  });
}

TEST_F(RepairLength, AnyOfSeveral) {
  for (const std::size_t number : {0u, 1u, 2u}) {
    for_each_length(7, [&](std::uint64_t left) {
      JournalMaker journal;
      journal.events(45, 400);
      ASSERT_EQ(journal.segments().size(), 3u);
      journal.close_cleanly();
      cut_and_behead(journal, number, left);
      const JournalCheck check = test::repair(journal);
      ASSERT_EQ(test::lost_in(check), behind(journal, number, left)) << describe(check);
      ASSERT_EQ(test::broken_promise(journal, check, false), "");
    });
  }
}

// Records begin behind the index, and the more of it the longer the file was.
TEST_F(RepairLength, ALargeSegmentWhoseIndexWasLongerThanThatOfWhatIsLeft) {
  JournalMaker journal(64 << 20);
  journal.events(100, 400);
  journal.close_cleanly();
  cut_and_behead(journal, 0, 1 << 20);
  const JournalCheck check = test::repair(journal);
  EXPECT_EQ(test::lost_in(check), std::set<std::uint64_t>{}) << describe(check);
  EXPECT_EQ(test::broken_promise(journal, check, false), "");
}


// Both look at one file, and both must come to the same: it was cut, or it never reached the disk.
TEST_F(RepairLength, IsTheSameForACheckAndForRecovery) {
  for_each_length(2, [](std::uint64_t left) {
    JournalMaker journal;
    journal.events(5);
    journal.roll();
    cut_and_behead(journal, 1, left);
    const JournalCheck check = test::check_of(journal);
    const auto recovered = broker::recover_journal(journal.fd(), journal.path().string(), {});
    ASSERT_EQ(check.intact(), recovered.ok()) << describe(check);
    ASSERT_EQ(check.intact(), is_segment_size(left));
  });
}

}  // namespace
}  // namespace leat::shm
