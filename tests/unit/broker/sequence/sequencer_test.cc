// The sequencer's round, driven by step(): stamping, batches, order, tickets that mean nothing any more, segments.
#include "broker/sequence/sequencer.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/fixtures/one_feed.h"
#include "shm/broadcast/doorbell.h"

namespace leat::broker {
namespace {

using namespace internal;
using test::FeedProducer;
using test::JournaledEvent;
using test::OneFeed;

Event an_event(std::string_view payload) { return {.topic = "unit.test", .key = "k", .payload = payload}; }

void expect_contiguous(const std::vector<JournaledEvent>& events) {
  for (std::size_t i = 0; i < events.size(); ++i) {
    ASSERT_EQ(events[i].sequence, i + 1);
    ASSERT_GE(events[i].timestamp_ns, events[i > 0 ? i - 1 : 0].timestamp_ns);
  }
}

TEST(Sequencer, HasNothingToDoAtFirst) {
  OneFeed feed;
  EXPECT_FALSE(feed.step());
  EXPECT_EQ(feed.sequencer->sequence(), 0u);
}

TEST(Sequencer, NumbersEventsInTheOrderOfTheirTickets) {
  OneFeed feed;
  FeedProducer a = feed.add_producer();
  FeedProducer b = feed.add_producer();
  ASSERT_TRUE(a.publish(an_event("one")));
  const std::uint64_t first = a.last_position;
  ASSERT_TRUE(b.publish(an_event("two")));
  ASSERT_TRUE(a.publish(an_event("three")));
  EXPECT_EQ(a.status(first), CompletionStatus::pending);
  ASSERT_TRUE(feed.step());
  const auto events = feed.journaled();
  ASSERT_EQ(events.size(), 3u);
  expect_contiguous(events);
  EXPECT_EQ(events[0].payload, "one");
  EXPECT_EQ(events[1].payload, "two");
  EXPECT_EQ(events[2].payload, "three");
  EXPECT_EQ(events[0].producer_id, a.registration.producer_id);
  EXPECT_EQ(events[1].producer_id, b.registration.producer_id);
  EXPECT_NE(a.registration.producer_id, b.registration.producer_id);
  EXPECT_EQ(events[2].producer_sequence, 2u);
  EXPECT_EQ(a.status(first), CompletionStatus::committed);
  EXPECT_EQ(a.value(first), 1u);
  EXPECT_EQ(a.value(a.last_position), 3u);
  EXPECT_EQ(b.value(b.last_position), 2u);
  EXPECT_EQ(a.arena.header().consumed.load(), a.arena.tail());
  EXPECT_EQ(feed.slot(a).last_producer_sequence.load(), 2u);
  EXPECT_EQ(feed.slot(a).consumed.load(), a.arena.tail());
  EXPECT_EQ(feed.files->registry_header().inbound_head.load(), 3u);
  EXPECT_EQ(feed.counters().events.load(), 3u);
  EXPECT_EQ(feed.counters().rounds.load(), 1u);
  EXPECT_FALSE(feed.step());
}

TEST(Sequencer, PutsTheSameBytesIntoTheRingAndTheJournal) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(producer.publish(an_event("payload " + std::to_string(i))));
  feed.drain();
  const std::uint64_t end = feed.ring().header().committed.load();
  ASSERT_EQ(end, feed.sequencer->position());
  EXPECT_EQ(feed.ring().header().latest[0].position == end ? feed.ring().header().latest[0].sequence.load()
                                                           : feed.ring().header().latest[1].sequence.load(),
            5u);
  const std::string segment = test::read_file(feed.journal_path() / SegmentName{1, 0}.to_string());
  const std::uint64_t offset = segment_geometry(feed.options.segment_bytes).data_offset;
  EXPECT_EQ(std::memcmp(segment.data() + offset, feed.ring().place(0), end), 0);
}

TEST(Sequencer, GivesABatchAdjacentSequencesAndMarksItsInside) {
  OneFeed feed;
  FeedProducer a = feed.add_producer();
  FeedProducer b = feed.add_producer();
  ASSERT_TRUE(a.publish({an_event("1"), an_event("2"), an_event("3")}));
  ASSERT_TRUE(b.publish(an_event("4")));
  feed.drain();
  const auto events = feed.journaled();
  ASSERT_EQ(events.size(), 4u);
  expect_contiguous(events);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(events[i].more_in_batch, i < 2) << i;
  EXPECT_EQ(a.value(a.last_position), 1u) << "a batch's completion names its first event";
  EXPECT_EQ(b.value(b.last_position), 4u);
}

TEST(Sequencer, TakesAnEventWhoseTicketWasScribbledOverAlongWithTheNext) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  FeedProducer other = feed.add_producer();
  ASSERT_TRUE(producer.publish(an_event("lost ticket")));
  auto* const slots = reinterpret_cast<std::atomic<std::uint64_t>*>(feed.files->inbound.data() + kInboundSlotsOffset);
  slots[0].store(empty_slot(77));
  ASSERT_TRUE(other.publish(an_event("other")));
  feed.drain();
  EXPECT_EQ(feed.counters().bad_tickets.load(), 1u);
  EXPECT_EQ(feed.journaled().size(), 1u);
  ASSERT_TRUE(producer.publish(an_event("next")));
  feed.drain();
  const auto events = feed.journaled();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1].payload, "lost ticket");
  EXPECT_EQ(events[2].payload, "next");
}

