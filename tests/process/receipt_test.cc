// To whom a receipt belongs, and what a call that runs out of time says about its event.
#include <filesystem>
#include <limits>
#include <thread>

#include "process/load.h"
#include "process/spoil.h"

namespace leat::test {
namespace {

using Receipts = BrokerTest;
constexpr std::chrono::nanoseconds kForever = std::chrono::nanoseconds::max();
constexpr std::chrono::nanoseconds kLongAgo = std::chrono::nanoseconds::min();

TEST_F(Receipts, OfAnotherHandleOfTheSameOrAnotherFeedAreRefusedByEveryLevel) {
  start();
  BrokerProcess other("Receipts-other");
  ASSERT_TRUE(other.start().ok());
  auto elsewhere = Producer::connect({.address = other.address()});
  ASSERT_TRUE(elsewhere.ok());
  Producer a = connect_producer();
  Producer b = connect_producer();
  Receipt of_a;
  Receipt of_elsewhere;
  ASSERT_TRUE(a.publish_and_wait({.topic = "a"}, Ack::durable, kPatience, &of_a).ok());
  ASSERT_TRUE(elsewhere->publish_and_wait({.topic = "e"}, Ack::durable, kPatience, &of_elsewhere).ok());
  ASSERT_EQ(b.publish_and_wait({.topic = "b"}, Ack::durable, kPatience).value(), 2U);
  for (const Ack level : {Ack::accepted, Ack::committed, Ack::durable}) {
    expect_error(b.wait(of_a, level, kPatience), ErrorCode::invalid_argument,
                 {"another handle", "producer is 1, this one 2"});
    expect_error(b.wait(of_elsewhere, level, kPatience), ErrorCode::invalid_argument, {"another feed"});
    expect_error(b.wait(Receipt{}, level, kPatience), ErrorCode::invalid_argument, {"empty receipt"});
    EXPECT_TRUE(a.wait(of_a, level, kPatience).ok());
  }
  EXPECT_EQ(of_a.producer_id, a.producer_id());
  Producer moved = std::move(a);
  EXPECT_EQ(moved.wait(of_a, Ack::durable, kPatience).value(), 1U) << "a handle that was moved is still the same";
  EXPECT_EQ(other.terminate(), 0);
}

TEST_F(Receipts, OfTheFeedThatWasThereBeforeAreRefusedByTheOneThatWasBegunAnew) {
  start();
  Producer producer = connect_producer();
  Receipt old;
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience, &old).ok());
  broker_->kill9();
  std::filesystem::rename(broker_->journal(), broker_->journal().string() + ".away");
  start();
  while (!producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok()) {
  }
  EXPECT_EQ(producer.producer_id(), 1U) << "the new feed counts from one again, as the old one did";
  for (const Ack level : {Ack::accepted, Ack::committed, Ack::durable}) {
    expect_error(producer.wait(old, level, kPatience), ErrorCode::closed, {"begun anew"});
  }
}

TEST_F(Receipts, NothingPublishedIsTimedOutAndPublishedButNotSeenIsPending) {
  start();
  auto producer = Producer::connect({.address = broker_->address(), .arena_bytes = 4096});
  ASSERT_TRUE(producer.ok());
  broker_->stop();
  Receipt receipt;
  expect_error(producer->publish_and_wait({.topic = "first"}, Ack::committed, milliseconds(20), &receipt),
               ErrorCode::pending, {"will be journaled", "do not publish it again"});
  EXPECT_EQ(receipt.events, 1U) << "the receipt comes back, to wait on";
  std::uint64_t filled = 1;
  while (producer->try_publish({.topic = "fill"}) == Publish::ok) ++filled;
  Receipt none = receipt;
  // publish_timeout is 30 seconds, but this call has less.
  expect_error(producer->publish_and_wait({.topic = "last"}, Ack::committed, milliseconds(20), &none),
               ErrorCode::timed_out, {"was not published"});
  EXPECT_EQ(none.events, 0U);
  expect_error(producer->flush(Ack::committed, milliseconds(20)), ErrorCode::pending, {"will be journaled"});
  broker_->cont();
  EXPECT_EQ(producer->wait(receipt, Ack::durable, kPatience).value(), 1U);
  ASSERT_TRUE(producer->flush(Ack::durable, kPatience).ok());
  EXPECT_EQ(status().latest_sequence, filled) << "what was told not to be published is not there";
}

