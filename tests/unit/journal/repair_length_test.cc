// Segments that were cut, and whose headers are gone too: nothing says any more how long they were. Wherever they were
// cut, what is left of them is kept, and no other look at them comes to another length.
#include <gtest/gtest.h>

#include <filesystem>

#include "broker/storage/recovery.h"
#include "broker/log.h"
#include "tests/unit/fixtures/repair_bench.h"

namespace leat::internal {
namespace {

using test::describe;
using test::JournalMaker;
using test::segment;

class RepairLength : public ::testing::Test {
 protected:
  RepairLength() { broker::Log::set_level("off"); }

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

constexpr std::uint64_t kSegmentBytes = 2 * kMinSegmentBytes;  // so that what is left can be as long as another segment

// Each whole number of words near the end of a page, where records leave no room; elsewhere some, and some odd ones.
template <typename Try>
void for_each_length(std::uint64_t stride_bytes, Try try_it) {
  constexpr std::uint64_t kNear = 3 * kRecordHeaderBytes;
  for (std::uint64_t left = 0, step = 0; left < kSegmentBytes; left += step) {
    const std::uint64_t into = (left + kNear) % kPageBytes;
    step = into <= 2 * kNear ? kWordBytes : std::min(align_up(stride_bytes, kWordBytes), kPageBytes - into);
    try_it(left);
    if (into > 2 * kNear) try_it(left + 3);
    if (::testing::Test::HasFatalFailure()) FAIL() << "cut to " << left;
  }
}

TEST_F(RepairLength, TheOnlySegmentOfAClosedJournal) {
  for_each_length(400, [](std::uint64_t left) {
    JournalMaker journal(kSegmentBytes);
    journal.events(130);
    journal.close_cleanly();
    ASSERT_EQ(journal.segments().size(), 1u);
    cut_and_behead(journal, 0, left);
    const JournalCheck check = test::repair(journal);
    ASSERT_EQ(test::lost_in(check), behind(journal, 0, left)) << describe(check);
    ASSERT_EQ(test::broken_promise(journal, check, false), "");
  });
}

TEST_F(RepairLength, TheOnlySegmentThatNobodyVouchesFor) {
  for_each_length(100, [](std::uint64_t left) {
    JournalMaker journal(kSegmentBytes);
    journal.events(130);
    cut_and_behead(journal, 0, left);
    const JournalCheck check = test::repair(journal);
    ASSERT_EQ(test::broken_promise(journal, check, true), "") << describe(check);
    if (check.intact()) return;  // nothing of it was left, and it was long enough: it never reached the disk
    ASSERT_EQ(check.end_sequence + behind(journal, 0, left).size(), journal.sequence());
  });
}

TEST_F(RepairLength, AnyOfSeveral) {
  for (const std::size_t number : {0u, 1u, 2u}) {
    for_each_length(600, [&](std::uint64_t left) {
      JournalMaker journal(kSegmentBytes);
      journal.events(130, 400);
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
  for_each_length(100, [](std::uint64_t left) {
    JournalMaker journal(kSegmentBytes);
    journal.events(5);
    journal.roll();
    cut_and_behead(journal, 1, left);
    const JournalCheck check = test::check_of(journal);
    const auto recovered = broker::recover_journal(journal.directory(), {});
    ASSERT_EQ(check.intact(), recovered.ok()) << describe(check);
    ASSERT_EQ(check.intact(), is_segment_size(left));
  });
}

}  // namespace
}  // namespace leat::internal