TEST(Sequencer, PassesOverATicketForAnEntryThatIsDoneWith) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(an_event("once")));
  producer.publish_ticket(producer.last_position);
  feed.drain();
  producer.publish_ticket(producer.last_position);
  feed.drain();
  EXPECT_EQ(feed.journaled().size(), 1u);
  EXPECT_EQ(feed.files->registry_header().inbound_head.load(), 3u);
}

TEST(Sequencer, CountsTicketsThatNameNothing) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(an_event("good")));
  const auto ticket = [&](std::uint32_t slot, std::uint32_t generation, std::uint64_t position) {
    ASSERT_EQ(producer.ring.fill(producer.ring.take_ticket(), full_slot(slot, generation, position)), Fill::ok);
  };
  const broker::Registration& mine = producer.registration;
  ticket(kMaxProducerSlots - 1, 1, 0);                                     // no such slot
  ticket(mine.slot + 1, 1, 0);                                             // nobody there
  ticket(mine.slot, mine.generation + 1, 0);                               // another tenant
  ticket(mine.slot, mine.generation, 64 + producer.arena.capacity() * 2);  // beyond the arena
  feed.drain();
  EXPECT_EQ(feed.counters().bad_tickets.load(), 4u);
  EXPECT_EQ(feed.counters().refused_entries.load(), 0u);
  ASSERT_TRUE(producer.publish(an_event("still here")));
  feed.drain();
  EXPECT_EQ(feed.journaled().size(), 2u);
}

TEST(Sequencer, TreatsEveryScribbledSlotAsOneBadTicket) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  auto* const slots = reinterpret_cast<std::atomic<std::uint64_t>*>(feed.files->inbound.data() + kInboundSlotsOffset);
  for (const std::uint64_t lap : {2ULL, 5ULL, 1ULL << 62}) {  // the head stands in lap 0
    const std::uint64_t ticket = producer.ring.take_ticket();
    slots[ticket % feed.options.inbound_slots].store(empty_slot(lap));
  }
  ASSERT_TRUE(producer.publish(an_event("after the scribbles")));
  feed.drain();
  EXPECT_EQ(feed.counters().bad_tickets.load(), 3u);
  EXPECT_EQ(feed.journaled().size(), 1u);
}

TEST(Sequencer, RollsOverManySegmentsWithoutLosingAnEvent) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  std::vector<std::string> payloads;
  for (int i = 0; i < 800; ++i) {
    payloads.push_back(std::string(static_cast<std::size_t>(1 + i * 37 % 900), static_cast<char>('a' + i % 26)));
    ASSERT_TRUE(producer.publish(an_event(payloads.back())));
    feed.prepare_segments(static_cast<int>(2 - feed.handover->prepared.read_available()));
    feed.drain();
  }
  const auto events = feed.journaled();
  ASSERT_EQ(events.size(), payloads.size());
  expect_contiguous(events);
  for (std::size_t i = 0; i < events.size(); ++i) ASSERT_EQ(events[i].payload, payloads[i]);
  const auto files = test::must(JournalFiles::open(feed.journal_path().string()));
  EXPECT_GT(files.segments().size(), 25u);
}