TEST_F(Receipts, NoTimeOutWrapsAndNegativeOnesDoNotWait) {
  start();
  auto producer = Producer::connect(
      {.address = broker_->address(), .arena_bytes = 4096, .publish_timeout = kForever, .connect_timeout = kForever});
  ASSERT_TRUE(producer.ok()) << producer.error().message;
  const std::string payload(1500, 'x');
  for (int i = 0; i < 200; ++i) {  // most of them wait for room
    const auto sent = producer->publish({.topic = "t", .payload = payload});
    ASSERT_TRUE(sent.ok()) << sent.error().message;
    if (i % 50 != 0) continue;
    ASSERT_TRUE(producer->wait(*sent, Ack::durable, kForever).ok());
  }
  ASSERT_TRUE(producer->publish_and_wait({.topic = "t"}, Ack::durable, kForever).ok());
  ASSERT_TRUE(producer->flush(Ack::durable, kForever).ok());
  broker_->stop();
  for (const auto timeout : {kLongAgo, std::chrono::nanoseconds(-1), std::chrono::nanoseconds(0)}) {
    expect_error(producer->publish_and_wait({.topic = "t"}, Ack::committed, timeout), ErrorCode::pending, {});
  }
  while (producer->try_publish({.topic = "t"}) == Publish::ok) {
  }
  expect_error(producer->publish_and_wait({.topic = "t"}, Ack::committed, kLongAgo), ErrorCode::timed_out, {});
  broker_->cont();
}

TEST_F(Receipts, SizesThatWrapAreTooLarge) {
  start();
  Producer producer = connect_producer();
  std::span<std::byte> room;
  const std::size_t bound = producer.max_event_bytes();
  for (const std::size_t bytes :
       {std::numeric_limits<std::size_t>::max(), std::size_t(-1) - 40, std::size_t(-1) - 55, std::size_t(-1) - 64,
        std::size_t{1} << 63, std::size_t{1} << 32, bound, bound - 48}) {
    EXPECT_EQ(producer.claim({.topic = "t"}, bytes, room), Publish::too_large) << bytes;
    if (bytes <= bound) continue;
    const Event wrapping{.topic = "t", .payload = {"x", bytes}};  // never read
    EXPECT_EQ(producer.try_publish(wrapping), Publish::too_large) << bytes;
    EXPECT_EQ(producer.try_publish_batch({&wrapping, 1}), Publish::too_large) << bytes;
  }
  ASSERT_EQ(producer.claim({.topic = "t"}, bound - 49, room), Publish::ok);
  EXPECT_EQ(room.size(), bound - 49);
  ASSERT_EQ(producer.commit(), Publish::ok);
  const std::vector<Event> too_many(Producer::kMaxBatchEvents + 1, Event{.topic = "t"});
  EXPECT_EQ(producer.try_publish_batch(too_many), Publish::bad_field);
}

