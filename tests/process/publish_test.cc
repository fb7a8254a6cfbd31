// The ways of publishing, and what they promise.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <map>
#include <thread>

#include "process/load.h"

namespace leat::test {
namespace {

using Publishing = LoadTest;

TEST_F(Publishing, ABatchComesWholeAndWithAdjacentSequencesAmongOthersAtWork) {
  start();
  for (int i = 0; i < 2; ++i) add_producer();
  wait_until_connected();
  Producer producer = connect_producer();
  for (std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{100}}) {
    const std::vector<Event> batch(size, Event{.topic = "batch"});
    auto receipt = producer.publish_batch(batch);
    ASSERT_TRUE(receipt.ok()) << receipt.error().message;
    EXPECT_EQ(receipt->events, size);
    auto first = producer.wait(*receipt, Ack::committed, kPatience);
    ASSERT_TRUE(first.ok()) << first.error().message;
    Consumer consumer = connect_consumer(Start::at(*first));
    for (std::size_t i = 0; i < size; ++i) {
      const EventView event = take_event(consumer);
      EXPECT_EQ(event.topic, "batch");
      EXPECT_EQ(event.sequence, *first + i);
      EXPECT_EQ(event.more_in_batch, i + 1 < size);
    }
  }
  finish_producers();
}

TEST_F(Publishing, ABatchWithOneBadEventPublishesNothing) {
  start();
  Producer producer = connect_producer();
  const std::string key(256, 'k');
  for (const Event& bad :
       {Event{.topic = "a b"}, Event{.topic = "a", .key = key}, Event{.topic = "a", .durable = false}}) {
    const std::array<Event, 3> batch = {Event{.topic = "a"}, Event{.topic = "a"}, bad};
    EXPECT_NE(producer.try_publish_batch(batch), Publish::ok);
    EXPECT_FALSE(producer.publish_batch(batch).ok());
  }
  ASSERT_EQ(producer.publish_and_wait({.topic = "a"}, Ack::committed, kPatience).value(), 1U);
}

TEST_F(Publishing, HeadersAndTombstonesComeToLiveConsumersAndToThoseOfTheJournal) {
  start();
  Producer producer = connect_producer();
  Consumer live = connect_consumer(Start::latest());
  const std::string large(4000, '\0');
  const Header headers[] = {{.name = "traceparent", .value = "00-ab-cd-01"}, {.name = "x", .value = large}};
  const std::array<Event, 3> events =
      {Event{.topic = "t", .key = "k", .message_id = "m", .payload = "p", .headers = headers},
       Event{.topic = "t", .key = "k", .tombstone = true, .headers = {headers, 1}},
       Event{.topic = "t", .payload = "plain"}};
  ASSERT_TRUE(producer.publish(events[0]).ok());
  ASSERT_TRUE(producer.publish_batch({&events[1], 2}).ok());
  std::span<std::byte> room;
  ASSERT_EQ(producer.claim({.topic = "t", .key = "k", .headers = {headers, 1}}, 3, room), Publish::ok);
  std::memcpy(room.data(), "abc", 3);
  ASSERT_EQ(producer.commit(), Publish::ok);
  ASSERT_TRUE(producer.flush(Ack::committed, kPatience).ok());
  Consumer replaying = connect_consumer();
  for (Consumer* consumer : {&live, &replaying}) {
    EventView event = take_event(*consumer);
    EXPECT_EQ(event.payload, "p");
    EXPECT_EQ(event.headers.find("traceparent"), "00-ab-cd-01");
    EXPECT_EQ(event.headers.find("x"), large);
    EXPECT_EQ(event.headers.find("y"), std::nullopt);
    EXPECT_FALSE(event.tombstone);
    event = take_event(*consumer);
    EXPECT_TRUE(event.tombstone && event.more_in_batch && event.payload.empty());
    EXPECT_EQ(event.headers.find("traceparent"), "00-ab-cd-01");
    event = take_event(*consumer);
    EXPECT_TRUE(event.headers.empty() && !event.tombstone);
    EXPECT_EQ(event.payload, "plain");
    event = take_event(*consumer);
    EXPECT_EQ(event.payload, "abc");
    EXPECT_EQ(event.headers.find("traceparent"), "00-ab-cd-01");
  }
}

TEST_F(Publishing, BadHeadersAndTombstonesAreRefusedByName) {
  start();
  Producer producer = connect_producer();
  const std::string long_value(4097, 'v');
  const Header twice[] = {{.name = "a"}, {.name = "a"}};
  const Header no_name[] = {{.name = "", .value = "v"}};
  const Header blank[] = {{.name = "a b", .value = "v"}};
  const Header too_long[] = {{.name = "a", .value = long_value}};
  const std::vector<Header> many(65, Header{.name = "n"});
  const std::pair<Event, const char*> cases[] = {
      {{.topic = "t", .headers = twice}, "header 'a' stands there twice"},
      {{.topic = "t", .headers = no_name}, "header '' is no name"},
      {{.topic = "t", .headers = blank}, "header 'a b' is no name"},
      {{.topic = "t", .headers = too_long}, "4098 bytes, at most 4096"},
      {{.topic = "t", .headers = many}, "65 headers, at most 64"},
      {{.topic = "t", .tombstone = true}, "a tombstone without key"},
      {{.topic = "t", .key = "k", .payload = "p", .tombstone = true}, "a tombstone with a payload"},
  };
  for (const auto& [event, part] : cases) {
    EXPECT_EQ(producer.try_publish(event), Publish::bad_field) << part;
    expect_error(producer.publish(event), ErrorCode::invalid_argument, {part});
    const std::array<Event, 2> batch = {Event{.topic = "t"}, event};
    expect_error(producer.publish_batch(batch), ErrorCode::invalid_argument, {part});
  }
  ASSERT_EQ(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).value(), 1U)
      << "nothing of it came in";
}

