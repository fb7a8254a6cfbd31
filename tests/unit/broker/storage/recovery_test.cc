// What a broker makes of the journals it may find, where it goes on.
#include "broker/storage/recovery.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "tests/unit/fixtures/log_capture.h"
#include "tests/unit/fixtures/recovery_bench.h"

namespace leat::broker {
namespace {

using namespace internal;
using test::JournalMaker;
using test::Recovery;

TEST_F(Recovery, MakesANewFeedInAnEmptyDirectory) {
  const test::TempDirectory directory;
  const UniqueFd fd(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY));
  const Recovered first = test::must(recover_journal({fd.get(), directory.path().string()}, {}));
  EXPECT_TRUE(first.needs_segment);
  EXPECT_EQ(first.end_position, 0u);
  EXPECT_EQ(first.end_sequence, 0u);
  EXPECT_EQ(first.identity.epochs.size(), 1u);
  const Recovered again = test::must(recover_journal({fd.get(), directory.path().string()}, {}));
  EXPECT_EQ(again.identity.uuid, first.identity.uuid);
  EXPECT_EQ(again.identity.epochs.size(), 1u) << "nothing was there to be lost";
}

TEST_F(Recovery, GoesOnInTheSameEpochAfterACleanClose) {
  JournalMaker journal;
  journal.events(7);
  journal.mark_all(5);
  journal.close_cleanly();
  const Recovered recovered = test::must(recover(journal));
  EXPECT_EQ(recovered.end_position, journal.position());
  EXPECT_EQ(recovered.end_sequence, 7u);
  EXPECT_EQ(recovered.next_producer_id, 5u);
  EXPECT_FALSE(recovered.needs_segment);
  EXPECT_EQ(recovered.identity.epochs.size(), 1u);
  EXPECT_FALSE(recovered.ring_can_go_on);
  EXPECT_FALSE(recovered.identity.closed_cleanly()) << "this is what the broker stores before it writes";
  EXPECT_TRUE(test::must(load_identity(journal.directory())).closed_cleanly())
      << "a start that fails before that leaves no trace";
}

TEST_F(Recovery, BeginsANewEpochWhenNothingProvesThatNothingWasLost) {
  JournalMaker journal;
  journal.events(7);
  const Recovered recovered = test::must(recover(journal));
  ASSERT_EQ(recovered.identity.epochs.size(), 2u);
  EXPECT_EQ(recovered.identity.current().first_sequence, 8u);
  EXPECT_EQ(recovered.identity.current().first_position, journal.position());
  EXPECT_NE(recovered.identity.current().id, recovered.identity.epochs[0].id);
}

TEST_F(Recovery, KeepsTheEpochWhenTheRingShowedNoMoreThanTheJournalHolds) {
  JournalMaker journal;
  journal.events(7);
  for (const std::uint64_t committed : {journal.written()[3].position, journal.position()}) {
    const Recovered recovered =
        test::must(recover(journal, {.known = true, .committed = committed, .round_position = 0}));
    EXPECT_EQ(recovered.identity.epochs.size(), 1u);
    EXPECT_TRUE(recovered.ring_can_go_on);
  }
}

TEST_F(Recovery, BeginsANewEpochWhenTheRingShowedMoreThanTheJournalHolds) {
  JournalMaker journal;
  journal.events(7);
  const Recovered recovered = test::must(
      recover(journal, {.known = true, .committed = journal.position() + 8, .round_position = journal.position()}));
  EXPECT_EQ(recovered.identity.epochs.size(), 2u);
  EXPECT_FALSE(recovered.ring_can_go_on);
}

TEST_F(Recovery, BeginsANewEpochInACopiedDirectoryEvenAfterACleanClose) {
  JournalMaker journal;
  journal.events(3);
  journal.close_cleanly();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the kernel's time stamps are that coarse
  const test::TempDirectory copy;
  std::filesystem::copy(journal.path(), copy.path(), std::filesystem::copy_options::recursive);
  const UniqueFd fd(::open(copy.path().c_str(), O_RDONLY | O_DIRECTORY));
  const Recovered recovered = test::must(recover_journal({fd.get(), copy.path().string()}, {}));
  EXPECT_EQ(recovered.identity.epochs.size(), 2u);
  EXPECT_EQ(recovered.new_epoch, NewEpoch::other_directory);
}

// As overlay does when its lower and upper directories are of two file systems.
TEST_F(Recovery, KeepsTheEpochInADirectoryThatIsOnlyNumberedAnewAfterACleanClose) {
  JournalMaker journal;
  journal.events(3);
  journal.identity().directory_inode += 1;
  journal.close_cleanly();
  const Recovered recovered = test::must(recover(journal));
  EXPECT_EQ(recovered.identity.epochs.size(), 1u);
  struct stat status {};
  ASSERT_EQ(::fstat(journal.fd(), &status), 0);
  EXPECT_EQ(recovered.identity.directory_inode, status.st_ino) << "from now on this one";
}

// Every cause has its own name, and the log a sentence of its own for it.
TEST_F(Recovery, SaysWhichCauseANewEpochHas) {
  test::LogCapture log;
  const auto cause = [&](auto&& arrange, const char* said) {
    log.clear();
    JournalMaker journal;
    journal.events(3);
    LastIncarnation last;
    arrange(journal, last);
    const NewEpoch why = test::must(recover(journal, last)).new_epoch;
    EXPECT_EQ(log.count("new epoch"), why == NewEpoch::no ? 0 : 1) << log.text();
    EXPECT_TRUE(log.says(said)) << "no '" << said << "' in " << log.text();
    return why;
  };
  const auto rings_up_to = [](LastIncarnation& last, std::uint64_t position) {
    last = {.known = true, .committed = position, .round_position = LastIncarnation::kNoRound};
  };
  EXPECT_EQ(cause([&](JournalMaker& journal, LastIncarnation&) { journal.close_cleanly(); }, ""), NewEpoch::no);
  EXPECT_EQ(cause([&](JournalMaker&, LastIncarnation&) {}, "did not close the journal, and its rings are gone"),
            NewEpoch::rings_lost);
  EXPECT_EQ(cause([&](JournalMaker& journal, LastIncarnation& last) { rings_up_to(last, journal.position() + 8); },
                  "consumers were shown events up to position"),
            NewEpoch::below_rings);
  EXPECT_EQ(cause(
                [&](JournalMaker& journal, LastIncarnation& last) {
                  rings_up_to(last, journal.position());
                  journal.identity().directory_inode += 1;
                  journal.store(journal.identity());
                },
                "the journal's directory has inode"),
            NewEpoch::other_directory);
  EXPECT_EQ(cause(
                [&](JournalMaker& journal, LastIncarnation&) {
                  journal.close_cleanly();
                  journal.events(1);
                },
                "was closed at position"),
            NewEpoch::other_end);
  EXPECT_EQ(cause(
                [&](JournalMaker& journal, LastIncarnation&) {
                  journal.identity().closed_change_ns = 1;
                  journal.close_cleanly();
                  journal.identity().closed_change_ns -= 1;
                  journal.store(journal.identity());
                },
                "last segment was changed since it was closed"),
            NewEpoch::changed_since);
}

// As when a backup that was made after a clean stop is copied back over a journal that has gone on since.
TEST_F(Recovery, BeginsANewEpochWhenTheLastSegmentWasWrittenAfterTheCleanClose) {
  JournalMaker journal;
  journal.events(3);
  journal.close_cleanly();
  EXPECT_EQ(test::must(recover(journal)).identity.epochs.size(), 1u);
  const auto file = journal.path() / journal.segments().back().to_string();
  const std::string bytes = test::read_file(file);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the kernel's time stamps are that coarse
  test::write_at(file, 0, bytes);
  EXPECT_EQ(test::must(recover(journal)).identity.epochs.size(), 2u);
}

TEST_F(Recovery, BeginsANewEpochWhenTheRingShowedMoreThanACleanlyClosedJournalHolds) {
  JournalMaker journal;
  journal.events(3);
  journal.close_cleanly();
  const LastIncarnation last{.known = true, .committed = journal.position() + 8, .round_position = journal.position()};
  EXPECT_EQ(test::must(recover(journal, last)).identity.epochs.size(), 2u);
}

TEST_F(Recovery, BeginsANewEpochWhenAllSegmentsAreGone) {
  JournalMaker journal;
  journal.events(3);
  const std::uint64_t epoch = journal.identity().current().id;
  std::filesystem::remove(journal.path() / journal.segments().back().to_string());
  const Recovered recovered = test::must(recover(journal));
  ASSERT_EQ(recovered.identity.epochs.size(), 2u);
  EXPECT_EQ(recovered.end_sequence, 0u);
  // Whoever has seen an event of what is gone is told so.
  EXPECT_EQ(recovered.identity.check({.epoch = epoch, .sequence = 1}), CursorCheck::lost_tail);
}

// What a loss of power can do to segments that nobody was told were durable.
TEST_F(Recovery, EndsBeforeASegmentThatIsMissingIfNobodyVouchesForMore) {
  JournalMaker journal;
  make_four_segments(journal, false);
  std::filesystem::remove(journal.path() / journal.segments()[1].to_string());
  const Recovered recovered = test::must(recover(journal));
  EXPECT_EQ(recovered.end_sequence, 5u);
  EXPECT_EQ(recovered.end_position, journal.segments()[1].first_position);
  EXPECT_TRUE(recovered.needs_segment);
  ASSERT_EQ(recovered.segments.size(), 1u);
  EXPECT_EQ(recovered.identity.epochs.size(), 2u);
}

TEST_F(Recovery, CutsATornRecordInASealedSegmentIfNobodyVouchesForMore) {
  JournalMaker journal;
  make_four_segments(journal, false);
  journal.flip(journal.written()[7].position + 60);  // the segment's end is as it should be
  const Recovered recovered = test::must(recover(journal));
  EXPECT_EQ(recovered.end_sequence, 7u);
  EXPECT_FALSE(recovered.needs_segment);
  EXPECT_EQ(recovered.segments.size(), 2u);
  EXPECT_EQ(test::must(recover(journal)).end_sequence, 7u) << "what was cut stays cut";
}

// Two records of one batch of stores reached the disk, but for the word that says the first is there. Should the next
// life write a record of that length, the second would follow it.
TEST_F(Recovery, CutsAGoodRecordBehindTheEnd) {
  JournalMaker journal;
  journal.events(5);
  const auto first = journal.event();
  const auto second = journal.event();
  journal.overwrite(first.position, std::string(8, '\0'));
  const Recovered recovered = test::must(recover(journal));
  EXPECT_EQ(recovered.end_position, first.position);
  EXPECT_EQ(recovered.end_sequence, 5u);
  const auto place = journal.place_of(second.position);
  EXPECT_EQ(test::read_file(place.file).substr(place.offset, second.bytes), std::string(second.bytes, '\0'));
  EXPECT_FALSE(torn_file(journal).empty()) << "kept aside";
}

// The same with the rings still there: no power was lost, the last broker was killed between the stores of an append.
TEST_F(Recovery, UndoesAnAppendThatAKillCutShortAndCallsItNoTornTail) {
  JournalMaker journal;
  journal.events(5);
  const auto first = journal.event();
  const auto second = journal.event();
  journal.overwrite(first.position, std::string(8, '\0'));
  const auto place = journal.place_of(second.position);
  const Recovered recovered = test::must(recover(journal, {.known = true, .committed = first.position}));
  EXPECT_EQ(recovered.end_position, first.position);
  EXPECT_EQ(recovered.new_epoch, NewEpoch::no);
  EXPECT_EQ(test::read_file(place.file).substr(place.offset, second.bytes), std::string(second.bytes, '\0'));
  EXPECT_TRUE(torn_file(journal).empty()) << "nobody had seen any of it";
}

// After a disk error the rings say nothing about what the disk holds; and what consumers were shown was no unfinished
// append.
TEST_F(Recovery, KeepsAsideWhatARunningHostMayHaveLostAllTheSame) {
  for (const bool failed : {true, false}) {
    JournalMaker journal;
    journal.events(5);
    const auto first = journal.event();
    journal.event();
    journal.overwrite(first.position, std::string(8, '\0'));
    const std::uint64_t shown = failed ? first.position : journal.position();
    (void)test::must(recover(journal, {.known = true, .committed = shown, .failed = failed}));
    EXPECT_FALSE(torn_file(journal).empty()) << (failed ? "a disk error" : "consumers were shown more");
  }
}

// Not what a kill between the stores of an append leaves, though the rings show no more than the journal holds.
TEST_F(Recovery, KeepsAsideWhatNoAppendThatWasCutShortLooksLike) {
  for (const bool in_a_batch : {true, false}) {
    JournalMaker journal;
    journal.events(5);
    const std::uint64_t whole = journal.position();
    if (in_a_batch) journal.batch(4, false);
    const auto last = journal.event(200);
    if (in_a_batch) journal.overwrite(last.position, std::string(8, '\0'));
    else journal.flip(last.position + 100);
    (void)test::must(recover(journal, {.known = true, .committed = whole, .round_position = whole}));
    EXPECT_FALSE(torn_file(journal).empty()) << (in_a_batch ? "an unfinished batch" : "a damaged record");
  }
}

TEST_F(Recovery, PutsTheOnlySegmentAsideWhenItNeverReachedTheDisk) {
  JournalMaker journal;
  const auto file = journal.path() / journal.segments().back().to_string();
  test::write_at(file, 0, std::string(test::read_file(file).size(), '\0'));
  const Recovered recovered = test::must(recover(journal));
  EXPECT_TRUE(recovered.needs_segment);
  EXPECT_TRUE(recovered.segments.empty());
  EXPECT_EQ(recovered.end_sequence, 0u);
  EXPECT_FALSE(torn_file(journal).empty()) << "kept aside";
}

// All before it has been pruned: where the feed stands is known by its name alone, also if the next start fails too.
TEST_F(Recovery, GoesOnAtALostSegmentThatIsTheOnlyOneHoweverOftenItIsTried) {
  JournalMaker journal;
  journal.events(5);
  journal.roll();
  const std::uint64_t end = journal.position();
  std::filesystem::remove(journal.place_of(0).file);
  test::write_at(journal.place_of(end).file, 0, std::string(test::kTinySegment, '\0'));
  for (int i = 0; i < 3; ++i) {
    const Recovered recovered = test::must(recover(journal));
    EXPECT_TRUE(recovered.segments.empty());
    EXPECT_TRUE(recovered.needs_segment);
    EXPECT_EQ(recovered.end_sequence, 5u);
    EXPECT_EQ(recovered.end_position, end);
  }
}

TEST_F(Recovery, KeepsWhatItCutsOfATornTail) {
  JournalMaker journal;
  journal.events(5);
  const std::uint64_t whole = journal.position();
  const auto bad = journal.event(200);
  journal.flip(bad.position + 100);
  const auto place = journal.place_of(whole);
  const std::string before = test::read_file(place.file);
  const Recovered recovered = test::must(recover(journal));
  EXPECT_EQ(recovered.end_position, whole);
  EXPECT_EQ(recovered.end_sequence, 5u);
  EXPECT_EQ(recovered.identity.epochs.size(), 2u);
  const std::string kept = torn_file(journal);
  ASSERT_EQ(kept.size(), bad.bytes);
  EXPECT_EQ(kept, before.substr(place.offset, bad.bytes)) << "the bytes as they were found";
  const std::string after = test::read_file(place.file);
  EXPECT_EQ(after.substr(0, place.offset), before.substr(0, place.offset));
  EXPECT_EQ(after.substr(place.offset), std::string(after.size() - place.offset, '\0'));
  const Recovered again = test::must(recover(journal));
  EXPECT_EQ(again.end_position, whole) << "what was cut stays cut";
}

TEST_F(Recovery, CutsAnUnfinishedBatchWholly) {
  JournalMaker journal;
  journal.events(2);
  const std::uint64_t whole = journal.position();
  journal.batch(4, false);
  const LastIncarnation last{.known = true, .committed = whole, .round_position = whole};
  const Recovered recovered = test::must(recover(journal, last));
  EXPECT_EQ(recovered.end_position, whole);
  EXPECT_EQ(recovered.end_sequence, 2u);
  for (const auto& [producer, events] : recovered.tail) {
    for (const auto& event : events) EXPECT_LE(event.second, 2u) << "what is cut must not count as journaled";
  }
  EXPECT_EQ(torn_file(journal).size(), journal.position() - whole);
  EXPECT_EQ(test::must(recover(journal, last)).end_position, whole);
}

TEST_F(Recovery, TellsWhatTheUnfinishedRoundHadJournaled) {
  JournalMaker journal;
  journal.producer_id = 3;
  journal.events(4);
  const std::uint64_t round = journal.position();
  journal.events(2);
  journal.roll();
  journal.producer_id = 4;
  journal.events(1);
  const Recovered recovered =
      test::must(recover(journal, {.known = true, .committed = round, .round_position = round}));
  ASSERT_EQ(recovered.tail.size(), 2u);
  EXPECT_EQ(recovered.tail.at(3), (std::map<std::uint64_t, std::uint64_t>{{5, 5}, {6, 6}}));
  EXPECT_EQ(recovered.tail.at(4), (std::map<std::uint64_t, std::uint64_t>{{7, 7}}));
}

// A start takes memory and time for the unfinished round, not for all that lies in its segment.
TEST_F(Recovery, NotesNothingOfEarlierRoundsHoweverManyTheSegmentHolds) {
  JournalMaker journal;
  journal.events(100);
  const std::uint64_t round = journal.position();
  EXPECT_TRUE(test::must(recover(journal)).tail.empty()) << "without tickets there is no round";
  EXPECT_TRUE(test::must(recover(journal, {.known = true, .committed = round, .round_position = round})).tail.empty());
  journal.events(2);
  const Recovered recovered = test::must(recover(journal, {.round_position = round}));
  ASSERT_EQ(recovered.tail.size(), 1u) << "tickets without a broadcast ring";
  EXPECT_EQ(recovered.tail.begin()->second, (std::map<std::uint64_t, std::uint64_t>{{101, 101}, {102, 102}}));
}

TEST_F(Recovery, AsksForASegmentWhenTheLastOneIsSealed) {
  JournalMaker journal;
  journal.events(4);
  journal.segment_end();
  const Recovered recovered = test::must(recover(journal));
  EXPECT_TRUE(recovered.needs_segment);
  EXPECT_EQ(recovered.end_position, journal.position());
}

TEST_F(Recovery, PutsASegmentAsideThatNeverReachedTheDisk) {
  JournalMaker journal;
  journal.events(5);
  journal.roll();
  const std::uint64_t end = journal.position();
  test::write_at(journal.place_of(end).file, 0, std::string(test::kTinySegment, '\0'));
  const Recovered recovered = test::must(recover(journal));
  EXPECT_EQ(recovered.end_position, end);
  EXPECT_EQ(recovered.end_sequence, 5u);
  EXPECT_TRUE(recovered.needs_segment);
  EXPECT_EQ(recovered.segments.size(), 1u);
  EXPECT_FALSE(torn_file(journal).empty());
}

TEST_F(Recovery, NeverGivesAProducerIdTwiceWhenTheLastSegmentKnowsLess) {
  JournalMaker journal;
  journal.producer_id = 7;
  journal.events(3);
  journal.mark_all(9);
  journal.roll();
  journal.producer_id = 1;
  journal.events(1);
  EXPECT_GE(test::must(recover(journal)).next_producer_id, 8u)
      << "producer 7 is in the journal: its id must not be given to another";
}

TEST_F(Recovery, KnowsTheNewestTimeStampWhenTheLastSegmentIsEmpty) {
  JournalMaker journal;
  journal.events(3);
  journal.roll();
  EXPECT_EQ(test::must(recover(journal)).last_timestamp_ns, journal.written().back().timestamp_ns)
      << "or time stamps would go back after a step of the clock";
}

}  // namespace
}  // namespace leat::broker
