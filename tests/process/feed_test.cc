// What the sink before Leat promised, and what its users rely on.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "process/load.h"

namespace leat::test {
namespace {

class Feed : public LoadTest {
 protected:
  // Publishes `count` events with payload "<first + i>", each committed before the next.
  static void publish_numbers(Producer& producer, std::uint64_t first, std::uint64_t count) {
    Receipt last;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string payload = std::to_string(first + i);
      auto sent = producer.publish({.topic = "number", .payload = payload});
      ASSERT_TRUE(sent.ok()) << sent.error().message;
      last = *sent;
    }
    auto sequence = producer.wait(last, Ack::committed, kPatience);
    ASSERT_TRUE(sequence.ok()) << sequence.error().message;
  }
};

struct Copy {
  std::uint64_t sequence;
  std::int64_t timestamp_ns;
  std::string topic;
  std::string key;
  std::string payload;
  friend bool operator==(const Copy&, const Copy&) = default;
};

Copy copy_of(const EventView& event) {
  return {event.sequence, event.timestamp_ns, std::string(event.topic), std::string(event.key),
          std::string(event.payload)};
}

TEST_F(Feed, SequencesGrowByOneAndTheJournalHoldsTheSameInTheSameOrderAsTheLiveTail) {
  start();
  Consumer tail = connect_consumer(Start::latest());
  const std::uint64_t each = scaled(2000);
  for (int i = 0; i < 4; ++i) add_producer({"count=" + std::to_string(each)});
  std::vector<Copy> live;
  while (live.size() < 4 * each) live.push_back(copy_of(take_event(tail)));
  finish_producers();
  for (std::size_t i = 0; i < live.size(); ++i) ASSERT_EQ(live[i].sequence, i + 1);
  auto reader = read_journal(broker_->journal());
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EventView event;
  for (const Copy& expected : live) {
    ASSERT_EQ(reader->next(event), Poll::event);
    ASSERT_EQ(copy_of(event), expected);
  }
  EXPECT_EQ(reader->next(event), Poll::empty);
}

TEST_F(Feed, AnEphemeralEventNeverEntersTheFeed) {
  start();
  Producer producer = connect_producer();
  Consumer consumer = connect_consumer(Start::latest());
  EXPECT_EQ(producer.try_publish({.topic = "a", .durable = false}), Publish::ephemeral);
  expect_error(producer.publish({.topic = "a", .durable = false}), ErrorCode::ephemeral, {"durable=false"});
  const Event batch[] = {{.topic = "a"}, {.topic = "b", .durable = false}};
  EXPECT_EQ(producer.try_publish_batch(batch), Publish::ephemeral);
  ASSERT_TRUE(producer.publish_and_wait({.topic = "last"}, Ack::committed, kPatience).ok());
  const EventView event = take_event(consumer);
  EXPECT_EQ(event.topic, "last");
  EXPECT_EQ(event.sequence, 1U);
  EXPECT_EQ(status().latest_sequence, 1U);
}

TEST_F(Feed, TheCallersKeyWinsOverTheEventsOwn) {
  start();
  Producer producer = connect_producer();
  Consumer consumer = connect_consumer(Start::latest());
  const Event event{.topic = "a", .key = "own", .message_id = "m-1", .payload = "x"};
  ASSERT_TRUE(producer.publish(event, "caller").ok());
  ASSERT_TRUE(producer.publish(event, "").ok());
  ASSERT_TRUE(producer.publish(event).ok());
  EXPECT_EQ(take_event(consumer).key, "caller");
  EXPECT_EQ(take_event(consumer).key, "own");
  const EventView last = take_event(consumer);
  EXPECT_EQ(last.key, "own");
  EXPECT_EQ(last.message_id, "m-1");
  EXPECT_EQ(last.payload, "x");
}

// A dashboard subscribes, then replays what it missed: at whatever moment it comes, it sees each event once.
TEST_F(Feed, SubscribingAndThenReplayingLeavesNeitherGapsNorRepeats) {
  start();
  // Paced, or a slow build's consumer would never come to the end of what they add meanwhile.
  for (int i = 0; i < 2; ++i) add_producer({"pause_us=100"});
  wait_until_connected();
  for (int round = 0; round < 20; ++round) {
    wait_for_accepted(accepted() + scaled(200));
    Consumer consumer = connect_consumer(Start::earliest());
    const std::uint64_t until = consumer.latest_sequence() + scaled(500);
    for (std::uint64_t expected = 1; expected <= until; ++expected) ASSERT_EQ(take_event(consumer).sequence, expected);
    Consumer resumed = connect_consumer(Start::after(consumer.cursor()));
    ASSERT_EQ(take_event(resumed).sequence, until + 1);
    ASSERT_EQ(take_event(consumer).sequence, until + 1);
  }
  finish_producers();
}

TEST_F(Feed, ALaggingReaderRecoversFromTheJournalAndJoinsTheRingAgain) {
  broker_->set("--ring-bytes", "16K");
  broker_->set("--max-event-bytes", "4K");
  start();
  Producer producer = connect_producer();
  Consumer consumer = connect_consumer(Start::latest());
  for (std::uint64_t round = 0; round < 5; ++round) {
    const std::uint64_t first = 2000 * round;
    publish_numbers(producer, first + 1, 2000);
    for (std::uint64_t i = 1; i <= 2000; ++i) {
      const EventView event = take_event(consumer);
      ASSERT_EQ(event.sequence, first + i);
      ASSERT_EQ(event.payload, std::to_string(first + i));
    }
    EventView event;
    EXPECT_EQ(consumer.poll(event), Poll::empty);
  }
  EXPECT_GT(consumer.stats().journal_bytes, 0U);
  publish_numbers(producer, 10'001, 1);
  EXPECT_EQ(take_event(consumer).payload, "10001");
  EventView event;
  EXPECT_EQ(consumer.poll(event), Poll::empty);
  EXPECT_GT(consumer.stats().ring_bytes, 0U);
  EXPECT_EQ(consumer.stats().resets, 0U);
}

class RetainedWindow : public Feed {
 protected:
  void SetUp() override {
    Feed::SetUp();
    broker_->set("--ring-bytes", "16K");
    broker_->set("--segment-bytes", "32K");
    broker_->set("--max-event-bytes", "2K");
    broker_->set("--retain-bytes", "128K");  // kRetainedSegments
    start();
  }
  // Publishes until the first event has been pruned, and returns when nothing moves any more: what was accepted is
  // committed, and the segments are no more than may be retained. Else the window could move on under the test.
  void publish_until_pruned(Producer& producer) {
    std::uint64_t next = 1;
    while (status().earliest_sequence <= 1) {
      publish_numbers(producer, next, 500);
      next += 500;
    }
    while (status().latest_sequence < producer.last_producer_sequence() || segments_on_disk() > kRetainedSegments) {
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
  std::int64_t segments_on_disk() const {
    const std::filesystem::directory_iterator files(broker_->journal());
    return std::count_if(begin(files), end(files), [](const auto& file) { return file.path().extension() == ".seg"; });
  }
  static constexpr std::int64_t kRetainedSegments = 4;
};

TEST_F(RetainedWindow, ACursorBelowItGetsAResetWithReasonAndRange) {
  Producer producer = connect_producer();
  Consumer early = connect_consumer();
  publish_numbers(producer, 1, 1);
  const Cursor cursor = take_event(early).cursor;
  EXPECT_EQ(cursor, early.cursor());
  publish_until_pruned(producer);

  Consumer late = connect_consumer(Start::after(cursor));
  EventView event;
  ASSERT_EQ(late.poll(event), Poll::reset);
  const Reset reset = late.last_reset();
  EXPECT_EQ(reset.reason, Reset::Reason::expired);
  EXPECT_EQ(reset.wanted_sequence, cursor.sequence + 1);
  EXPECT_GT(reset.earliest_sequence, 2U);
  EXPECT_EQ(reset.latest_sequence, status().latest_sequence);
  EXPECT_EQ(reset.resume.sequence + 1, reset.earliest_sequence);
  EXPECT_NE(reset.to_string().find("expired"), std::string::npos) << reset.to_string();
  EXPECT_NE(reset.to_string().find(std::to_string(reset.earliest_sequence)), std::string::npos);
  // It goes on at the earliest that there is, and the cursor in the reset leads to the same place.
  const std::uint64_t first = take_event(late).sequence;
  EXPECT_EQ(first, reset.earliest_sequence);
  Consumer resumed = connect_consumer(Start::after(reset.resume));
  EXPECT_EQ(take_event(resumed).sequence, first);
}

TEST_F(RetainedWindow, AReaderThatSleptThroughThePruningGetsAResetAndThenEverythingThatIsLeft) {
  Producer producer = connect_producer();
  publish_numbers(producer, 1, 10);
  Consumer consumer = connect_consumer();
  EXPECT_EQ(take_event(consumer).sequence, 1U);
  publish_until_pruned(producer);
  EventView event;
  // What it had copied before may still come; then the gap is said, not skipped in silence.
  Poll found{};
  std::uint64_t sequence = 1;
  while ((found = consumer.poll(event)) == Poll::event) ASSERT_EQ(event.sequence, ++sequence);
  ASSERT_EQ(found, Poll::reset) << consumer.last_error().message;
  EXPECT_EQ(consumer.last_reset().reason, Reset::Reason::expired);
  EXPECT_EQ(consumer.last_reset().wanted_sequence, sequence + 1);
  sequence = consumer.last_reset().earliest_sequence - 1;
  const std::uint64_t latest = status().latest_sequence;
  while (sequence < latest) ASSERT_EQ(take_event(consumer).sequence, ++sequence);
}

TEST_F(RetainedWindow, AJournalReaderBelowItGetsTheSameReset) {
  Producer producer = connect_producer();
  Consumer early = connect_consumer();
  publish_numbers(producer, 1, 1);
  const Cursor cursor = take_event(early).cursor;
  publish_until_pruned(producer);
  auto reader = read_journal(broker_->journal(), cursor);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EventView event;
  ASSERT_EQ(reader->next(event), Poll::reset);
  EXPECT_EQ(reader->last_reset().reason, Reset::Reason::expired);
  ASSERT_EQ(reader->next(event), Poll::event);
  EXPECT_EQ(event.sequence, reader->last_reset().earliest_sequence);
}

TEST_F(Feed, CursorsFromTheFutureAndOfOtherFeedsGetAResetThatSaysSo) {
  start();
  Producer producer = connect_producer();
  publish_numbers(producer, 1, 5);
  EventView event;
  Consumer future = connect_consumer(Start::after({.epoch = status().epoch, .sequence = 6}));
  ASSERT_EQ(future.poll(event), Poll::reset);
  EXPECT_EQ(future.last_reset().reason, Reset::Reason::future);
  Consumer stranger = connect_consumer(Start::after({.epoch = status().epoch ^ 1, .sequence = 3}));
  ASSERT_EQ(stranger.poll(event), Poll::reset);
  EXPECT_EQ(stranger.last_reset().reason, Reset::Reason::unknown_epoch);
  EXPECT_EQ(stranger.last_reset().earliest_sequence, 1U);
  EXPECT_EQ(stranger.last_reset().latest_sequence, 5U);
  EXPECT_EQ(take_event(stranger).sequence, 1U);
  Consumer newest = connect_consumer(Start::after({.epoch = status().epoch, .sequence = 5}));
  EXPECT_EQ(newest.poll(event), Poll::empty);
}

TEST_F(Feed, StartsBySequenceAndByTimeFindTheirEvent) {
  broker_->set("--segment-bytes", "32K");
  broker_->set("--max-event-bytes", "2K");
  start();
  Producer producer = connect_producer();
  publish_numbers(producer, 1, 3000);
  std::vector<Copy> all;
  Consumer from_start = connect_consumer();
  while (all.size() < 3000) all.push_back(copy_of(take_event(from_start)));
  for (const std::uint64_t wanted : {1U, 2U, 777U, 2999U, 3000U}) {
    Consumer consumer = connect_consumer(Start::at(wanted));
    ASSERT_EQ(take_event(consumer).sequence, wanted);
    const std::int64_t time_ns = all[wanted - 1].timestamp_ns;
    const auto first = std::ranges::find_if(all, [&](const Copy& event) { return event.timestamp_ns >= time_ns; });
    Consumer by_time = connect_consumer(Start::at_time(time_ns));
    ASSERT_EQ(take_event(by_time).sequence, first->sequence);
  }
}

TEST_F(Feed, TheNewestSequenceAndTheNumberRefusedCanBeRead) {
  start();
  Producer producer = connect_producer(4096);
  publish_numbers(producer, 1, 7);
  Consumer consumer = connect_consumer();
  FeedStatus now = status();
  EXPECT_EQ(now.latest_sequence, 7U);
  EXPECT_EQ(now.earliest_sequence, 1U);
  EXPECT_EQ(now.state, "running");
  EXPECT_EQ(now.refused_entries, 0U);
  ASSERT_EQ(now.producers.size(), 1U);
  EXPECT_EQ(now.producers[0].events, 7U);
  EXPECT_EQ(now.producers[0].pid, ::getpid());
  ASSERT_EQ(now.consumers.size(), 1U);
  EXPECT_EQ(now.consumers[0].pid, ::getpid());

  auto observer = FeedObserver::connect(broker_->address());
  ASSERT_TRUE(observer.ok()) << observer.error().message;
  broker_->stop();
  std::uint64_t refused = 0;
  std::uint64_t accepted_now = 0;
  while (refused < 3) producer.try_publish({.topic = "a"}) == Publish::ok ? ++accepted_now : ++refused;
  EXPECT_EQ(producer.refused_count(), 3U);
  broker_->cont();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "a"}, Ack::committed, kPatience).ok());
  now = observer->read().value();
  EXPECT_EQ(now.latest_sequence, 7 + accepted_now + 1);
  EXPECT_GE(now.producers.at(0).would_block_arena, 3U);
  const std::string page = now.feed_uuid;
  EXPECT_EQ(page.size(), 36U);
}

TEST_F(Feed, ATopicFilterDeliversWhatMatchesAndNothingElse) {
  start();
  Producer producer = connect_producer();
  auto filter = TopicFilter::parse("session.*.done");
  ASSERT_TRUE(filter.ok());
  auto consumer = Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .filter = *filter});
  ASSERT_TRUE(consumer.ok()) << consumer.error().message;
  for (const char* topic :
       {"session.1.done", "session.1.begun", "session.done", "session.1.2.done", "session.2.done"}) {
    ASSERT_TRUE(producer.publish({.topic = topic}).ok());
  }
  EXPECT_EQ(take_event(*consumer).sequence, 1U);
  EXPECT_EQ(take_event(*consumer).sequence, 5U);
  EXPECT_EQ(consumer->stats().filtered, 3U);
  EXPECT_EQ(consumer->cursor().sequence, 5U);
}

}  // namespace
}  // namespace leat::test