// Recovery after a loss of power reads the last segment only: the ids that were given to producers, and how much had
// been durable, must stand there too, even when nothing that was published since says so.
TEST(Sequencer, BeginsEachSegmentWithWhatRecoveryNeedsOfThoseBefore) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(an_event("first")));
  feed.drain();
  const std::uint64_t durable = feed.sequencer->position();
  ASSERT_TRUE(feed.handover->marks.push({.position = durable, .sequence = 1}));
  feed.sequencer->write_pending_mark();
  std::uint32_t last_id = 0;
  for (int i = 0; i < 4; ++i) last_id = feed.add_producer().registration.producer_id;
  feed.prepare_segments(2);
  const std::string payload(900, 'x');
  while (feed.handover->rolled.read_available() == 0) {
    ASSERT_TRUE(producer.publish(an_event(payload)));
    feed.drain();
  }
  const UniqueFd directory(::open(feed.journal_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Recovered recovered = test::must(recover_journal({directory.get(), feed.journal_path().string()}, {}));
  EXPECT_EQ(recovered.segments.size(), 2u);
  EXPECT_EQ(recovered.next_producer_id, last_id + 1);
  EXPECT_EQ(recovered.durable_position, durable);
}

TEST(Sequencer, StallsWithoutAPreparedSegmentAndLosesNothing) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  const std::string payload(500, 'x');
  int published = 0;
  while (producer.publish(an_event(payload))) {  // until back-pressure reaches the producer
    ++published;
    feed.drain();
    ASSERT_LT(published, 1000);
  }
  EXPECT_EQ(feed.handover->state.load(), FeedState::stalled);
  EXPECT_EQ(feed.files->inbound_header().feed_state.load(), FeedState::stalled);
  EXPECT_EQ(feed.counters().stalls.load(), 1u) << "one stall, however often the sequencer looked";
  const std::size_t before = feed.journaled().size();
  EXPECT_LT(before, static_cast<std::size_t>(published));
  EXPECT_FALSE(feed.step());
  EXPECT_EQ(feed.journaled().size(), before);
  feed.prepare_segments(1);
  feed.drain();
  EXPECT_EQ(feed.handover->state.load(), FeedState::running);
  EXPECT_EQ(feed.files->inbound_header().feed_state.load(), FeedState::running);
  EXPECT_EQ(feed.journaled().size(), static_cast<std::size_t>(published));
  expect_contiguous(feed.journaled());
}

TEST(Sequencer, CommitsWhatComesBeforeAStallInTheMiddleOfATicket) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer(32768);
  // One ticket stands for many entries: those before it were staged without one.
  const std::string payload(900, 'y');
  std::uint64_t last = 0;
  int staged = 0;
  for (; staged < 15; ++staged) {
    const auto position = producer.stage({an_event(payload)});
    ASSERT_TRUE(position.has_value());
    last = *position;
  }
  producer.publish_ticket(last);
  feed.drain();
  const std::size_t fitted = feed.journaled().size();
  EXPECT_GT(fitted, 0u);
  EXPECT_LT(fitted, 15u);
  EXPECT_EQ(feed.ring().header().committed.load(), feed.sequencer->position());
  EXPECT_EQ(feed.files->registry_header().inbound_head.load(), 0u) << "the ticket's turn comes again";
  feed.prepare_segments(2);
  feed.drain();
  EXPECT_EQ(feed.journaled().size(), 15u);
  expect_contiguous(feed.journaled());
  EXPECT_EQ(producer.status(last), CompletionStatus::committed);
}