// Reads all of the journal: every batch that was accepted is there once, whole and adjacent.
void check_batches(const std::filesystem::path& journal, const SharedPage& page, std::size_t producers) {
  auto reader = read_journal(journal);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  std::map<std::string, std::uint64_t> next_batch;
  EventView event;
  Poll found = reader->next(event);
  while (found == Poll::event) {
    const std::string key(event.key);
    const std::uint64_t batch = next_batch[key]++;
    std::uint64_t size = 1;
    for (std::uint64_t place = 0; place < size; ++place) {
      ASSERT_EQ(found, Poll::event);
      ASSERT_EQ(event.key, key);
      if (place == 0) size = std::stoull(std::string(event.message_id.substr(event.message_id.rfind('/') + 1)));
      ASSERT_EQ(event.message_id, std::to_string(batch) + "/" + std::to_string(place) + "/" + std::to_string(size));
      ASSERT_EQ(event.more_in_batch, place + 1 < size);
      found = reader->next(event);
    }
  }
  ASSERT_EQ(found, Poll::empty) << reader->last_error().message;
  for (std::size_t i = 0; i < producers; ++i) {
    EXPECT_EQ(next_batch["p" + std::to_string(i)], page[kAcceptedWord + i].load()) << "batches of producer " << i;
  }
}

TEST_F(Publishing, BatchesStayWholeOverKillsOfTheBroker) {
  broker_->set("--ring-bytes", "64K");
  broker_->set("--segment-bytes", "64K");
  broker_->set("--max-event-bytes", "4K");
  start();
  std::vector<ChildProcess> helpers;
  for (int i = 0; i < 3; ++i) {
    helpers.push_back(start_helper("batches", {"index=" + std::to_string(i), "seed=" + std::to_string(test_seed())}));
  }
  page_->wait_for(kReadyWord, 3);
  Prng prng(test_seed());
  for (int i = 0; i < 10; ++i) {
    page_->wait_for(kAcceptedWord, (*page_)[kAcceptedWord].load() + scaled(200));
    std::this_thread::sleep_for(std::chrono::microseconds(prng.below(3000)));
    broker_->kill9();
    start();
  }
  (*page_)[kStopWord].store(1);
  for (ChildProcess& helper : helpers) EXPECT_EQ(helper.wait(), 0) << helper_output();
  while (!status().producers.empty()) std::this_thread::sleep_for(milliseconds(5));
  ASSERT_TRUE(connect_producer()
                  .publish_and_wait({.topic = "batch", .key = "end", .message_id = "0/0/1"}, Ack::committed, kPatience)
                  .ok());
  check_batches(broker_->journal(), *page_, helpers.size());
}

TEST_F(Publishing, AClaimIsFilledInPlaceAndCommittedOrAbandoned) {
  start();
  Producer producer = connect_producer();
  Consumer consumer = connect_consumer();
  std::span<std::byte> room;
  ASSERT_EQ(producer.claim({.topic = "first", .key = "k", .message_id = "m"}, 1000, room), Publish::ok);
  ASSERT_EQ(room.size(), 1000U);
  std::ranges::fill(room, std::byte{0x5a});
  // An open claim is not visible, and nothing else can be published meanwhile.
  EXPECT_EQ(producer.try_publish({.topic = "other"}), Publish::bad_field);
  EventView event;
  EXPECT_EQ(consumer.wait(event, milliseconds(20)), Poll::empty);
  Receipt receipt;
  ASSERT_EQ(producer.commit(&receipt), Publish::ok);
  EXPECT_EQ(producer.wait(receipt, Ack::committed, kPatience).value(), 1U);
  EXPECT_EQ(producer.commit(), Publish::bad_field);

  ASSERT_EQ(producer.claim({.topic = "second"}, 500, room), Publish::ok);
  std::ranges::fill(room, std::byte{0x11});
  producer.abandon();
  ASSERT_EQ(producer.claim({.topic = "third"}, 0, room), Publish::ok);
  EXPECT_TRUE(room.empty());
  ASSERT_EQ(producer.commit(), Publish::ok);

  event = take_event(consumer);
  EXPECT_EQ(event.topic, "first");
  EXPECT_EQ(event.key, "k");
  EXPECT_EQ(event.message_id, "m");
  EXPECT_EQ(event.payload, std::string(1000, 'Z'));
  event = take_event(consumer);
  EXPECT_EQ(event.topic, "third");
  EXPECT_EQ(event.payload, "");
  EXPECT_EQ(event.producer_sequence, 2U);
}

