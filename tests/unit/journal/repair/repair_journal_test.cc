// What leat repair makes of damaged journals: as little as possible is lost, what is lost is said, the rest stays as
// it was.
#include "journal/repair/repair_journal.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "broker/log.h"
#include "broker/storage/recovery.h"
#include "journal/format/cursor_file.h"
#include "tests/unit/fixtures/repair_bench.h"

namespace leat::internal {
namespace {

using test::check_of;
using test::describe;
using test::JournalMaker;
using test::repair;
using test::segment;

class RepairJournal : public ::testing::Test {
 protected:
  RepairJournal() { broker::Log::set_level("off"); }
  // Repairs, and expects just these events to be lost, and all promises to be kept.
  static JournalCheck expect_lost(JournalMaker& journal, std::set<std::uint64_t> lost, bool may_be_torn = false) {
    JournalCheck check = repair(journal);
    EXPECT_EQ(test::lost_in(check), lost) << describe(check);
    EXPECT_EQ(test::broken_promise(journal, check, may_be_torn), "");
    if (const FeedIdentity after = identity_of(journal); after.closed_cleanly()) {
      const auto recovered = test::must(broker::recover_journal(journal.directory(), {}));
      EXPECT_EQ(recovered.identity.epochs.size(), after.epochs.size()) << "closed, so there is nothing to doubt";
    }
    return check;
  }
  static std::string kept_aside(const JournalMaker& journal, const std::string& prefix) {
    for (const auto& [name, bytes] : test::read_files(journal.path())) {
      if (name.starts_with(prefix)) return bytes;
    }
    return "";
  }
  static FeedIdentity identity_of(const JournalMaker& journal) {
    return test::must(load_identity(journal.directory()));
  }
};

TEST_F(RepairJournal, LeavesAnIntactOneAlone) {
  JournalMaker journal;
  journal.events(100, 400);
  const test::FileSet before = test::read_files(journal.path());
  repair(journal);
  test::FileSet after = test::read_files(journal.path());
  after.erase("lock");
  EXPECT_EQ(before, after);
}

TEST_F(RepairJournal, PutsAGapWhereARecordInASealedSegmentWas) {
  JournalMaker journal;
  journal.events(100, 400);
  journal.mark_all();
  const auto& bad = journal.written()[7];
  journal.flip(bad.position + 60);
  const auto place = journal.place_of(bad.position);
  const std::string before = test::read_file(place.file).substr(place.offset, bad.bytes);
  expect_lost(journal, {8});
  EXPECT_EQ(kept_aside(journal, "torn-" + std::to_string(bad.position) + "-"), before);
  const auto read = test::read_over_gaps(journal);
  ASSERT_EQ(read.resets.size(), 1u);
  EXPECT_EQ(read.resets[0].wanted_sequence, 8u);
  EXPECT_EQ(read.resets[0].resume.sequence, 8u);
  EXPECT_EQ(read.resets[0].earliest_sequence, 1u);
  EXPECT_EQ(read.resets[0].latest_sequence, 100u);
}

// 56 bytes: less than a gap with a payload takes.
TEST_F(RepairJournal, FitsAGapIntoTheSmallestRecord) {
  JournalMaker journal;
  journal.topic = "t";
  journal.with_key = false;
  journal.events(5, 0);
  journal.roll();
  ASSERT_EQ(journal.written()[2].bytes, 56u);
  journal.flip(journal.written()[2].position + 20);
  expect_lost(journal, {3});
}

TEST_F(RepairJournal, LosesNoEventForADamagedMarkOrSegmentEnd) {
  JournalMaker journal;
  journal.events(5);
  const std::uint64_t mark = journal.position();
  journal.mark_all();
  journal.events(5);
  const std::uint64_t end = journal.position();
  journal.roll();
  journal.events(5);
  journal.mark_all();
  journal.flip(mark + 50);
  journal.flip(end + 16);
  expect_lost(journal, {});
}

TEST_F(RepairJournal, GivesUpTheWholeBatchOfADamagedEvent) {
  for (const std::size_t damaged : {3u, 4u, 5u, 6u}) {
    JournalMaker journal;
    journal.events(3);
    journal.batch(4);  // 4, 5, 6, 7
    journal.events(2);
    journal.roll();
    journal.flip(journal.written()[damaged].position +
                 58);  // the header stays readable, which tells where the batch ends
    expect_lost(journal, {4, 5, 6, 7});
  }
}

TEST_F(RepairJournal, GivesUpTheBatchAroundAHeaderThatCannotBeRead) {
  JournalMaker journal;
  journal.events(3);
  journal.batch(4);
  journal.events(2);
  journal.roll();
  journal.overwrite(journal.written()[4].position, std::string(48, '\x5a'));
  expect_lost(journal, {4, 5, 6, 7});
}

// The rest of the batch is good, but its end is damaged, and nothing good follows.
TEST_F(RepairJournal, CountsTheRestOfABatchWhoseEndIsDamagedTooAmongTheLost) {
  JournalMaker journal;
  journal.events(3);
  journal.batch(4);
  journal.close_cleanly();
  journal.flip(journal.written()[3].position + 58);
  journal.flip(journal.written()[6].position + 58);
  expect_lost(journal, {4, 5, 6, 7});
}

TEST_F(RepairJournal, GoesOnBehindALongHole) {
  JournalMaker journal(1 << 20);
  journal.events(200, 2000);
  journal.roll();
  journal.events(3);
  const auto& from = journal.written()[10];
  const auto& to = journal.written()[180];
  journal.overwrite(from.position, std::string(to.position - from.position, '\x77'));
  std::set<std::uint64_t> lost;
  for (std::uint64_t s = 11; s <= 180; ++s) lost.insert(s);
  expect_lost(journal, lost);
}

TEST_F(RepairJournal, MendsTheLastSegmentBeforeAMarkAndSealsIt) {
  JournalMaker journal;
  journal.producer_id = 5;
  journal.events(10);
  journal.mark_all(6);
  journal.events(2);
  journal.flip(journal.written()[4].position + 60);
  expect_lost(journal, {5});
  const broker::Recovered recovered = test::must(broker::recover_journal(journal.directory(), {}));
  EXPECT_TRUE(recovered.needs_segment);
  EXPECT_EQ(recovered.end_sequence, 12u);
  EXPECT_GE(recovered.next_producer_id, 7u) << "what is lost may have been the first of another producer";
}

TEST_F(RepairJournal, GivesUpTheLostEndOfACleanlyClosedJournalButNotItsNumbers) {
  JournalMaker journal;
  journal.events(10);
  journal.close_cleanly();
  journal.overwrite(journal.written()[7].position,
                    std::string(journal.position() - journal.written()[7].position, '\0'));
  expect_lost(journal, {8, 9, 10});
  EXPECT_TRUE(identity_of(journal).closed_cleanly());
  EXPECT_TRUE(check_of(journal).segments.back().sealed);
}

TEST_F(RepairJournal, GivesUpTheLastSegmentOfACleanlyClosedJournal) {
  JournalMaker journal;
  journal.events(5);
  journal.roll();
  journal.events(5);
  journal.close_cleanly();
  std::filesystem::remove(segment(journal, 1));
  expect_lost(journal, {6, 7, 8, 9, 10});
}

TEST_F(RepairJournal, BeginsAnewWhenEverySegmentOfACleanlyClosedJournalIsGone) {
  JournalMaker journal;
  journal.events(5);
  journal.close_cleanly();
  std::filesystem::remove(segment(journal, 0));
  repair(journal);
  EXPECT_TRUE(check_of(journal).intact());
  const broker::Recovered recovered = test::must(broker::recover_journal(journal.directory(), {}));
  EXPECT_EQ(recovered.end_sequence, 5u);
  EXPECT_EQ(recovered.end_position, journal.position());
}

TEST_F(RepairJournal, PutsASegmentWithAGapWhereSomeAreMissing) {
  JournalMaker journal;
  journal.events(100, 400);
  for (const std::size_t i : {1u, 2u, 4u}) std::filesystem::remove(segment(journal, i));
  std::set<std::uint64_t> lost;
  for (const std::size_t i : {1u, 2u, 4u}) {
    for (auto s = journal.segments()[i].first_sequence; s < journal.segments()[i + 1].first_sequence; ++s)
      lost.insert(s);
  }
  expect_lost(journal, lost);
  struct stat status {};
  ASSERT_EQ(::stat(segment(journal, 1).c_str(), &status), 0);
  EXPECT_GE(status.st_blocks * 512, status.st_size) << "it is recycled: a store into a hole could find no room";
}

TEST_F(RepairJournal, MendsHeaderIndexSizeAndName) {
  JournalMaker journal;
  journal.events(100, 400);
  journal.roll();
  journal.flip_in_file(segment(journal, 1), 60);
  journal.flip_in_file(segment(journal, 2), 4096 + 9);
  const std::string too_much(4096, 'x');
  test::write_at(segment(journal, 3), test::kTinySegment, too_much);
  std::filesystem::rename(segment(journal, 0), journal.path() / SegmentName{77, 4242}.to_string());
  const std::string index = test::read_file(segment(journal, 2)).substr(4096, 4096);
  expect_lost(journal, {});
  EXPECT_EQ(kept_aside(journal, "torn-" + std::to_string(journal.segments()[2].first_position)), index);
  EXPECT_EQ(kept_aside(journal, "torn-" + std::to_string(journal.segments()[3].first_position)), too_much);
}

TEST_F(RepairJournal, WritesTheEpochOfItsTimeIntoAHeaderMadeAnew) {
  JournalMaker journal;
  journal.events(100, 400);
  const SegmentName& middle = journal.segments()[2];
  FeedIdentity identity = journal.identity();
  identity.epochs.push_back(
      {.id = 4711, .first_sequence = middle.first_sequence, .first_position = middle.first_position});
  journal.store(identity);
  journal.flip_in_file(segment(journal, 1), 60);
  journal.flip_in_file(segment(journal, 3), 60);
  expect_lost(journal, {});
  const JournalCheck after = check_of(journal);
  EXPECT_EQ(after.segments[1].epoch, identity.epochs[0].id);
  EXPECT_EQ(after.segments[3].epoch, 4711u);
}

TEST_F(RepairJournal, LeavesNothingInTheIndexThatAHoleHasSwallowed) {
  JournalMaker journal(1 << 20);
  journal.events(500, 1500);
  journal.roll();
  const auto index = [&] { return test::must(journal.files().read_index(journal.segments()[0])); };
  const auto before = index();
  ASSERT_GT(before.size(), 5u);
  const std::uint64_t damaged = before[3].sequence;
  journal.flip(before[3].position + 60);
  expect_lost(journal, {damaged});
  const auto after = index();
  EXPECT_EQ(after.size(), before.size()) << "the next record takes its place";
  for (const IndexEntry& entry : after) EXPECT_NE(entry.sequence, damaged);
}

TEST_F(RepairJournal, RemakesTheIndexAsTheWriterMadeIt) {
  JournalMaker journal(1 << 20);
  journal.events(500, 1500);
  journal.roll();
  const std::string before = test::read_file(segment(journal, 0)).substr(0, 8192);
  test::write_at(segment(journal, 0), 4096, std::string(64, '\x11'));
  expect_lost(journal, {});
  EXPECT_EQ(test::read_file(segment(journal, 0)).substr(0, 8192), before);
}

TEST_F(RepairJournal, GivesUpWhatWasCutOffASegment) {
  for (const std::uint64_t left : {0u, 100u, 9000u}) {
    JournalMaker journal;
    journal.events(100, 400);
    std::filesystem::resize_file(segment(journal, 1), left);
    std::set<std::uint64_t> lost;
    for (const auto& event : journal.written()) {
      const auto place = journal.place_of(event.position);
      if (place.file == segment(journal, 1) && place.offset + event.bytes > left) lost.insert(event.sequence);
    }
    expect_lost(journal, lost);
  }
}

TEST_F(RepairJournal, SetsASegmentOfAnotherFeedAside) {
  JournalMaker other;
  other.events(3);
  JournalMaker journal;
  journal.events(100, 400);
  std::filesystem::copy_file(segment(other, 0), journal.path() / SegmentName{5, 99999}.to_string());
  const JournalCheck check = expect_lost(journal, {});
  EXPECT_EQ(check.damages.front().kind, DamageKind::stray);
}

TEST_F(RepairJournal, PutsOneWrongByteOfTheIdentityRight) {
  JournalMaker journal;
  journal.events(100, 400);
  for (const std::uint64_t at : {1u, 9u, 20u, 50u, 64u, 90u}) {
    const FeedIdentity before = identity_of(journal);
    journal.flip_in_file(journal.path() / kIdentityFileName, at);
    expect_lost(journal, {});
    const FeedIdentity after = identity_of(journal);
    EXPECT_EQ(after.uuid, before.uuid);
    EXPECT_EQ(after.epochs.front().id, before.epochs.front().id);
    EXPECT_EQ(after.epochs.size(), before.epochs.size() + 1);
  }
}

// Where an epoch began is only known to lie between two segments: a cursor may get a reset too many, never one too few.
TEST_F(RepairJournal, MakesTheIdentityAnewFromTheSegments) {
  JournalMaker journal;
  journal.events(100, 400);
  const std::uint64_t epoch = journal.identity().current().id;
  test::write_at(journal.path() / kIdentityFileName, 16, std::string(60, '\x5a'));
  const JournalCheck check = repair(journal);
  EXPECT_TRUE(test::lost_in(check).empty()) << describe(check);
  const FeedIdentity after = identity_of(journal);
  EXPECT_EQ(after.uuid, journal.identity().uuid);
  const std::uint64_t last = journal.segments().back().first_sequence;
  EXPECT_EQ(after.check({.epoch = epoch, .sequence = last - 1}), CursorCheck::ok);
  EXPECT_EQ(after.check({.epoch = epoch, .sequence = last}), CursorCheck::lost_tail) << "it cannot be known";
  EXPECT_EQ(test::broken_promise(journal, check, false), "");
}

TEST_F(RepairJournal, GivesDamagedCursorsUpUnlessOneByteIsWrong) {
  JournalMaker journal;
  journal.events(5);
  CursorEntry entry{};
  entry.name[0] = 'x';
  entry.sequence = 3;
  const auto load = [&] { return test::must(load_cursors(journal.directory(), journal.identity().uuid)); };
  test::must(store_cursors(journal.directory(), journal.identity().uuid, {entry}));
  journal.flip_in_file(journal.path() / kCursorsFileName, 32 + 72);
  expect_lost(journal, {});
  ASSERT_EQ(load().size(), 1u);
  EXPECT_EQ(load()[0].sequence, 3u);
  test::write_at(journal.path() / kCursorsFileName, 40, "damaged");
  expect_lost(journal, {});
  EXPECT_TRUE(load().empty());
  EXPECT_EQ(kept_aside(journal, "torn-cursors-").size(), sizeof(CursorsHeader) + sizeof entry + 8);
}

TEST_F(RepairJournal, BeginsANewEpochInWhichEarlierCursorsStayGood) {
  JournalMaker journal;
  journal.events(100, 400);
  const std::uint64_t epoch = journal.identity().current().id;
  for (const std::size_t i : {9u, 10u, 11u}) journal.flip(journal.written()[i].position + 60);
  expect_lost(journal, {10, 11, 12});
  const FeedIdentity after = identity_of(journal);
  EXPECT_EQ(after.epochs.size(), 2u);
  EXPECT_NE(after.current().id, epoch);
  EXPECT_EQ(after.current().first_sequence, 101u);
  // Before the gap, behind it, and beyond what there is.
  EXPECT_EQ(test::read_over_gaps(journal, {epoch, 5}).sequences.front(), 6u);
  EXPECT_EQ(test::read_over_gaps(journal, {epoch, 40}).sequences.front(), 41u);
  EXPECT_TRUE(test::read_over_gaps(journal, {epoch, 40}).resets.empty());
  EXPECT_EQ(test::read_over_gaps(journal, {epoch, 105}).resets.front().reason, Reset::Reason::lost_tail);
  // In it: the reset says gap, and the reader goes on behind it.
  for (const std::uint64_t in : {9u, 10u, 11u}) {
    const auto read = test::read_over_gaps(journal, {epoch, in});
    ASSERT_EQ(read.resets.size(), 1u) << in;
    EXPECT_EQ(read.resets[0].reason, Reset::Reason::gap);
    EXPECT_EQ(read.resets[0].wanted_sequence, in + 1);
    EXPECT_EQ(read.sequences.front(), 13u);
  }
  EXPECT_TRUE(test::read_over_gaps(journal, {epoch, 12}).resets.empty()) << "whoever saw all of it has missed nothing";
}

TEST_F(RepairJournal, DoesNothingTheSecondTime) {
  JournalMaker journal;
  journal.events(100, 400);
  journal.close_cleanly();
  journal.flip(journal.written()[9].position + 60);
  repair(journal);
  const test::FileSet once = test::read_files(journal.path());
  EXPECT_TRUE(repair(journal).intact());
  EXPECT_EQ(test::read_files(journal.path()), once);
}

TEST_F(RepairJournal, IsRefusedWhileAnotherHoldsTheLock) {
  JournalMaker journal;
  const FileLock held = test::must(lock_journal(journal.directory()));
  const auto second = lock_journal(journal.directory());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::busy);
}

TEST_F(RepairJournal, RefusesTwoSegmentsThatBothSeemRightAndChangesNothing) {
  JournalMaker journal;
  journal.events(100, 400);
  const SegmentName name = journal.segments()[2];
  const SegmentHeader header = make_segment_header(journal.identity().uuid, test::kTinySegment, name.first_sequence + 1,
                                                   name.first_position, 1, 0);
  const auto other = journal.path() / SegmentName{name.first_sequence + 1, name.first_position}.to_string();
  std::filesystem::copy_file(segment(journal, 2), other);
  test::write_at(other, 0, std::string(reinterpret_cast<const char*>(&header), sizeof header));
  const test::FileSet before = test::read_files(journal.path());
  const auto done = repair_journal(journal.directory(), check_of(journal));
  ASSERT_FALSE(done.ok());
  EXPECT_NE(done.error().message.find("cannot be repaired"), std::string::npos) << done.error().message;
  EXPECT_EQ(test::read_files(journal.path()), before);
}

TEST_F(RepairJournal, KeepsTheNextBrokerFromGoingOnInTheOldRing) {
  JournalMaker journal;
  journal.events(10);
  journal.mark_all();
  const broker::LastIncarnation last{.known = true,
                                     .committed = journal.position(),
                                     .round_position = journal.position(),
                                     .epoch = journal.identity().current().id};
  journal.flip(journal.written()[4].position + 60);
  repair(journal);
  const broker::Recovered recovered = test::must(broker::recover_journal(journal.directory(), last));
  EXPECT_FALSE(recovered.ring_can_go_on);
  EXPECT_EQ(recovered.end_sequence, 10u);
}

}  // namespace
}  // namespace leat::internal
