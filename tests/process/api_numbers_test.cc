// Every duration, count and size that the public API takes, at values that nobody means: each has its documented
// meaning, or is refused by name with its value and its bounds. None wraps into "at once" or "for ever".
#include <array>
#include <cstddef>
#include <limits>
#include <ratio>
#include <string>
#include <thread>
#include <vector>

#include "support/broker_test.h"

namespace leat::test {
namespace {

using std::chrono::nanoseconds;

constexpr std::size_t kMostBytes = std::numeric_limits<std::size_t>::max();

// What a plain conversion to nanoseconds would wrap.
static_assert(Timeout(milliseconds::max()).count() == nanoseconds::max().count());
static_assert(Timeout(milliseconds::min()).count() == nanoseconds::min().count());
static_assert(Timeout(seconds::max()).count() == nanoseconds::max().count());
static_assert(Timeout(std::chrono::hours::min()).count() == nanoseconds::min().count());
static_assert(Timeout(std::chrono::duration<std::uint64_t, std::nano>::max()).count() == nanoseconds::max().count());
static_assert(Timeout(std::chrono::duration<std::uint64_t, std::milli>(~0ULL)).count() == nanoseconds::max().count());
static_assert(Timeout(milliseconds(-1)).count() == -1'000'000 && Timeout(nanoseconds(7)).count() == 7);
static_assert(Timeout(milliseconds(9'223'372'036'854)).count() == 9'223'372'036'854'000'000);
static_assert(Timeout(milliseconds(9'223'372'036'855)).count() == nanoseconds::max().count());

struct Given {
  std::string text;  ///< as the error says it
  Timeout span;
};

const std::vector<Given> kNegative = {{"-1 ns", nanoseconds(-1)},
                                      {"-1000000 ns", milliseconds(-1)},
                                      {"-9223372036854775808 ns", nanoseconds::min()},
                                      {"-9223372036854775808 ns", milliseconds::min()},
                                      {"-9223372036854775808 ns", seconds::min()}};
const std::vector<Given> kForever = {{"", nanoseconds::max()},
                                     {"", milliseconds::max()},
                                     {"", seconds::max()},
                                     {"", std::chrono::hours::max()},
                                     {"", std::chrono::hours(24 * 365 * 200)}};

class ApiNumbers : public BrokerTest {
 protected:
  Result<Producer> producer_with(auto change) {
    ProducerOptions options{.address = broker_->address()};
    change(options);
    return Producer::connect(options);
  }
  Result<Consumer> consumer_with(auto change) {
    ConsumerOptions options{.address = broker_->address()};
    change(options);
    return Consumer::connect(options);
  }
};

TEST_F(ApiNumbers, NegativeTimeOutsOfOptionsAreRefusedByFieldValueAndBounds) {
  start();
  for (const Given& given : kNegative) {
    const auto refused = [&](const auto& result, const char* field) {
      expect_error(result, ErrorCode::invalid_argument,
                   {field, given.text.c_str(), "0 (no waiting) to nanoseconds::max()"});
    };
    refused(producer_with([&](auto& o) { o.publish_timeout = given.span; }), "publish_timeout");
    refused(producer_with([&](auto& o) { o.connect_timeout = given.span; }), "connect_timeout");
    refused(consumer_with([&](auto& o) { o.connect_timeout = given.span; }), "connect_timeout");
  }
}

TEST_F(ApiNumbers, TheLongestTimeOutsOfOptionsWaitAndTheShortestDoNot) {
  start();
  broker_->stop();
  std::thread later([&] {  // a connect that had wrapped would be over by then
    std::this_thread::sleep_for(milliseconds(300));
    broker_->cont();
  });
  auto first = producer_with([](auto& o) { o.connect_timeout = milliseconds::max(); });
  later.join();
  ASSERT_TRUE(first.ok()) << first.error().message;
  for (const Given& given : kForever) {
    EXPECT_TRUE(consumer_with([&](auto& o) { o.connect_timeout = given.span; }).ok());
    auto producer = producer_with([&](auto& o) {
      o.connect_timeout = given.span;
      o.publish_timeout = given.span;
      o.arena_bytes = 4096;
    });
    ASSERT_TRUE(producer.ok()) << producer.error().message;
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(producer->publish({.topic = "t", .payload = std::string(1500, 'x')}).ok());
  }
  broker_->stop();
  expect_error(producer_with([](auto& o) { o.connect_timeout = seconds(0); }), ErrorCode::timed_out,
               {"does not answer"});
  expect_error(consumer_with([](auto& o) { o.connect_timeout = seconds(0); }), ErrorCode::timed_out,
               {"does not answer"});
  broker_->cont();
  auto hasty = producer_with([](auto& o) {
    o.publish_timeout = seconds(0);
    o.arena_bytes = 4096;
  });
  ASSERT_TRUE(hasty.ok()) << hasty.error().message;
  broker_->stop();
  Result<Receipt> sent = Receipt{};
  while ((sent = hasty->publish({.topic = "t"})).ok()) {
  }
  expect_error(sent, ErrorCode::timed_out, {"publish_timeout"});
  broker_->cont();
}

TEST_F(ApiNumbers, SizesOfOptionsAreRefusedByFieldValueAndBounds) {
  start();
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{4095}, (std::size_t{1} << 30) + 1, kMostBytes / 2 + 1, kMostBytes}) {
    expect_error(producer_with([&](auto& o) { o.arena_bytes = bytes; }), ErrorCode::invalid_argument,
                 {"arena_bytes", std::to_string(bytes).c_str(), "4096 to 1073741824"});
  }
  // What the library takes and this leatd does not.
  expect_error(producer_with([](auto& o) { o.arena_bytes = std::size_t{1} << 30; }), ErrorCode::invalid_argument,
               {"1073741824", "ProducerOptions::arena_bytes", "--max-arena-bytes"});
  const std::array<std::pair<std::size_t, std::size_t>, 4> taken = {
      {{0, 64 << 10}, {4096, 4096}, {4097, 8192}, {65535, 65536}}};
  for (const auto& [asked, given] : taken) {
    auto producer = producer_with([&, bytes = asked](auto& o) { o.arena_bytes = bytes; });
    ASSERT_TRUE(producer.ok()) << producer.error().message;
    EXPECT_EQ(producer->arena_bytes(), given);
  }
}