TEST_F(Receipts, OptionsOutOfBoundsAreRefusedBeforeAnybodyIsAsked) {
  const FeedAddress address = broker_->address();  // of a broker that is not there
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4095}, (std::size_t{1} << 30) + 1, std::size_t(-1)}) {
    expect_error(Producer::connect({.address = address, .arena_bytes = bytes}), ErrorCode::invalid_argument,
                 {"arena_bytes", "4096", "1073741824"});
  }
  for (const auto timeout : {std::chrono::nanoseconds(-1), kLongAgo}) {
    expect_error(Producer::connect({.address = address, .publish_timeout = timeout}), ErrorCode::invalid_argument,
                 {"publish_timeout", "negative"});
    expect_error(Producer::connect({.address = address, .connect_timeout = timeout}), ErrorCode::invalid_argument,
                 {"connect_timeout", "negative"});
  }
  for (const std::string& name :
       {std::string(33, 'n'), std::string("two\nlines"), std::string("\x1b[31m"), std::string("\xc3\xa9")}) {
    expect_error(Producer::connect({.address = address, .name = name}), ErrorCode::invalid_argument, {"name", "32"});
  }
  FeedAddress owned = address;
  owned.owner = "nobody-of-this-name";
  expect_error(Producer::connect({.address = owned}), ErrorCode::invalid_argument,
               {"nobody-of-this-name", "LEAT_OWNER"});
  start();
  const auto odd = Producer::connect({.address = address, .name = std::string(32, 'n'), .arena_bytes = 5000});
  ASSERT_TRUE(odd.ok()) << odd.error().message;
  EXPECT_EQ(odd->arena_bytes(), 8192U);
  EXPECT_EQ(status().producers.at(0).name, std::string(32, 'n'));
}

// Those who wait for no receipt are told, too; the log is for those who are gone.
TEST_F(Receipts, WhatIsRefusedThoughItWasAcceptedIsToldByFlushCountedAndLogged) {
  start();
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  broker_->stop();
  for (const char* payload : {"good", "to be spoilt", "good too"}) {
    ASSERT_TRUE(producer.publish({.topic = "a.b", .payload = payload}).ok());
  }
  spoil_accepted(*broker_, "arena-0-1", "to be spoilt");
  broker_->cont();
  expect_error(producer.flush(Ack::committed, kPatience), ErrorCode::refused, {"accepted", "topic"});
  EXPECT_EQ(producer.refused_after_accept(), 1U);
  EXPECT_TRUE(producer.flush(Ack::durable, kPatience).ok()) << "told once";
  EXPECT_EQ(status().refused_entries, 1U);
  EXPECT_EQ(status().latest_sequence, 3U) << "the others are there";
  while (broker_->log().find("refused: an entry of 1 events") == std::string::npos) {
    std::this_thread::sleep_for(milliseconds(2));
  }
}

// Accepted while the broker was away, and refused by the next one: those who wait for no receipt are told, too.
TEST_F(Receipts, ARefusalAfterAcceptedIsCountedAndTold) {
  broker_->set("--max-event-bytes", "64K");
  start();
  Producer producer = connect_producer(1 << 20);
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  broker_->kill9();
  const std::string large(40'000, 'x');
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(producer.publish({.topic = "t", .payload = large}).ok());
  broker_->set("--max-event-bytes", "4K");
  start();
  // The bounds of the broker that is there now, before anything more is accepted under those of the last.
  Publish outcome{};
  while ((outcome = producer.try_publish({.topic = "t", .payload = large})) == Publish::would_block) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(outcome, Publish::too_large);
  EXPECT_EQ(producer.max_event_bytes(), 4096U);
  ASSERT_TRUE(producer.publish({.topic = "t", .payload = "small"}).ok());
  const auto flushed = producer.flush(Ack::committed, kPatience);
  const FeedStatus feed = status();
  EXPECT_EQ(feed.latest_sequence + producer.refused_after_accept(), 5U) << "each event is there or counted";
  EXPECT_EQ(feed.refused_entries, producer.refused_after_accept());
  if (producer.refused_after_accept() > 0) {
    expect_error(flushed, ErrorCode::refused, {"3 events", "accepted", "--max-event-bytes"});
  }
  EXPECT_TRUE(producer.flush(Ack::durable, kPatience).ok()) << "told once";
}

}  // namespace
}  // namespace leat::test
