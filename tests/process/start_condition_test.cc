// A start is a condition that is kept: a time that is yet to come is waited for, over restarts and with filters; a time
// before what is retained is told. And what a filter leaves out moves a named cursor.
#include <cstdio>
#include <thread>

#include <leat/journal.h>

#include "process/load.h"
#include "base/clock.h"

namespace leat::test {
namespace {

class Starts : public LoadTest {
 protected:
  std::uint64_t publish(const std::string& topic = "t", std::uint64_t count = 1, std::size_t bytes = 0) {
    Producer producer = connect_producer();
    const std::string payload(bytes, 'x');
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      auto sent = producer.publish_and_wait({.topic = topic, .payload = payload}, Ack::durable, kPatience);
      if (!sent) ADD_FAILURE() << sent.error().message;
      last = sent.ok() ? *sent : 0;
    }
    return last;
  }
  Result<Consumer> connect(Start from, const std::string& filter = "", const std::string& cursor = "") {
    ConsumerOptions options{.address = broker_->address(), .start = from, .cursor_name = cursor};
    if (!filter.empty()) options.filter = TopicFilter::parse(filter).value();
    return Consumer::connect(options);
  }
  static void sleep_until(std::int64_t time_ns) {
    while (internal::realtime_ns() < time_ns) std::this_thread::sleep_for(milliseconds(10));
  }
  static std::int64_t soon() { return internal::realtime_ns() + 3 * internal::kNanosPerSecond; }
  void prune_the_first() {
    publish("t", 300, 4000);
    while (status().earliest_sequence <= 1) std::this_thread::sleep_for(milliseconds(5));
  }
  void keep_little() {
    broker_->set("--segment-bytes", "64K");
    broker_->set("--retain-bytes", "128K");
  }
  std::uint64_t cursor_of(const std::string& name) {
    auto cursors = list_cursors(broker_->journal());
    if (!cursors) return ~0ULL;
    for (const NamedCursor& cursor : *cursors) {
      if (cursor.name == name) return cursor.place.sequence;
    }
    return ~0ULL;
  }
};

TEST_F(Starts, AtATimeThatIsYetToComeWaitForIt) {
  start();
  publish();
  const std::int64_t time = soon();
  auto live = connect(Start::at_time(time));
  auto filtered = connect(Start::at_time(time), "wanted");
  auto reader = open_journal(broker_->journal(), Start::at_time(time));
  ASSERT_TRUE(live.ok() && filtered.ok() && reader.ok());
  EventView event;
  publish("wanted");
  EXPECT_EQ(live->wait(event, milliseconds(200)), Poll::empty) << "too early: " << event.sequence;
  EXPECT_EQ(filtered->wait(event, milliseconds(200)), Poll::empty);
  EXPECT_EQ(reader->next(event), Poll::empty);
  // Over a restart, and another ring.
  ASSERT_EQ(broker_->terminate(), 0);
  auto offline = connect(Start::at_time(time));
  ASSERT_TRUE(offline.ok());
  broker_->set("--ring-bytes", "1M");
  start();
  publish("wanted");
  EXPECT_EQ(live->wait(event, milliseconds(200)), Poll::empty) << "too early: " << event.sequence;
  EXPECT_EQ(offline->wait(event, milliseconds(200)), Poll::empty) << "too early: " << event.sequence;
  ASSERT_LT(internal::realtime_ns(), time) << "too slow a machine to tell";
  sleep_until(time);
  const std::uint64_t other = publish("other");
  const std::uint64_t wanted = publish("wanted");
  EXPECT_EQ(take_event(*live).sequence, other);
  EXPECT_EQ(take_event(*offline).sequence, other);
  EXPECT_EQ(take_event(*filtered).sequence, wanted);
  ASSERT_EQ(reader->next(event), Poll::event);
  EXPECT_EQ(event.sequence, other);
  for (Consumer* consumer : {&*live, &*offline, &*filtered}) EXPECT_EQ(consumer->stats().resets, 0U);
}

TEST_F(Starts, AtATimeThatIsYetToComeMakeTheirNamedCursorWhenItHasCome) {
  start();
  publish();
  const std::int64_t time = soon();
  {
    auto waiting = connect(Start::at_time(time), "", "later");
    ASSERT_TRUE(waiting.ok());
    publish();
    EventView event;
    EXPECT_EQ(waiting->wait(event, milliseconds(200)), Poll::empty);
  }
  EXPECT_EQ(cursor_of("later"), ~0ULL);
  auto again = connect(Start::at_time(time), "", "later");
  ASSERT_TRUE(again.ok()) << again.error().message;
  sleep_until(time);
  const std::uint64_t first = publish();
  EXPECT_EQ(take_event(*again).sequence, first);
  EventView event;
  while (cursor_of("later") != first - 1) ASSERT_EQ(again->wait(event, milliseconds(20)), Poll::empty);
}

TEST_F(Starts, AtATimeBeforeWhatIsRetainedAreAReset) {
  keep_little();
  start();
  const std::int64_t before = internal::realtime_ns();
  prune_the_first();
  auto live = connect(Start::at_time(before));
  ASSERT_TRUE(live.ok());
  EventView event;
  ASSERT_EQ(live->poll(event), Poll::reset);
  EXPECT_EQ(live->last_reset().reason, Reset::Reason::expired);
  EXPECT_EQ(live->last_reset().wanted_time_ns, before);
  EXPECT_NE(live->last_reset().to_string().find("all from time 20"), std::string::npos)
      << live->last_reset().to_string();
  EXPECT_EQ(take_event(*live).sequence, live->last_reset().resume.sequence + 1);
  ASSERT_EQ(broker_->terminate(), 0);
  auto reader = open_journal(broker_->journal(), Start::at_time(before));
  ASSERT_TRUE(reader.ok());
  ASSERT_EQ(reader->next(event), Poll::reset);
  EXPECT_EQ(reader->last_reset().reason, Reset::Reason::expired);
  // The time of the first that is there has been kept whole.
  ASSERT_EQ(reader->next(event), Poll::event);
  auto exact = open_journal(broker_->journal(), Start::at_time(event.timestamp_ns));
  ASSERT_TRUE(exact.ok());
  EXPECT_EQ(exact->next(event), Poll::event);
}

TEST_F(Starts, OfTheToolAtATimeBeforeWhatIsRetainedEndUnderStrict) {
  keep_little();
  start();
  const std::string before = "time:" + std::to_string(internal::realtime_ns());
  prune_the_first();
  const std::string log = (broker_->scratch() / "tool.log").string();
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), LEAT_TEST_LEAT);
    for (const char* word : {"--from", before.c_str(), "--count", "1"}) words.emplace_back(word);
    return ChildProcess({.arguments = words, .environment = {}, .output = log, .user = {}}).wait();
  };
  const FeedAddress address = broker_->address();
  const std::vector<std::string> tail =
      {"tail", "--feed", address.feed, "--runtime-dir", address.runtime_dir, "--data-dir", address.data_dir};
  const std::vector<std::string> replay = {"replay", "--journal", broker_->journal().string()};
  for (const auto& command : {tail, replay}) {
    EXPECT_EQ(run(command), 0) << "without --strict it is told, and gone on";
    auto strictly = command;
    strictly.emplace_back("--strict");
    EXPECT_EQ(run(strictly), 8);
  }
  EXPECT_NE(read_file(log).find("reset (expired): all from time 20"), std::string::npos) << read_file(log);
}

