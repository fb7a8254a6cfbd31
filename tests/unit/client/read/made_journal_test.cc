// Reading made journals without a broker: order across segments, the table of starts, ends and damage.
#include <leat/journal.h>

#include <gtest/gtest.h>

#include "client-lib/read/start_place.h"
#include "record/record.h"
#include "tests/unit/fixtures/journal_maker.h"

namespace leat {
namespace {

using test::JournalMaker;

// Reads to the first poll that is no event; returns it.
Poll read_all(JournalReader& reader, std::vector<std::uint64_t>& sequences) {
  for (;;) {
    EventView event;
    const Poll found = reader.next(event);
    if (found != Poll::event) return found;
    sequences.push_back(event.sequence);
  }
}

void expect_run(const std::vector<std::uint64_t>& sequences, std::uint64_t first, std::uint64_t last) {
  ASSERT_EQ(sequences.size(), last + 1 - first);
  for (std::size_t i = 0; i < sequences.size(); ++i) ASSERT_EQ(sequences[i], first + i);
}

TEST(MadeJournal, ReadsEveryEventOverManySegments) {
  JournalMaker journal;
  for (int i = 0; i < 300; ++i) journal.event(static_cast<std::size_t>(i * 13 % 3000));
  ASSERT_GT(journal.segments().size(), 20u);
  JournalReader reader = test::must(read_journal(journal.path()));
  std::vector<std::uint64_t> sequences;
  EXPECT_EQ(read_all(reader, sequences), Poll::empty);
  expect_run(sequences, 1, 300);
  journal.events(40, 900);  // follows what comes later, over a roll
  EXPECT_EQ(read_all(reader, sequences), Poll::empty);
  expect_run(sequences, 1, 340);
  EXPECT_EQ(reader.cursor(), (Cursor{journal.identity().current().id, 340}));
}

TEST(MadeJournal, SaysWhyALoopOverItEnded) {
  JournalMaker journal;
  journal.events(5);
  journal.gap(6, 9);
  journal.events(3);
  JournalReader reader = test::must(read_journal(journal.path()));
  std::vector<std::uint64_t> sequences;
  const auto take = [&](const EventView& event) { sequences.push_back(event.sequence); };
  Ended ended = reader.for_each([&](const EventView& event) {
    take(event);
    return event.sequence < 2;
  });
  EXPECT_EQ(ended.why, Ended::Why::stopped);
  ended = reader.for_each(take);
  EXPECT_EQ(ended.why, Ended::Why::reset);
  EXPECT_EQ(ended.reset.reason, Reset::Reason::gap);
  EXPECT_EQ(ended.reset.resume.sequence, 9u);
  EXPECT_NE(ended.to_string().find("gap"), std::string::npos);
  ended = reader.for_each(take);
  EXPECT_EQ(ended.why, Ended::Why::idle);
  EXPECT_EQ(sequences, (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 10, 11, 12}));
}

TEST(MadeJournal, StartsAfterAnyCursor) {
  JournalMaker journal;
  journal.events(60, 500);
  const std::uint64_t epoch = journal.identity().current().id;
  for (std::uint64_t after = 0; after <= 60; ++after) {
    JournalReader reader = test::must(read_journal(journal.path(), {epoch, after}));
    std::vector<std::uint64_t> sequences;
    ASSERT_EQ(read_all(reader, sequences), Poll::empty);
    expect_run(sequences, after + 1, 60);
  }
}

TEST(MadeJournal, StartsAtAnyTime) {
  JournalMaker journal;
  journal.events(60, 500);
  for (std::uint64_t i = 0; i < 60; ++i) {
    const std::int64_t time = journal.written()[i].timestamp_ns;
    for (const std::int64_t early : {0, 5}) {
      JournalReader reader = test::must(open_journal(journal.path(), Start::at_time(time - early)));
      std::vector<std::uint64_t> sequences;
      ASSERT_EQ(read_all(reader, sequences), Poll::empty);
      expect_run(sequences, i + 1, 60);
    }
  }
  JournalReader future = test::must(open_journal(journal.path(), Start::at_time(1LL << 60)));
  std::vector<std::uint64_t> sequences;
  EXPECT_EQ(read_all(future, sequences), Poll::empty);
  EXPECT_TRUE(sequences.empty());
}

TEST(MadeJournal, HoldsAnUnfinishedBatchBackUntilItIsWhole) {
  for (const std::size_t payload : {40u, 3000u}) {
    JournalMaker journal(1 << 20);
    journal.events(3);
    const std::uint64_t whole = journal.position();
    journal.batch(30, true, payload);  // at 3000 bytes longer than a reader's buffer
    const std::uint64_t end = journal.position();
    const auto last = journal.written().back();
    const auto place = journal.place_of(whole);
    const std::string bytes = test::read_file(place.file).substr(place.offset, end - whole);
    JournalReader follower = [&] {
      journal.overwrite(last.position, std::string(last.bytes, '\0'));
      return test::must(read_journal(journal.path()));
    }();
    std::vector<std::uint64_t> sequences;
    EXPECT_EQ(read_all(follower, sequences), Poll::empty);
    expect_run(sequences, 1, 3);
    EXPECT_EQ(read_all(follower, sequences), Poll::empty);
    expect_run(sequences, 1, 3);
    journal.overwrite(whole, bytes);
    EXPECT_EQ(read_all(follower, sequences), Poll::empty);
    expect_run(sequences, 1, 33);
  }
}

TEST(MadeJournal, EndsAtATornTail) {
  JournalMaker journal;
  journal.events(5);
  const auto bad = journal.event();
  journal.flip(bad.position + 50);
  JournalReader reader = test::must(read_journal(journal.path()));
  std::vector<std::uint64_t> sequences;
  EXPECT_EQ(read_all(reader, sequences), Poll::empty);
  expect_run(sequences, 1, 5);
}

// What is damaged, and must be an error there and at every later look: never a silent end (I10).
void expect_corrupt_after(JournalMaker& journal, std::uint64_t last_good) {
  JournalReader reader = test::must(read_journal(journal.path()));
  std::vector<std::uint64_t> sequences;
  ASSERT_EQ(read_all(reader, sequences), Poll::error);
  expect_run(sequences, 1, last_good);
  EXPECT_EQ(reader.last_error().code, ErrorCode::corrupt) << reader.last_error().message;
  EventView event;
  EXPECT_EQ(reader.next(event), Poll::error);
}

TEST(MadeJournal, SaysThatARecordInASealedSegmentIsBad) {
  JournalMaker journal;
  journal.events(100, 400);
  journal.mark_all();
  journal.flip(journal.written()[4].position + 60);
  expect_corrupt_after(journal, 4);
}

TEST(MadeJournal, SaysThatARecordBelowAMarkIsBad) {
  JournalMaker journal;
  journal.events(10);
  journal.mark_all();
  journal.flip(journal.written()[4].position + 60);
  expect_corrupt_after(journal, 4);
}

TEST(MadeJournal, SaysThatARecordWithAnImpossibleLengthIsBad) {
  JournalMaker journal;
  journal.events(100, 400);
  journal.mark_all();
  journal.overwrite(journal.written()[4].position + 8, "\xff\xff\xff\x7f");
  expect_corrupt_after(journal, 4);
}

TEST(MadeJournal, SaysThatAZeroedRecordInASealedSegmentIsBad) {
  JournalMaker journal;
  journal.events(100, 400);
  journal.mark_all();
  journal.overwrite(journal.written()[4].position, std::string(8, '\0'));
  expect_corrupt_after(journal, 4);
}

// As a broker that counts wrongly would write it: each record is good, and one is not the event that comes next.
TEST(MadeJournal, SaysThatTheNextEventIsNotTheNextNumber) {
  JournalMaker journal;
  journal.events(100, 400);
  journal.mark_all();
  const auto& wrong = journal.written()[4];
  std::string record = journal.string().substr(wrong.position, wrong.bytes);
  auto& header = *reinterpret_cast<internal::RecordHeader*>(record.data());
  for (const std::uint64_t sequence : {wrong.sequence + 1, wrong.sequence - 1}) {
    header.sequence = sequence;
    header.checksum = internal::record_checksum(record.data(), header.length, journal.seed(), wrong.position);
    journal.overwrite(wrong.position, record);
    expect_corrupt_after(journal, 4);
  }
}

TEST(MadeJournal, SaysThatABatchInASealedSegmentIsBad) {
  JournalMaker journal;
  journal.events(3);
  journal.batch(5);
  journal.events(2);
  journal.roll();
  journal.events(5);
  journal.mark_all();
  journal.flip(journal.written()[5].position + 60);  // the third of the batch
  expect_corrupt_after(journal, 3);
}

TEST(MadeJournal, SaysThatASegmentInTheMiddleIsMissing) {
  JournalMaker journal;
  journal.events(100, 400);
  journal.mark_all();
  ASSERT_GT(journal.segments().size(), 3u);
  const auto gone = journal.segments()[1];
  std::filesystem::remove(journal.path() / gone.to_string());
  JournalReader reader = test::must(read_journal(journal.path()));
  std::vector<std::uint64_t> sequences;
  EXPECT_EQ(read_all(reader, sequences), Poll::error) << "the journal goes on: its end is not here";
  expect_run(sequences, 1, gone.first_sequence - 1);
}

// Longer than what is left of the file, but not than a file can be: no end either.
TEST(MadeJournal, SaysThatARecordThatRunsBeyondItsSegmentIsBad) {
  JournalMaker journal;
  journal.events(100, 400);
  journal.mark_all();
  journal.overwrite(journal.written()[15].position + 8, std::string("\x00\x1f\x00\x00", 4));
  expect_corrupt_after(journal, 15);
}

TEST(MadeJournal, GivesNoResetForAPlaceBeyondDamage) {
  JournalMaker journal;
  journal.events(10);
  journal.mark_all();
  journal.events(10);
  journal.flip(journal.written()[4].position + 60);
  const auto reader = read_journal(journal.path(), {journal.identity().current().id, 20});
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().code, ErrorCode::corrupt);
}

