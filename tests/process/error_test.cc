// Each error has its code, and a message that says what, where and what to do.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include <leat/journal.h>

#include "process/load.h"
#include "base/unique_fd.h"
#include "shm/control/control_socket.h"
#include "shm/ingest/arena_layout.h"
#include "shm/layout_version.h"

namespace leat::test {
namespace {

class Errors : public LoadTest {
 protected:
  // Speaks to the broker by hand.
  internal::UniqueFd dial() {
    internal::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = (broker_->runtime() / "control.sock").string();
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << path;
    return socket;
  }
  Result<internal::WelcomeMessage> say_hello(const internal::HelloMessage& hello) { return say_hello(dial(), hello); }
  static Result<internal::WelcomeMessage> say_hello(const internal::UniqueFd& socket,
                                                    const internal::HelloMessage& hello) {
    if (auto sent = internal::send_message(socket.get(), &hello, sizeof hello); !sent) return sent.error();
    internal::Received received;
    if (auto got = internal::receive_message(socket.get(), received, 10'000); !got) return got.error();
    internal::WelcomeMessage welcome{};
    if (received.size != sizeof welcome) return Error{ErrorCode::protocol_error, "no Welcome"};
    std::memcpy(&welcome, received.bytes.data(), sizeof welcome);
    return welcome;
  }
  static internal::HelloMessage hello_as(internal::Role role) {
    internal::HelloMessage hello{};
    hello.header = internal::make_header(internal::MessageType::hello, sizeof hello);
    hello.role = static_cast<std::uint32_t>(role);
    std::memcpy(hello.name, "by hand", 7);
    return hello;
  }
};

TEST_F(Errors, AnEventOverTheBoundIsTooLargeAndNothingIsPublished) {
  broker_->set("--max-event-bytes", "1024");
  start();
  Producer producer = connect_producer();
  EXPECT_EQ(producer.max_event_bytes(), 1024U);
  const std::string fits(1024 - 48 - 1, 'x');
  const std::string payload = fits + "xxxxxxxx";
  EXPECT_EQ(producer.try_publish({.topic = "t", .payload = payload}), Publish::too_large);
  expect_error(producer.publish({.topic = "t", .payload = payload}), ErrorCode::too_large, {"--max-event-bytes"});
  std::span<std::byte> room;
  EXPECT_EQ(producer.claim({.topic = "t"}, payload.size(), room), Publish::too_large);
  const auto sequence = producer.publish_and_wait({.topic = "t", .payload = fits}, Ack::committed, kPatience);
  ASSERT_TRUE(sequence.ok()) << sequence.error().message;
  EXPECT_EQ(*sequence, 1U);
}

TEST_F(Errors, AnEventOverHalfItsArenaNamesThatBoundAndNotTheFeedsOwn) {
  start();
  Producer producer = connect_producer(4096);
  const std::string payload(3000, 'x');
  const auto sent = producer.publish({.topic = "t", .payload = payload});
  expect_error(sent, ErrorCode::too_large, {"4096", "ProducerOptions::arena_bytes", "--arena-bytes"});
  EXPECT_EQ(sent.error().message.find("--max-event-bytes"), std::string::npos) << "which would not help";
}

TEST_F(Errors, ABatchOverItsBoundIsTooLargeAndAnEmptyOneIsRefused) {
  start();
  Producer producer = connect_producer();
  const std::string payload(16'000, 'x');
  const std::vector<Event> batch(8, Event{.topic = "t", .payload = payload});
  expect_error(producer.publish_batch(batch), ErrorCode::too_large, {"too large"});
  expect_error(producer.publish_batch({}), ErrorCode::invalid_argument, {"batch"});
  const std::vector<Event> many(Producer::kMaxBatchEvents + 1, Event{.topic = "t"});
  expect_error(producer.publish_batch(many), ErrorCode::invalid_argument, {"batch"});
}

TEST_F(Errors, ABadTopicIsNamed) {
  start();
  Producer producer = connect_producer();
  const std::string long_topic(256, 'a');
  for (const std::string_view topic :
       {std::string_view(""), std::string_view("a..b"), std::string_view(".a"), std::string_view("a."),
        std::string_view("a b"), std::string_view("a.*"), std::string_view("a.>"), std::string_view("\xc3\xa9"),
        std::string_view("a\0b", 3), std::string_view(long_topic)}) {
    EXPECT_EQ(producer.try_publish({.topic = topic}), Publish::bad_topic) << topic;
    const auto sent = producer.publish({.topic = topic});
    expect_error(sent, ErrorCode::bad_topic, {"topic"});
  }
  const std::string key(256, 'k');
  expect_error(producer.publish({.topic = "t", .key = key}), ErrorCode::invalid_argument, {"key"});
  expect_error(producer.publish({.topic = "t", .message_id = key}), ErrorCode::invalid_argument, {"message id"});
}

TEST_F(Errors, AFullArenaBlocksAtOnceOrTimesOutSayingThatTheBrokerIsBehindOrAway) {
  start();
  auto producer =
      Producer::connect({.address = broker_->address(), .arena_bytes = 4096, .publish_timeout = milliseconds(100)});
  ASSERT_TRUE(producer.ok()) << producer.error().message;
  broker_->stop();
  const std::string payload(400, 'x');
  Publish outcome{};
  std::uint64_t accepted_now = 0;
  while ((outcome = producer->try_publish({.topic = "t", .payload = payload})) == Publish::ok) ++accepted_now;
  EXPECT_EQ(outcome, Publish::would_block);
  EXPECT_EQ(accepted_now, 8U);  // 4096 / 512
  expect_error(producer->publish({.topic = "t", .payload = payload}), ErrorCode::timed_out,
               {"publish_timeout", "4096", "the broker is behind", "arena_bytes"});
  broker_->kill9();
  expect_error(producer->publish({.topic = "t", .payload = payload}), ErrorCode::timed_out,
               {"the broker is away", "restart leatd"});
  // A refusal published nothing: what comes out is what was accepted.
  start();
  ASSERT_TRUE(producer->publish_and_wait({.topic = "last"}, Ack::committed, kPatience).ok());
  EXPECT_EQ(status().latest_sequence, accepted_now + 1);
}

TEST_F(Errors, AWaitThatTimesOutSaysThatTheEventIsSafe) {
  start();
  Producer producer = connect_producer();
  broker_->stop();
  auto receipt = producer.publish({.topic = "t"});
  ASSERT_TRUE(receipt.ok());
  EXPECT_EQ(producer.wait(*receipt, Ack::accepted, milliseconds(1)).value(), 0U);
  expect_error(producer.wait(*receipt, Ack::committed, milliseconds(50)), ErrorCode::pending, {"will be journaled"});
  broker_->kill9();
  expect_error(producer.wait(*receipt, Ack::committed, milliseconds(50)), ErrorCode::pending, {"away"});
  start();
  EXPECT_EQ(producer.wait(*receipt, Ack::committed, kPatience).value(), 1U);
}

TEST_F(Errors, AReceiptThatIsNoLongerHeldHasExpired) {
  start();
  Producer producer = connect_producer(4096);
  auto receipt = producer.publish({.topic = "t"});
  ASSERT_TRUE(receipt.ok());
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(producer.publish({.topic = "t"}).ok());
  expect_error(producer.wait(*receipt, Ack::committed, kPatience), ErrorCode::receipt_expired, {"committed", "4096"});
}

TEST_F(Errors, AFeedThatNeverWasIsUnknownAndOneWithoutItsBrokerHasNoBroker) {
  start();
  FeedAddress other = broker_->address();
  other.feed = "other";
  expect_error(Producer::connect({.address = other}), ErrorCode::unknown_feed, {"other", "leatd --feed other"});
  expect_error(Consumer::connect({.address = other}), ErrorCode::unknown_feed, {"other"});
  expect_error(FeedObserver::connect(other), ErrorCode::unknown_feed, {"other"});
  expect_error(read_journal(broker_->scratch() / "nowhere"), ErrorCode::unknown_feed, {"nowhere"});
  ASSERT_EQ(broker_->terminate(), 0);
  expect_error(Producer::connect({.address = broker_->address()}), ErrorCode::no_broker,
               {"control.sock", "leatd --feed"});
  expect_error(Consumer::connect({.address = broker_->address(), .allow_offline = false}), ErrorCode::no_broker,
               {"test"});
  expect_error(FeedObserver::connect(broker_->address()), ErrorCode::no_broker, {"test"});
  start();
  broker_->kill9();  // the socket's file is still there
  expect_error(Producer::connect({.address = broker_->address()}), ErrorCode::no_broker, {"nothing listens"});
  FeedAddress bad = broker_->address();
  bad.feed = "../test";
  expect_error(Producer::connect({.address = bad}), ErrorCode::invalid_argument, {"../test"});
}

TEST_F(Errors, AnObserverWhoseBrokerHasGoneIsToldSo) {
  start();
  auto observer = FeedObserver::connect(broker_->address());
  ASSERT_TRUE(observer.ok());
  ASSERT_TRUE(observer->read().ok());
  broker_->kill9();
  expect_error(observer->read(), ErrorCode::no_broker, {"test"});
}

TEST_F(Errors, AStoppedBrokerThatDoesNotAnswerIsSuspected) {
  start();
  broker_->stop();
  expect_error(Producer::connect({.address = broker_->address(), .connect_timeout = milliseconds(50)}),
               ErrorCode::timed_out, {"does not answer", "SIGSTOP"});
  expect_error(Consumer::connect({.address = broker_->address(), .connect_timeout = milliseconds(50)}),
               ErrorCode::timed_out, {"does not answer", "SIGSTOP"});
  broker_->cont();
}

TEST_F(Errors, AClientOfAnotherLayoutVersionIsRefusedWithBothVersionsNamed) {
  start();
  for (const auto role : {internal::Role::producer, internal::Role::consumer, internal::Role::observer}) {
    internal::HelloMessage hello = hello_as(role);
    hello.header.layout_version = 4711;
    const auto welcome = say_hello(hello);
    ASSERT_TRUE(welcome.ok()) << welcome.error().message;
    EXPECT_EQ(welcome->status, static_cast<std::uint32_t>(ErrorCode::layout_mismatch));
    EXPECT_EQ(welcome->header.layout_version, internal::kSharedLayoutVersion);
    const std::string text = welcome->text;
    EXPECT_NE(text.find("4711"), std::string::npos) << text;
    EXPECT_NE(text.find("this program " + std::to_string(internal::kSharedLayoutVersion)), std::string::npos) << text;
  }
  EXPECT_EQ(status().refused_connections, 3U);
}

TEST_F(Errors, NonsenseOnTheSocketIsRefusedAndTheBrokerGoesOn) {
  start();
  internal::HelloMessage hello = hello_as(internal::Role::producer);
  hello.header.magic = 0;
  EXPECT_EQ(say_hello(hello)->status, static_cast<std::uint32_t>(ErrorCode::protocol_error));
  hello = hello_as(static_cast<internal::Role>(77));
  const auto welcome = say_hello(hello);
  EXPECT_EQ(welcome->status, static_cast<std::uint32_t>(ErrorCode::protocol_error));
  EXPECT_NE(std::string(welcome->text).find("77"), std::string::npos);
  hello = hello_as(internal::Role::producer);
  hello.arena_bytes = 1ULL << 40;
  EXPECT_EQ(say_hello(hello)->status, static_cast<std::uint32_t>(ErrorCode::invalid_argument));
  Producer producer = connect_producer();
  EXPECT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
}

// `ready` is stored last: a file in any other state is not attached to, whatever else its header says.
TEST_F(Errors, ASharedFileThatIsNotReadyIsNotAttachedTo) {
  start();
  const auto set_state = [&](const char* name, internal::FileState state) {
    std::fstream file(broker_->runtime() / "shm" / name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offsetof(internal::SharedFileHeader, state));
    file.write(reinterpret_cast<const char*>(&state), sizeof state);
    file.close();
    ASSERT_TRUE(file.good());
  };
  for (const auto state : {internal::FileState::initialising, internal::FileState::retired}) {
    set_state("broadcast", state);
    expect_error(Consumer::connect({.address = broker_->address()}), ErrorCode::closed, {"broadcast", "connect again"});
    set_state("broadcast", internal::FileState::ready);
    // What any client can write does not keep others out.
    set_state("inbound", state);
    EXPECT_TRUE(Producer::connect({.address = broker_->address()}).ok());
    set_state("doorbell", state);
    EXPECT_TRUE(Consumer::connect({.address = broker_->address()}).ok());
  }
  EXPECT_TRUE(connect_producer().publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
  Consumer consumer = connect_consumer();
  EXPECT_EQ(take_event(consumer).sequence, 1U);
}

TEST_F(Errors, CursorMessagesThatMakeNoSenseAreRefusedAndMoveNothing) {
  start();
  const auto ask = [&](const internal::UniqueFd& socket, internal::MessageType type, const std::string& name,
                       std::uint64_t sequence) {
    internal::CursorMessage message{};
    message.header = internal::make_header(type, sizeof message);
    std::memcpy(message.name, name.data(), std::min(name.size(), sizeof message.name));
    message.sequence = sequence;
    EXPECT_TRUE(internal::send_message(socket.get(), &message, sizeof message).ok());
    internal::Received received;
    EXPECT_TRUE(internal::receive_message(socket.get(), received, 10'000).ok());
    if (received.size != sizeof message) return static_cast<ErrorCode>(~0U);  // the connection was ended
    std::memcpy(&message, received.bytes.data(), sizeof message);
    return static_cast<ErrorCode>(message.status);
  };
  const internal::UniqueFd consumer = dial();
  ASSERT_EQ(say_hello(consumer, hello_as(internal::Role::consumer))->status, 0U);
  EXPECT_EQ(ask(consumer, internal::MessageType::take_cursor, "", 0), ErrorCode::invalid_argument);
  EXPECT_EQ(ask(consumer, internal::MessageType::take_cursor, std::string(64, 'x'), 0), ErrorCode::invalid_argument);
  EXPECT_EQ(ask(consumer, internal::MessageType::take_cursor, "../feed", 0), ErrorCode::invalid_argument);
  EXPECT_EQ(ask(consumer, internal::MessageType::take_cursor, "mine", 0), ErrorCode::ok);
  EXPECT_EQ(ask(consumer, internal::MessageType::save_cursor, "", ~0ULL), ErrorCode::invalid_argument)
      << "of the future";
  const internal::UniqueFd nameless = dial();
  ASSERT_EQ(say_hello(nameless, hello_as(internal::Role::consumer))->status, 0U);
  EXPECT_EQ(ask(nameless, internal::MessageType::save_cursor, "mine", 0), static_cast<ErrorCode>(~0U));
  const internal::UniqueFd producer = dial();
  ASSERT_EQ(say_hello(producer, hello_as(internal::Role::producer))->status, 0U);
  EXPECT_EQ(ask(producer, internal::MessageType::take_cursor, "mine", 0), static_cast<ErrorCode>(~0U));
  EXPECT_TRUE(list_cursors(broker_->journal())->empty());
}

// A file of another release in the runtime directory: nobody maps it as if it were ours.
TEST_F(Errors, ASharedFileOfAnotherLayoutVersionIsNotAdopted) {
  start();
  ASSERT_TRUE(connect_producer().publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  broker_->kill9();
  for (const char* name : {"inbound", "broadcast"}) {
    std::fstream file(broker_->runtime() / "shm" / name, std::ios::in | std::ios::out | std::ios::binary);
    const std::uint32_t version = 4711;
    file.seekp(offsetof(internal::SharedFileHeader, layout_version));
    file.write(reinterpret_cast<const char*>(&version), sizeof version);
    ASSERT_TRUE(file.good());
  }
  start();
  wait_for_log("layout version 4711, this program knows " + std::to_string(internal::kSharedLayoutVersion));
  Consumer consumer = connect_consumer();
  EXPECT_EQ(take_event(consumer).sequence, 1U);
  EXPECT_EQ(connect_producer().publish_and_wait({.topic = "t"}, Ack::committed, kPatience).value(), 2U);
}

TEST_F(Errors, WhenAllSlotsAreTakenTheNextClientIsToldWhichOptionToRaise) {
  broker_->set("--max-producers", "2");
  broker_->set("--max-consumers", "1");
  start();
  Producer first = connect_producer();
  {
    Producer second = connect_producer();
    expect_error(Producer::connect({.address = broker_->address()}), ErrorCode::busy,
                 {"2 producer", "--max-producers"});
  }
  // The slot is free again once the sequencer has seen that nothing of its producer is left.
  while (!Producer::connect({.address = broker_->address()}).ok()) std::this_thread::sleep_for(milliseconds(5));
  Consumer consumer = connect_consumer();
  expect_error(Consumer::connect({.address = broker_->address()}), ErrorCode::busy, {"1 consumer", "--max-consumers"});
  expect_error(Producer::connect({.address = broker_->address(), .arena_bytes = 1ULL << 30}),
               ErrorCode::invalid_argument, {"--max-arena-bytes"});
}

TEST_F(Errors, OfTheBrokerBringTheirAdviceAsAPartOfItsOwn) {
  broker_->set("--max-producers", "1");
  start();
  Producer producer = connect_producer();
  const auto refused = Producer::connect({.address = broker_->address()});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "all 1 producer slots are taken; close some producers or raise --max-producers");
  EXPECT_EQ(refused.error().what(), "all 1 producer slots are taken");
  EXPECT_EQ(refused.error().advice(), "close some producers or raise --max-producers");
  auto holder = Consumer::connect({.address = broker_->address(), .cursor_name = "mine"});
  ASSERT_TRUE(holder.ok()) << holder.error().message;
  const auto second = Consumer::connect({.address = broker_->address(), .cursor_name = "mine"});
  expect_error(second, ErrorCode::busy, {"is in use by consumer"});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().advice(), "stop it or choose another name");
}

}  // namespace
}  // namespace leat::test