// Wake-ups may wait for a few rounds while there is more to do, and never longer.
TEST(Sequencer, WakesSleepersWhenAllIsDoneOrEveryFewRounds) {
  broker::Options options = OneFeed::small_options();
  options.inbound_slots = 8192;
  options.segment_bytes = 64 << 20;
  OneFeed feed(options);
  feed.prepare_segments(2);
  auto producer = feed.add_producer(2 << 20);
  auto& sleepers = feed.files->doorbell_header().live_sleepers;
  ASSERT_TRUE(producer.publish({.topic = "t"}));
  sleepers.store(1);
  ASSERT_TRUE(feed.step());
  EXPECT_FALSE(somebody_sleeps(sleepers.load())) << "nothing more to do: at once";

  int published = 0;
  while (published < 6000 && producer.publish({.topic = "t"})) ++published;
  ASSERT_GT(published, 5000);
  sleepers.store(1);
  int rounds = 0;
  for (int since_wake = 0; feed.step(); ++rounds) {
    if (!somebody_sleeps(sleepers.exchange(1))) since_wake = 0;
    else ASSERT_LE(++since_wake, 3) << "after " << rounds << " rounds";
  }
  EXPECT_GT(rounds, 8) << "the test is about several rounds";
  EXPECT_EQ(feed.ring().header().latest[0].sequence.load() + feed.ring().header().latest[1].sequence.load() > 0, true);

  ASSERT_TRUE(producer.publish({.topic = "t"}));
  sleepers.store(1);
  feed.drain();
  EXPECT_FALSE(somebody_sleeps(sleepers.load()));
}

TEST(Sequencer, StopsWhenTheFeedHasFailed) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(an_event("never")));
  feed.handover->state.store(FeedState::failed);
  EXPECT_FALSE(feed.step());
  EXPECT_TRUE(feed.journaled().empty());
  EXPECT_EQ(producer.status(producer.last_position), CompletionStatus::pending);
}

// A directory stands where the next segment's name would be.
TEST(Sequencer, FailsForGoodWhenASegmentCannotBeNamed) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  feed.prepare_segments(1);
  const std::string payload(900, 'z');
  for (int i = 0; i < 12; ++i) {
    const SegmentName next{.first_sequence = feed.sequencer->sequence() + 1,
                           .first_position = feed.sequencer->position() + kSegmentEndRecordBytes};
    const auto in_the_way = std::filesystem::path(feed.journal_path()) / next.to_string();
    std::filesystem::create_directory(in_the_way);
    (void)producer.publish(an_event(payload));
    feed.drain();
    std::filesystem::remove(in_the_way);
  }
  EXPECT_EQ(feed.failures.size(), 1u);
  EXPECT_EQ(feed.handover->state.load(), FeedState::failed);
  expect_contiguous(feed.journaled());
}

TEST(Sequencer, TakesAnotherSegmentWhenTheOneMadeAheadWasRemovedOrRenamed) {
  for (const bool renamed : {false, true}) {
    OneFeed feed;
    FeedProducer producer = feed.add_producer();
    feed.prepare_segments(1);
    for (const auto& entry : std::filesystem::directory_iterator(feed.journal_path())) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with("prepared-")) continue;
      if (renamed) std::filesystem::rename(entry.path(), entry.path().parent_path() / "elsewhere");
      else std::filesystem::remove(entry.path());
    }
    const std::string payload(900, 'z');
    int published = 0;
    for (; published < 20; ++published) {
      if (!producer.publish(an_event(payload))) break;
      feed.drain();
    }
    EXPECT_EQ(feed.handover->state.load(), FeedState::stalled);
    EXPECT_EQ(feed.failures.size(), 0u);
    feed.prepare_segments(2);
    feed.drain();
    EXPECT_EQ(feed.handover->state.load(), FeedState::running);
    EXPECT_EQ(feed.journaled().size(), static_cast<std::size_t>(published));
    expect_contiguous(feed.journaled());
  }
}

TEST(Sequencer, TakesNothingWhileTheJournalsNamesAreAway) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  feed.handover->held.store(true);
  ASSERT_TRUE(producer.publish(an_event("waits")));
  EXPECT_FALSE(feed.step());
  EXPECT_TRUE(feed.journaled().empty());
  feed.handover->held.store(false);
  feed.drain();
  EXPECT_EQ(feed.journaled().size(), 1u);
}

TEST(Sequencer, ClosesWithAMarkThatVouchesForEverything) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(an_event("last words")));
  feed.drain();
  const std::uint64_t before = feed.sequencer->position();
  EXPECT_EQ(feed.sequencer->append_clean_mark().value(), before + kMarkRecordBytes);
  const auto records = feed.journaled_records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].type, static_cast<std::uint16_t>(RecordType::mark));
  EXPECT_EQ(records[1].flags, kFlagCleanClose);
  EXPECT_EQ(records[1].sequence, 1u) << "marks have no sequence of their own";
  EXPECT_EQ(feed.ring().header().committed.load(), before + kMarkRecordBytes);
}

}  // namespace
}  // namespace leat::broker