// As recovery: what nobody was told to be durable may be lost in the middle, and what comes behind it goes too.
TEST(MadeJournal, EndsAtATornRecordInASealedSegmentIfNobodyVouchesForMore) {
  JournalMaker journal;
  journal.events(100, 400);
  journal.flip(journal.written()[4].position + 60);
  JournalReader reader = test::must(read_journal(journal.path()));
  std::vector<std::uint64_t> sequences;
  EXPECT_EQ(read_all(reader, sequences), Poll::empty);
  expect_run(sequences, 1, 4);
  EXPECT_EQ(test::must(inspect_journal(journal.path())).latest_sequence, 4u);
}

TEST(MadeJournal, ReadsNothingOfASegmentWithoutAHeader) {
  JournalMaker journal;
  journal.events(5);
  test::write_at(journal.place_of(0).file, 0, std::string(512, '\0'));
  JournalReader reader = test::must(read_journal(journal.path()));
  std::vector<std::uint64_t> sequences;
  EXPECT_EQ(read_all(reader, sequences), Poll::empty);
  EXPECT_TRUE(sequences.empty()) << "recovery will put it aside";
}

TEST(MadeJournal, TellsOfAGap) {
  JournalMaker journal;
  journal.events(3);
  journal.gap(4, 9);
  journal.events(2);
  JournalReader reader = test::must(read_journal(journal.path()));
  std::vector<std::uint64_t> sequences;
  EXPECT_EQ(read_all(reader, sequences), Poll::reset);
  EXPECT_EQ(reader.last_reset().reason, Reset::Reason::gap);
  EXPECT_EQ(reader.last_reset().wanted_sequence, 4u);
  EXPECT_EQ(read_all(reader, sequences), Poll::empty);
  EXPECT_EQ(sequences, (std::vector<std::uint64_t>{1, 2, 3, 10, 11}));
}

