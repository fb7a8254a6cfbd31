// The event reader by itself: what a look says, in which order, and what stays as it is meanwhile.
#include "client-lib/read/event_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/fixtures/ring_and_journal.h"

namespace leat::client {
namespace {

using Found = EventReader::Found;
using test::JournalMaker;

// A poll, as an owner makes it that has nowhere else to look.
Found poll(EventReader& reader, EventView& out) {
  if (reader.take_buffered(out)) return Found::event;
  reader.begin_poll();
  return reader.look(out);
}

void expect_events(EventReader& reader, std::uint64_t first, std::uint64_t last) {
  EventView event;
  for (std::uint64_t sequence = first; sequence <= last; ++sequence) {
    ASSERT_EQ(poll(reader, event), Found::event);
    ASSERT_EQ(event.sequence, sequence);
    ASSERT_EQ(reader.cursor(), event.cursor);
  }
}

void open(EventReader& reader, const JournalMaker& journal, const Start& start = Start::earliest()) {
  const auto opened = reader.open(journal.files(), start);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
}

TEST(AnEventReader, ReadsWithAndWithoutARing) {
  test::RingAndJournal feed;
  feed.journal.events(30, 50);
  feed.publish();
  EventReader without;
  open(without, feed.journal);
  EventReader with;
  with.read_on(feed.stream(), {});
  EventView event;
  for (EventReader* reader : {&without, &with}) {
    expect_events(*reader, 1, 30);
    EXPECT_EQ(poll(*reader, event), Found::end);
    reader->report_place();
    EXPECT_EQ(reader->stats().delivered, 30u);
  }
  EXPECT_EQ(without.stats().ring_bytes, 0u);
  EXPECT_EQ(with.stats().journal_bytes, 0u);
  EXPECT_FALSE(without.take_buffered(event)) << "without a ring the end of the files may be half a batch";
}

TEST(AnEventReader, TakesTheSlowWayWhileItIsToldTo) {
  test::RingAndJournal feed;
  feed.journal.events(30, 50);
  feed.publish();
  EventReader reader;
  reader.read_on(feed.stream(), {});
  expect_events(reader, 1, 1);
  EventView event;
  reader.keep_to_slow_way(true);
  EXPECT_FALSE(reader.take_buffered(event));
  EXPECT_EQ(reader.cursor().sequence, 1u);
  expect_events(reader, 2, 3);
  reader.keep_to_slow_way(false);
  EXPECT_EQ(reader.take_buffered(event), internal::pages_are_wiped());
}

TEST(AnEventReader, StopsAfterSomeThousandEventsThatAFilterLeavesOut) {
  JournalMaker journal(1 << 20);
  journal.events(9000);
  EventReader reader(test::must(TopicFilter::parse("another.topic")));
  open(reader, journal);
  EventView event;
  EXPECT_EQ(poll(reader, event), Found::left_out);
  EXPECT_EQ(reader.stats().filtered, 4096u);
  EXPECT_EQ(poll(reader, event), Found::left_out);
  EXPECT_EQ(poll(reader, event), Found::end);
  EXPECT_EQ(reader.stats().filtered, 9000u);
  EXPECT_EQ(reader.stats().delivered, 0u);
  EXPECT_EQ(reader.cursor().sequence, 9000u) << "the place says how far was looked";
}

TEST(AnEventReader, PutsWhatIsPendingBeforeAnyEvent) {
  test::RingAndJournal feed;
  feed.journal.events(30, 50);
  feed.publish();
  EventReader reader;
  reader.read_on(feed.stream(), {});
  expect_events(reader, 1, 5);
  reader.report({ErrorCode::busy, "no slot"});
  EXPECT_TRUE(reader.has_pending_error());
  EventView event;
  EXPECT_EQ(poll(reader, event), Found::error);
  EXPECT_EQ(reader.last_error().message, "no slot");
  EXPECT_FALSE(reader.has_pending_error());
  expect_events(reader, 6, 30);
}

TEST(AnEventReader, KeepsTheBytesOfTheLastEventUntilTheNextPollWhateverItReadsOnIn) {
  JournalMaker first;
  first.events(5, 300);
  JournalMaker second;
  second.events(7, 20);
  EventReader reader;
  open(reader, first);
  EventView event;
  ASSERT_EQ(poll(reader, event), Found::event);
  const std::string payload(event.payload);
  const std::string topic(event.topic);
  open(reader, second, Start::after(reader.cursor()));  // another feed: a Reset is pending
  EXPECT_TRUE(reader.has_pending_reset());
  EXPECT_EQ(event.payload, payload);
  EXPECT_EQ(event.topic, topic);
  ASSERT_EQ(poll(reader, event), Found::reset);
  EXPECT_EQ(reader.last_reset().reason, Reset::Reason::unknown_epoch);
  expect_events(reader, 1, 7);
}

TEST(AnEventReader, StaysAsItIsWhereAnotherJournalCannotBeRead) {
  JournalMaker good;
  good.events(10);
  JournalMaker damaged;
  damaged.events(10);
  damaged.mark_all();
  damaged.events(10);
  damaged.flip(damaged.written()[4].position + 60);
  EventReader reader;
  open(reader, good);
  expect_events(reader, 1, 4);
  const Cursor before = reader.cursor();
  const auto opened = reader.open(damaged.files(), Start::after({damaged.identity().current().id, 20}));
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
  EXPECT_EQ(reader.cursor(), before);
  EXPECT_FALSE(reader.has_pending_reset());
  expect_events(reader, 5, 10);
}

TEST(AnEventReader, SaysThatSomethingIsUnreadableAndStaysThere) {
  JournalMaker journal;
  journal.events(100, 400);
  journal.mark_all();
  journal.flip(journal.written()[4].position + 60);
  EventReader reader;
  open(reader, journal);
  expect_events(reader, 1, 4);
  EventView event;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(poll(reader, event), Found::unreadable);
    EXPECT_EQ(reader.last_error().code, ErrorCode::corrupt);
    EXPECT_EQ(reader.cursor().sequence, 4u);
  }
}

}  // namespace
}  // namespace leat::client