TEST_F(Starts, AtATimeBeforeTheFirstEventOfAWholeFeedAreNoReset) {
  start();
  publish("t", 3);
  for (const std::int64_t time : {std::int64_t{-5'000'000'000}, std::int64_t{0}, INT64_MIN}) {
    auto consumer = connect(Start::at_time(time));
    ASSERT_TRUE(consumer.ok());
    EXPECT_EQ(take_event(*consumer).sequence, 1U);
  }
}

TEST_F(Starts, AtTheNewestOfADurableFeedBeginWhereItIsDurable) {
  broker_->set("--sync-interval-ms", "2000");
  start();
  Producer producer = connect_producer();
  // The syncer syncs the first event at once, and the second one only when the interval is over.
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  const std::uint64_t before = status().durable_sequence;
  auto consumer = Consumer::connect({.address = broker_->address(), .level = Level::durable});
  ASSERT_TRUE(consumer.ok());
  // The consumer itself says where it began: the sync may come between two looks.
  const std::uint64_t begin = consumer->cursor().sequence;
  EXPECT_GE(begin, before);
  EXPECT_LE(begin, 2U);
  if (begin < 2) {
    EXPECT_EQ(take_event(*consumer).sequence, begin + 1) << "it was on its way to the disk when the consumer came";
  }
}

TEST_F(Starts, AtTheNewestSoManyBeginThereOrAtTheEarliest) {
  keep_little();
  start();
  prune_the_first();
  const std::uint64_t end = publish("t", 5);
  const std::uint64_t earliest = status().earliest_sequence;
  for (const auto& [count, first] :
       {std::pair{std::uint64_t{1}, end}, {std::uint64_t{5}, end - 4}, {~0ULL, earliest}}) {
    auto live = connect(Start::last(count));
    auto durable =
        Consumer::connect({.address = broker_->address(), .start = Start::last(count), .level = Level::durable});
    auto reader = open_journal(broker_->journal(), Start::last(count));
    ASSERT_TRUE(live.ok() && durable.ok() && reader.ok());
    EventView event;
    ASSERT_EQ(reader->next(event), Poll::event) << count;
    EXPECT_EQ(event.sequence, first);
    EXPECT_EQ(take_event(*live).sequence, first);
    EXPECT_EQ(take_event(*durable).sequence, first);
    EXPECT_EQ(live->stats().resets, 0U);
  }
  auto none = connect(Start::last(0));
  ASSERT_TRUE(none.ok());
  EventView event;
  EXPECT_EQ(none->poll(event), Poll::empty);
  EXPECT_EQ(publish("t"), end + 1);
  EXPECT_EQ(take_event(*none).sequence, end + 1);
}

// What is committed and not durable yet is still to come: it does not count.
TEST_F(Starts, AtTheNewestSoManyOfADurableFeedCountWhatIsDurable) {
  broker_->set("--sync-interval-ms", "2000");
  start();
  publish("t", 4);
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  const std::uint64_t before = status().durable_sequence;
  auto consumer = Consumer::connect({.address = broker_->address(), .start = Start::last(2), .level = Level::durable});
  ASSERT_TRUE(consumer.ok());
  const std::uint64_t after = status().durable_sequence;
  const std::uint64_t first = take_event(*consumer).sequence;
  EXPECT_GE(first, before - 1);
  EXPECT_LE(first, after - 1) << "the sync may have come between two looks";
}

TEST_F(Starts, OfAnEmptyFeedAtTheNewestSoManyWait) {
  start();
  auto consumer = connect(Start::last(3));
  ASSERT_TRUE(consumer.ok());
  EXPECT_EQ(publish(), 1U);
  EXPECT_EQ(take_event(*consumer).sequence, 1U);
}

TEST_F(Starts, WithANameMoveTheCursorOverWhatTheFilterLeavesOut) {
  keep_little();
  broker_->set("--cursor-hold-bytes", "64M");
  start();
  auto consumer = connect(Start::earliest(), "rare", "scout");
  ASSERT_TRUE(consumer.ok());
  const std::uint64_t rare = publish("rare");
  EXPECT_EQ(take_event(*consumer).sequence, rare);
  const std::uint64_t first = publish("common", 300, 4000);
  EventView event;
  for (int i = 0; i < 40; ++i) ASSERT_EQ(consumer->wait(event, milliseconds(20)), Poll::empty);
  EXPECT_LT(cursor_of("scout"), rare) << "what was handed out is not done before it is saved";
  ASSERT_TRUE(consumer->save_cursor().ok());
  publish("common", 300, 4000);
  while (cursor_of("scout") < first + 300) ASSERT_EQ(consumer->wait(event, milliseconds(20)), Poll::empty);
  while (status().earliest_sequence <= first) ASSERT_EQ(consumer->wait(event, milliseconds(20)), Poll::empty);
  EXPECT_EQ(consumer->stats().resets, 0U);
  // Saving at each event alone, as in a loop that sees only what matches, is enough.
  const std::uint64_t second = publish("rare");
  EXPECT_EQ(take_event(*consumer).sequence, second);
  ASSERT_TRUE(consumer->save_cursor().ok());
  const std::uint64_t end = publish("common", 10);
  while (cursor_of("scout") != end) ASSERT_EQ(consumer->wait(event, milliseconds(20)), Poll::empty);
}

TEST_F(Starts, WithANameAndAFilterLeaveTheirPlaceBehindWhenTheyEnd) {
  start();
  const std::uint64_t end = publish("common", 10);
  {
    auto consumer = connect(Start::earliest(), "rare", "brief");
    ASSERT_TRUE(consumer.ok());
    EventView event;
    ASSERT_EQ(consumer->poll(event), Poll::empty);
  }
  while (cursor_of("brief") != end) std::this_thread::sleep_for(milliseconds(5));
}

TEST_F(Starts, WithANameThatWasDroppedDoNotMakeItAnewByThemselves) {
  start();
  auto consumer = connect(Start::earliest(), "rare", "gone");
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(consumer->drop_cursor().ok());
  publish("common", 10);
  EventView event;
  for (int i = 0; i < 80; ++i) ASSERT_EQ(consumer->wait(event, milliseconds(20)), Poll::empty);
  EXPECT_EQ(cursor_of("gone"), ~0ULL);
  ASSERT_TRUE(consumer->save_cursor().ok());
  while (cursor_of("gone") != 10) std::this_thread::sleep_for(milliseconds(5));
}

TEST_F(Starts, WithANameTakeNoPlaceOfAnotherFeed) {
  start();
  publish("t", 3);
  auto consumer = connect(Start::earliest(), "", "mine");
  ASSERT_TRUE(consumer.ok());
  const Cursor first = take_event(*consumer).cursor;
  EXPECT_EQ(take_event(*consumer).sequence, 2U);
  expect_error(consumer->save_cursor({.epoch = first.epoch + 1, .sequence = 1}), ErrorCode::invalid_argument,
               {"not of this feed"});
  EXPECT_TRUE(consumer->save_cursor(first).ok());
  while (cursor_of("mine") != 1) std::this_thread::sleep_for(milliseconds(5));
}

// leat tail has its own filter: it saves as it goes, whether anything is printed or not.
TEST_F(Starts, OfTailWithACursorAndAFilterMoveTheCursor) {
  start();
  const std::uint64_t end = publish("common", 10);
  ChildProcess tail({.arguments = {LEAT_TEST_LEAT, "tail", "--feed", broker_->address().feed, "--runtime-dir",
                                   broker_->address().runtime_dir, "--data-dir", broker_->address().data_dir, "--from",
                                   "earliest", "--cursor", "tail", "--filter", "rare"},
                     .environment = {},
                     .output = (broker_->scratch() / "tail.log").string(),
                     .user = {}});
  while (cursor_of("tail") != end) std::this_thread::sleep_for(milliseconds(5));
  tail.kill9();
}

class BoundsOfOptions : public BrokerTest {};

TEST_F(BoundsOfOptions, OfAConsumerAreToldBeforeAnythingIsDone) {
  start();
  const auto with = [&](auto change) {
    ConsumerOptions options{.address = broker_->address()};
    change(options);
    return Consumer::connect(options);
  };
  expect_error(with([](auto& o) { o.name = std::string(33, 'n'); }), ErrorCode::invalid_argument,
               {"33 bytes", "at most 32"});
  expect_error(with([](auto& o) { o.name = "a\nb"; }), ErrorCode::invalid_argument, {"control character"});
  expect_error(with([](auto& o) { o.cursor_name = "a/b"; }), ErrorCode::invalid_argument, {"a/b", "1 to 63"});
  expect_error(with([](auto& o) { o.cursor_name = std::string(64, 'c'); }), ErrorCode::invalid_argument, {"1 to 63"});
  expect_error(with([](auto& o) { o.start = Start::at(0); }), ErrorCode::invalid_argument, {"begin at 1", "earliest"});
  expect_error(with([](auto& o) { o.start.kind = static_cast<Start::Kind>(9); }), ErrorCode::invalid_argument,
               {"kind 9"});
  expect_error(with([](auto& o) { o.level = static_cast<Level>(9); }), ErrorCode::invalid_argument, {"level 9"});
  EXPECT_TRUE(with([](auto& o) { o.name = std::string(32, 'n'); }).ok());
  for (const auto timeout : {std::chrono::nanoseconds::max(), std::chrono::nanoseconds(kPatience)}) {
    EXPECT_TRUE(with([&](auto& o) { o.connect_timeout = timeout; }).ok());
  }
  for (const Start& start : {Start::at(~0ULL), Start::after({0, 0}), Start::after({~0ULL, ~0ULL})}) {
    auto consumer = with([&](auto& o) { o.start = start; });
    ASSERT_TRUE(consumer.ok());
    EventView event;
    EXPECT_EQ(consumer->poll(event), Poll::reset);
  }
  expect_error(open_journal(broker_->journal(), Start::at(0)), ErrorCode::invalid_argument, {"begin at 1"});
}

TEST_F(BoundsOfOptions, OfAWaitAreAllOfADuration) {
  start();
  Consumer consumer = connect_consumer();
  EventView event;
  for (const auto none : {std::chrono::nanoseconds::min(), std::chrono::nanoseconds(-1), std::chrono::nanoseconds(0)}) {
    EXPECT_EQ(consumer.wait(event, none), Poll::empty);
  }
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(100));
    Producer producer = connect_producer();
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  });
  EXPECT_EQ(consumer.wait(event, std::chrono::nanoseconds::max()), Poll::event);
  later.join();
}

}  // namespace
}  // namespace leat::test
