// The table of starts (I11): every kind of start against what is retained.
#include "client-lib/read/start_place.h"

#include <gtest/gtest.h>

#include "tests/unit/fixtures/journal_maker.h"

namespace leat::client {
namespace {

using test::JournalMaker;

// Three epochs: 1..20 seen, of which 16..20 were lost; 16..40; 41... Retained from sequence 11 on.
class Places : public ::testing::Test {
 protected:
  Places() {
    journal.events(15);
    const std::uint64_t second = journal.position();
    journal.events(25);
    journal.identity().epochs = {{0xa, 1, 0}, {0xb, 16, second}, {0xc, 41, journal.position()}};
    journal.store(journal.identity());
    journal.events(20);
    window = {.earliest_position = journal.written()[10].position,
              .earliest_sequence = 11,
              .latest_position = journal.position(),
              .latest_sequence = 60};
  }
  StartPlace place(const Start& start) {
    auto files = journal.files();
    return test::must(resolve_start(files, start, window));
  }
  void expect_at(const Start& start, std::uint64_t sequence) {
    const StartPlace found = place(start);
    EXPECT_FALSE(found.reset) << found.why.to_string();
    EXPECT_EQ(found.next_sequence, sequence);
    EXPECT_EQ(found.position, sequence == 61 ? journal.position() : journal.written()[sequence - 1].position);
  }
  void expect_reset(const Start& start, Reset::Reason reason, std::uint64_t wanted) {
    const StartPlace found = place(start);
    ASSERT_TRUE(found.reset);
    EXPECT_EQ(to_string(found.why.reason), to_string(reason));
    EXPECT_EQ(found.why.wanted_sequence, wanted);
    EXPECT_EQ(found.why.earliest_sequence, 11u);
    EXPECT_EQ(found.why.latest_sequence, 60u);
    EXPECT_EQ(found.why.resume, (Cursor{0xc, 10}));
    EXPECT_EQ(found.next_sequence, 11u) << "it goes on at the oldest event retained";
    EXPECT_EQ(found.position, window.earliest_position);
  }