TEST(MadeJournal, DoesNotBelieveAGapThatPassesMoreOverThanItSays) {
  JournalMaker journal;
  journal.events(3);
  journal.gap(5, 9);  // and event 4?
  journal.events(2);
  JournalReader reader = test::must(read_journal(journal.path()));
  std::vector<std::uint64_t> sequences;
  EXPECT_EQ(read_all(reader, sequences), Poll::error);
  EXPECT_EQ(sequences, (std::vector<std::uint64_t>{1, 2, 3}));
  EventView event;
  EXPECT_EQ(reader.next(event), Poll::error) << "and it stays there";
}

TEST(MadeJournal, ReadsAnEmptyOne) {
  JournalMaker journal;
  JournalReader reader = test::must(read_journal(journal.path()));
  std::vector<std::uint64_t> sequences;
  EXPECT_EQ(read_all(reader, sequences), Poll::empty);
  const JournalInfo info = test::must(inspect_journal(journal.path()));
  EXPECT_EQ(info.earliest_sequence, 1u);
  EXPECT_EQ(info.latest_sequence, 0u);
  EXPECT_EQ(info.segments, 1u);
}

TEST(MadeJournal, IsNamedWhenThereIsNone) {
  const test::TempDirectory directory;
  EXPECT_EQ(read_journal(directory.path()).error().code, ErrorCode::unknown_feed);
  EXPECT_EQ(read_journal(directory.path() / "nothing").error().code, ErrorCode::unknown_feed);
}

}  // namespace
}  // namespace leat
