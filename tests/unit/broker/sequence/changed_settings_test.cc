// What was accepted under the settings of one life is taken in the next, whatever its settings are.
#include <gtest/gtest.h>

#include <string>

#include "broker/sequence/sequencer.h"
#include "tests/unit/fixtures/one_feed.h"

namespace leat::broker {
namespace {

using namespace internal;
using test::FeedProducer;
using test::OneFeed;

Options large_options() {
  Options options = OneFeed::small_options();
  options.ring_bytes = 1 << 20;
  options.segment_bytes = 1 << 20;
  options.max_event_bytes = 128 << 10;
  return options;
}

TEST(ChangedSettings, AnEventOfTheOldBoundIsTakenUnderASmallerOne) {
  OneFeed feed(large_options());
  FeedProducer producer = feed.add_producer(1 << 20);
  const std::string payload(100'000, 'x');
  ASSERT_TRUE(producer.publish(Event{.topic = "t", .payload = payload}));
  feed.options.max_event_bytes = 4096;
  feed.restart();
  feed.drain();
  EXPECT_EQ(producer.status(producer.last_position), CompletionStatus::committed);
  EXPECT_EQ(feed.counters().refused_entries.load(), 0U);
  // Its producer may not have heard of the new bound yet.
  ASSERT_TRUE(producer.publish(Event{.topic = "t", .payload = payload}));
  feed.drain();
  EXPECT_EQ(producer.status(producer.last_position), CompletionStatus::committed);
  ASSERT_EQ(feed.journaled().size(), 2U);
  // A new one has.
  FeedProducer other = feed.add_producer(1 << 20);
  ASSERT_TRUE(other.publish(Event{.topic = "t", .payload = payload}));
  feed.drain();
  EXPECT_EQ(other.status(other.last_position), CompletionStatus::refused);
  EXPECT_EQ(static_cast<Refusal>(other.value(other.last_position)), Refusal::too_large);
}

TEST(ChangedSettings, ABoundIsRememberedOverSeveralLives) {
  OneFeed feed(large_options());
  FeedProducer producer = feed.add_producer(1 << 20);
  const std::string payload(100'000, 'x');
  for (const std::uint64_t bound : {4096U, 64U << 10, 1024U}) {
    feed.options.max_event_bytes = bound;
    feed.restart();
  }
  ASSERT_TRUE(producer.publish(Event{.topic = "t", .payload = payload}));
  feed.drain();
  EXPECT_EQ(producer.status(producer.last_position), CompletionStatus::committed);
}

TEST(ChangedSettings, RingAndSegmentsGrowToWhatIsHeld) {
  OneFeed feed(large_options());
  FeedProducer producer = feed.add_producer(1 << 20);
  const std::string payload(60'000, 'x');
  const Event event{.topic = "t", .payload = payload};
  ASSERT_TRUE(producer.publish(std::vector<Event>{event, event, event}));  // a batch, larger than any one event may be
  feed.options = OneFeed::small_options();
  feed.options.max_event_bytes = 512;
  feed.restart();
  EXPECT_EQ(feed.options.ring_bytes, 1U << 20);
  EXPECT_GE(max_batch_bytes(feed.options), 180'000U);
  feed.prepare_segments(2);
  feed.drain();
  EXPECT_EQ(producer.status(producer.last_position), CompletionStatus::committed);
  EXPECT_EQ(feed.journaled().size(), 3U);
  // Once nobody is left who was told so, the options are what counts.
  feed.leave(producer);
  feed.drain();
  feed.sequencer->take_commands();
  feed.lanes->notices.consume_all([&](const LaneNotice& notice) { feed.release(notice.slot, notice.generation); });
  feed.options = OneFeed::small_options();
  feed.restart();
  EXPECT_EQ(feed.options.ring_bytes, OneFeed::small_options().ring_bytes);
  EXPECT_EQ(feed.options.segment_bytes, OneFeed::small_options().segment_bytes);
}

// What an arena says is its producer's word: no larger than what that one was ever allowed.
TEST(ChangedSettings, NothingThatAProducerWritesMakesTheRingLargerThanItWas) {
  OneFeed feed(large_options());
  FeedProducer producer = feed.add_producer(64 << 20);
  const auto position = producer.stage({Event{.topic = "t", .payload = std::string_view("x")}});
  producer.header(*position).record_bytes = 16 << 20;
  feed.options = OneFeed::small_options();
  feed.restart();
  EXPECT_LE(feed.options.ring_bytes, large_options().ring_bytes);
  EXPECT_LE(feed.options.segment_bytes, large_options().segment_bytes);
}

// The ring that is kept, or filled from the journal, holds events of any bound that there was.
TEST(ChangedSettings, TheBoundOfARingIsItsOwnAndNotThatOfNewEvents) {
  OneFeed feed(large_options());
  EXPECT_EQ(feed.files->broadcast_header().max_record_bytes, 1U << 20);
  feed.options.max_event_bytes = 1024;
  feed.restart();
  EXPECT_TRUE(feed.files->ring_adopted()) << "a bound of new events is no reason to send all consumers away";
  EXPECT_EQ(feed.files->broadcast_header().max_record_bytes, 1U << 20);
}

TEST(ChangedSettings, RoomForAnEntryIsMadeExactly) {
  for (const std::uint64_t bytes :
       {64ULL, 2048ULL, 2049ULL, 4096ULL, 100'000ULL, 1ULL << 20, 300ULL << 20, 2ULL << 30}) {
    Options options = OneFeed::small_options();
    make_room_for_entry(options, bytes);
    EXPECT_GE(max_batch_bytes(options), bytes) << bytes;
    EXPECT_TRUE(is_segment_size(options.segment_bytes)) << bytes;
    EXPECT_TRUE(std::has_single_bit(options.ring_bytes)) << bytes;
    const Options again = options;
    make_room_for_entry(options, bytes);
    EXPECT_EQ(options.ring_bytes, again.ring_bytes);
    EXPECT_EQ(options.segment_bytes, again.segment_bytes);
  }
}

}  // namespace
}  // namespace leat::broker