  JournalMaker journal;
  Window window;
};

TEST_F(Places, OfEarliestAndLatest) {
  expect_at(Start::earliest(), 11);
  expect_at(Start::latest(), 61);
}

TEST_F(Places, OfASequence) {
  for (std::uint64_t sequence = 11; sequence <= 61; ++sequence) expect_at(Start::at(sequence), sequence);
  expect_reset(Start::at(10), Reset::Reason::expired, 10);
  expect_reset(Start::at(1), Reset::Reason::expired, 1);
  expect_reset(Start::at(62), Reset::Reason::future, 62);
  expect_reset(Start::at(~0ULL), Reset::Reason::future, ~0ULL);
}

TEST_F(Places, OfACursorInItsEpoch) {
  for (std::uint64_t after = 10; after <= 15; ++after) expect_at(Start::after({0xa, after}), after + 1);
  for (std::uint64_t after = 15; after <= 40; ++after) expect_at(Start::after({0xb, after}), after + 1);
  for (std::uint64_t after = 40; after <= 60; ++after) expect_at(Start::after({0xc, after}), after + 1);
}

TEST_F(Places, OfACursorInTheLostEndOfItsEpoch) {
  expect_reset(Start::after({0xa, 16}), Reset::Reason::lost_tail, 17);
  expect_reset(Start::after({0xa, 20}), Reset::Reason::lost_tail, 21);
  expect_reset(Start::after({0xb, 41}), Reset::Reason::lost_tail, 42);
}

TEST_F(Places, OfACursorThatIsExpiredUnknownOrOfTheFuture) {
  expect_reset(Start::after({0xa, 9}), Reset::Reason::expired, 10);
  expect_reset(Start::after({0xa, 0}), Reset::Reason::expired, 1);
  expect_reset(Start::after({0xd, 30}), Reset::Reason::unknown_epoch, 31);
  expect_reset(Start::after({0, 30}), Reset::Reason::unknown_epoch, 31);
  expect_reset(Start::after({0xc, 61}), Reset::Reason::future, 62);
  expect_reset(Start::after({0xc, 1ULL << 60}), Reset::Reason::future, (1ULL << 60) + 1);
}

TEST_F(Places, OfTheLastCursorThereCanBeIsTheFuture) {
  EXPECT_TRUE(place(Start::after({0xc, ~0ULL})).why.reason == Reset::Reason::future);
}

TEST_F(Places, OfATime) {
  const auto time_of = [&](std::uint64_t sequence) { return journal.written()[sequence - 1].timestamp_ns; };
  expect_at(Start::at_time(time_of(30)), 30);
  expect_at(Start::at_time(time_of(30) + 1), 31);
  expect_at(Start::at_time(time_of(60) + 1), 61);
  expect_at(Start::at_time(1LL << 62), 61);
}

TEST_F(Places, OfATimeThatIsYetToComeKeepTheCondition) {
  const std::int64_t newest = journal.written().back().timestamp_ns;
  for (const std::int64_t time : {newest, newest + 1, std::int64_t{1} << 62, INT64_MAX}) {
    const StartPlace found = place(Start::at_time(time));
    EXPECT_EQ(found.not_before_ns, time);
    EXPECT_EQ(found.found_time, time == newest);
    EXPECT_FALSE(found.reset);
  }
}

TEST_F(Places, OfATimeBeforeWhatIsRetained) {
  window.earliest_position = journal.written()[10].position;
  auto files = journal.files();
  const std::int64_t first = journal.written()[0].timestamp_ns;
  for (const std::int64_t time : {first - 1, std::int64_t{0}, std::int64_t{-1}, INT64_MIN}) {
    // All of the files are there, but the window says that they begin with event 11: what lies before may go at any
    // moment.
    Window later = window;
    later.earliest_position = 0;
    later.earliest_sequence = 2;
    const StartPlace found = test::must(resolve_start(files, Start::at_time(time), later));
    ASSERT_TRUE(found.reset) << time;
    EXPECT_EQ(found.why.reason, Reset::Reason::expired);
    EXPECT_EQ(found.why.wanted_time_ns, time);
    EXPECT_EQ(found.not_before_ns, time) << "the condition is kept over the reset";
    later.earliest_sequence = 1;
    EXPECT_FALSE(test::must(resolve_start(files, Start::at_time(time), later)).reset) << "nothing was ever pruned";
  }
}

TEST_F(Places, OfATimeInAResetAreSaidInWords) {
  Reset reset{.reason = Reset::Reason::expired, .wanted_time_ns = 1'764'201'600'000'000'005};
  EXPECT_NE(reset.to_string().find("all from time 2025-11-27T00:00:00.000000005Z on"), std::string::npos)
      << reset.to_string();
  reset.wanted_time_ns = -1;
  EXPECT_NE(reset.to_string().find("1969-12-31T23:59:59.999999999Z"), std::string::npos) << reset.to_string();
}

TEST_F(Places, OfAnEmptyFeed) {
  JournalMaker empty;
  auto files = empty.files();
  const std::uint64_t epoch = empty.identity().current().id;
  const Window none{.earliest_position = 0, .earliest_sequence = 1, .latest_position = 0, .latest_sequence = 0};
  for (const Start& start : {Start::earliest(), Start::latest(), Start::at(1), Start::after({epoch, 0}),
                             Start::at_time(0), Start::at_time(1LL << 60)}) {
    const StartPlace found = test::must(resolve_start(files, start, none));
    EXPECT_FALSE(found.reset);
    EXPECT_EQ(found.next_sequence, 1u);
    EXPECT_EQ(found.position, 0u);
  }
  EXPECT_TRUE(test::must(resolve_start(files, Start::after({epoch, 1}), none)).reset);
}

}  // namespace
}  // namespace leat::client