TEST_F(ApiNumbers, EveryStartIsAPlaceOrARefusalOrAReset) {
  start();
  ASSERT_TRUE(connect_producer().publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  const auto first_poll = [&](const Start& start) {
    auto consumer = consumer_with([&](auto& o) { o.start = start; });
    if (!consumer) {
      ADD_FAILURE() << consumer.error().message;
      return Poll::error;
    }
    EventView event;
    const Poll found = consumer->wait(event, milliseconds(20));
    JournalReader offline = open_journal(broker_->journal(), start).value();
    EXPECT_EQ(offline.next(event), found) << "offline";
    return found;
  };
  expect_error(consumer_with([](auto& o) { o.start = Start::at(0); }), ErrorCode::invalid_argument,
               {"sequence 0", "begin at 1"});
  expect_error(open_journal(broker_->journal(), Start::at(0)), ErrorCode::invalid_argument,
               {"sequence 0", "begin at 1"});
  EXPECT_EQ(first_poll(Start::at(1)), Poll::event);
  EXPECT_EQ(first_poll(Start::at(2)), Poll::empty);
  for (const std::uint64_t sequence : {std::uint64_t{3}, most / 2, most / 2 + 1, most - 1, most}) {
    EXPECT_EQ(first_poll(Start::at(sequence)), Poll::reset) << sequence;
    EXPECT_EQ(first_poll(Start::after({.epoch = 0, .sequence = sequence})), Poll::reset) << sequence;
    EXPECT_EQ(first_poll(Start::after({.epoch = most, .sequence = sequence})), Poll::reset) << sequence;
  }
  for (const std::int64_t early : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, std::int64_t{0}}) {
    EXPECT_EQ(first_poll(Start::at_time(early)), Poll::event) << early;
  }
  EXPECT_EQ(first_poll(Start::at_time(std::numeric_limits<std::int64_t>::max())), Poll::empty) << "waits for it";
  Consumer consumer = connect_consumer();
  const Cursor here = take_event(consumer).cursor;
  auto named = consumer_with([](auto& o) { o.cursor_name = "c"; });
  ASSERT_TRUE(named.ok());
  for (const std::uint64_t sequence : {here.sequence + 1, most / 2 + 1, most}) {
    expect_error(named->save_cursor({.epoch = here.epoch, .sequence = sequence}), ErrorCode::invalid_argument,
                 {std::to_string(sequence).c_str(), "has come to"});
  }
}