TEST_F(Publishing, AProducerKilledWithAnOpenClaimLeavesNothingBehind) {
  start();
  ChildProcess claimer = start_helper("claimer", {});
  EXPECT_EQ(claimer.wait(), 128 + SIGKILL) << helper_output();
  while (!status().producers.empty()) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(connect_producer().publish_and_wait({.topic = "t"}, Ack::committed, kPatience).value(), 1U);
}

TEST_F(Publishing, DurableIsReachedUnderBothPoliciesThatSync) {
  for (const char* policy : {"always", "interval"}) {
    SCOPED_TRACE(policy);
    broker_->set("--sync", policy);
    start();
    Producer producer = connect_producer();
    for (int i = 0; i < 20; ++i) {
      const auto sequence = producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience);
      ASSERT_TRUE(sequence.ok()) << sequence.error().message;
      EXPECT_GE(status().durable_sequence, *sequence);
    }
    EXPECT_GT(status().syncs, 0U);
    ASSERT_EQ(broker_->terminate(), 0);
  }
}

TEST_F(Publishing, WithoutSyncDurableIsReachedAtACleanStopOnly) {
  broker_->set("--sync", "none");
  start();
  Producer producer = connect_producer();
  auto receipt = producer.publish({.topic = "t"});
  ASSERT_TRUE(receipt.ok());
  ASSERT_TRUE(producer.wait(*receipt, Ack::committed, kPatience).ok());
  auto durable =
      Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .level = Level::durable});
  ASSERT_TRUE(durable.ok());
  EventView event;
  EXPECT_EQ(durable->wait(event, milliseconds(50)), Poll::empty);
  expect_error(producer.wait(*receipt, Ack::durable, milliseconds(50)), ErrorCode::pending, {"time-out"});
  ASSERT_EQ(broker_->terminate(), 0);
  EXPECT_EQ(take_event(*durable).sequence, 1U);
  EXPECT_EQ(producer.wait(*receipt, Ack::durable, kPatience).value(), 1U);
}

TEST_F(Publishing, WaitsForReceiptsInEachIdleStrategyAndNeverBeyondTheDeadline) {
  broker_->set("--sync", "always");
  start();
  for (const Idle idle : {Idle::adaptive, Idle::spin, Idle::block}) {
    SCOPED_TRACE(static_cast<int>(idle));
    auto producer = Producer::connect({.address = broker_->address(), .idle = idle});
    ASSERT_TRUE(producer.ok()) << producer.error().message;
    ASSERT_TRUE(producer->publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
    broker_->stop();
    auto receipt = producer->publish({.topic = "t"});
    ASSERT_TRUE(receipt.ok());
    expect_error(producer->wait(*receipt, Ack::committed, milliseconds(50)), ErrorCode::pending, {"time-out"});
    broker_->cont();
    EXPECT_TRUE(producer->wait(*receipt, Ack::durable, kPatience).ok());
  }
}

TEST_F(Publishing, ASpinningWaitGoesOnWithTheNextBroker) {
  broker_->set("--sync", "none");
  start();
  auto producer = Producer::connect({.address = broker_->address(), .idle = Idle::spin});
  ASSERT_TRUE(producer.ok()) << producer.error().message;
  broker_->kill9();
  auto receipt = producer->publish({.topic = "t"});
  ASSERT_TRUE(receipt.ok());
  // The wait, not the start, is on the other thread: a broker of these tests dies with the thread that started it.
  std::thread waiter(
      [&] { EXPECT_TRUE(producer->wait(*receipt, Ack::committed, kPatience).ok()) << "the next broker takes it"; });
  std::this_thread::sleep_for(milliseconds(20));
  start();
  waiter.join();
}

TEST_F(Publishing, GoesOnIntoTheArenaWhileTheBrokerIsAwayUntilItIsFull) {
  start();
  Producer producer = connect_producer(16 * 1024);
  Consumer consumer = connect_consumer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  for (std::uint64_t life = 0, sequence = 0; life < 3; ++life) {
    broker_->kill9();
    std::uint64_t count = life == 0 ? 1 : 0;
    while (producer.try_publish({.topic = "t", .payload = "while away"}) == Publish::ok) ++count;
    EXPECT_GE(count, 16U * 1024 / 128 - 1);
    start();
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
    for (std::uint64_t i = 0; i < count + 1; ++i) ASSERT_EQ(take_event(consumer).sequence, ++sequence);
    EventView event;
    EXPECT_EQ(consumer.poll(event), Poll::empty);
  }
}

}  // namespace
}  // namespace leat::test