TEST_F(ApiNumbers, EveryWaitTakesAnyDuration) {
  start();
  auto producer = producer_with([](auto& o) { o.arena_bytes = 4096; });
  ASSERT_TRUE(producer.ok());
  Consumer consumer = connect_consumer();
  EventView event;
  std::vector<Given> none = kNegative;
  none.push_back({"", seconds(0)});
  for (const Given& given : none) {
    EXPECT_EQ(consumer.wait(event, given.span), Poll::empty);
    EXPECT_EQ(consumer.for_each([](const EventView&) {}, given.span).why, Ended::Why::idle);
  }
  broker_->stop();
  auto receipt = producer->publish({.topic = "t"});
  ASSERT_TRUE(receipt.ok());
  for (const Given& given : none) {
    expect_error(producer->wait(*receipt, Ack::committed, given.span), ErrorCode::pending, {});
    expect_error(producer->flush(Ack::committed, given.span), ErrorCode::pending, {});
    expect_error(producer->publish_and_wait({.topic = "t"}, Ack::committed, given.span), ErrorCode::pending, {});
  }
  broker_->cont();
  for (const Given& given : kForever) {
    std::thread later([&] {  // nothing is there yet when the waits begin
      std::this_thread::sleep_for(milliseconds(100));
      broker_->cont();
    });
    broker_->stop();
    const auto sent = producer->publish_and_wait({.topic = "t"}, Ack::durable, given.span);
    later.join();
    ASSERT_TRUE(sent.ok()) << sent.error().message;
    EXPECT_TRUE(producer->flush(Ack::durable, given.span).ok());
    for (std::uint64_t seen = 0; seen < *sent;) {
      ASSERT_EQ(consumer.wait(event, given.span), Poll::event);
      seen = event.sequence;
    }
    const Ended ended = consumer_with([](auto& o) {
                          o.start = Start::earliest();
                        })->for_each([](const EventView&) { return false; }, given.span);
    EXPECT_EQ(ended.why, Ended::Why::stopped);
  }
}

TEST_F(ApiNumbers, AReceiptThatWasAlteredIsRefused) {
  start();
  Producer producer = connect_producer();
  const Receipt receipt = producer.publish({.topic = "t"}).value();
  for (const std::uint64_t position :
       {std::uint64_t{1}, std::uint64_t{63}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    Receipt altered = receipt;
    altered.arena_position = position;
    expect_error(producer.wait(altered, Ack::committed, kPatience), ErrorCode::invalid_argument,
                 {"arena_position", std::to_string(position).c_str()});
  }
  for (const std::uint32_t events : {0U, 4097U, ~0U}) {
    Receipt altered = receipt;
    altered.events = events;
    expect_error(producer.wait(altered, Ack::durable, kPatience), ErrorCode::invalid_argument,
                 {"events", std::to_string(events).c_str(), "1 to 4096"});
  }
  EXPECT_TRUE(producer.wait(receipt, Ack::durable, kPatience).ok());
}

}  // namespace
}  // namespace leat::test
