// The broker goes away while a client is at any point of its work: the client gets errors, and never a signal.
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include "process/load.h"
#include "base/unique_fd.h"
#include "support/helper_main.h"

namespace leat::test {
namespace {

// Does all that talks to the broker, again and again, with the default action for SIGPIPE and SIGBUS: errors are fine.
int run_survivor(const HelperArguments& arguments) {
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGBUS, SIG_DFL);
  const SharedPage page(arguments.page());
  const FeedAddress address = arguments.address();
  auto producer = Producer::connect({.address = address, .publish_timeout = milliseconds(50)});
  auto consumer = Consumer::connect({.address = address, .start = Start::earliest(), .cursor_name = "survivor"});
  if (!producer || !consumer) return 1;
  page[kReadyWord].fetch_add(1);
  EventView event;
  for (std::uint64_t round = 0; page[kStopWord].load() == 0; ++round) {
    if (producer->publish({.topic = "t", .payload = "x"}).ok()) page[kAcceptedWord].fetch_add(1);
    while (consumer->poll(event) == Poll::event) page[kDeliveredWord].store(event.sequence);
    (void)consumer->save_cursor().ok();
    if (auto observer = FeedObserver::connect(address); observer.ok()) (void)observer->read().ok();
    (void)Producer::connect({.address = address, .connect_timeout = milliseconds(100)}).ok();
    (void)Consumer::connect({.address = address, .connect_timeout = milliseconds(100)}).ok();
    page[kResultWord].store(round);
  }
  return 0;
}
const HelperRegistration kSurvivor("survivor", &run_survivor);

// Looks once at all that a client can look at. How that ends is nobody's business.
int run_asker(const HelperArguments& arguments) {
  if (auto observer = FeedObserver::connect(arguments.address()); observer.ok()) (void)observer->read().ok();
  auto producer = Producer::connect({.address = arguments.address(), .publish_timeout = milliseconds(1)});
  if (producer.ok()) (void)producer->publish_and_wait({.topic = "t"}, Ack::durable, milliseconds(50)).ok();
  return 0;
}
const HelperRegistration kAsker("asker", &run_asker);

class BrokerGone : public LoadTest {};

TEST_F(BrokerGone, KillsAtAnyMomentEndNoClient) {
  constexpr int kKills = 25;
  Prng prng(test_seed());
  start();
  ChildProcess survivor = start_helper("survivor", {});
  page_->wait_for(kReadyWord, 1);
  for (int i = 0; i < kKills && survivor.running(); ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(prng.below(8000)));
    broker_->kill9();
    std::this_thread::sleep_for(std::chrono::microseconds(prng.below(3000)));
    start();
  }
  const std::uint64_t rounds = (*page_)[kResultWord].load();
  page_->wait_for(kResultWord, rounds + 3);
  (*page_)[kStopWord].store(1);
  EXPECT_EQ(survivor.wait(), 0) << helper_output();
  // What was accepted last may still wait in its arena.
  while (status().latest_sequence < (*page_)[kAcceptedWord].load()) std::this_thread::sleep_for(milliseconds(1));
}

TEST_F(BrokerGone, WhileAClientWaitsForItsAnswerIsAnErrorAtOnce) {
  start();
  broker_->stop();
  Result<Producer> producer = Error{};
  Result<Consumer> consumer = Error{};
  std::thread connecting(
      [&] { producer = Producer::connect({.address = broker_->address(), .connect_timeout = kPatience}); });
  std::thread another([&] {
    consumer = Consumer::connect({.address = broker_->address(), .connect_timeout = kPatience, .allow_offline = false});
  });
  std::this_thread::sleep_for(milliseconds(50));
  broker_->kill9();
  connecting.join();
  another.join();
  expect_error(producer, ErrorCode::no_broker, {"test"});
  expect_error(consumer, ErrorCode::no_broker, {"test"});
}

// connect() itself waits when the listener's queue is full.
TEST_F(BrokerGone, StoppedWithAFullQueueOfClientsIsATimeOutNotAHang) {
  start();
  broker_->stop();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (broker_->runtime() / "control.sock").string();
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  std::vector<internal::UniqueFd> waiting;
  for (int result = 0; result == 0;) {
    waiting.emplace_back(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    result = ::connect(waiting.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ASSERT_LT(waiting.size(), 5000U);
  }
  ASSERT_EQ(errno, EAGAIN);
  expect_error(Producer::connect({.address = broker_->address(), .connect_timeout = milliseconds(50)}),
               ErrorCode::timed_out, {"does not answer"});
  expect_error(Consumer::connect({.address = broker_->address(), .connect_timeout = milliseconds(50)}),
               ErrorCode::timed_out, {"does not answer"});
  broker_->cont();
}

// A producer that shows its token to a new broker and cannot wait for the answer: that is no farewell.
TEST_F(BrokerGone, ARegistrationThatIsNotWaitedForLosesNothing) {
  start();
  Producer producer = connect_producer();
  std::uint64_t published = 0;
  for (; published < 10; ++published) ASSERT_TRUE(producer.publish({.topic = "t"}).ok());
  for (int round = 0; round < 3; ++round) {
    broker_->kill9();
    start();
    std::this_thread::sleep_for(milliseconds(120));  // it asks no more than every tenth of a second
    broker_->stop();
    ASSERT_TRUE(producer.publish({.topic = "t"}).ok());  // asks the new broker, and does not wait for the answer
    ++published;
    broker_->cont();
    (void)status();  // by now the broker has seen that connection come and go
    for (int i = 0; i < 20; ++i, ++published) ASSERT_TRUE(producer.publish({.topic = "t"}).ok());
    const auto sequence = producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience);
    ASSERT_TRUE(sequence.ok()) << sequence.error().message;
    EXPECT_EQ(*sequence, ++published);
  }
  EXPECT_EQ(producer.producer_id(), 1U) << "it never had to register anew";
}

// As a daemon does that connects, changes to / and cleans its environment: where a handle was connected is where it
// looks for the next broker.
TEST_F(BrokerGone, TheNextOneIsFoundFromAnotherDirectoryAndWithAnotherEnvironment) {
  namespace fs = std::filesystem;
  start();
  const fs::path here = fs::current_path();
  const fs::path below = broker_->scratch() / "a" / "b";
  fs::create_directories(below);
  const FeedAddress whole = broker_->address();
  fs::current_path(broker_->scratch());
  const FeedAddress relative = {.feed = whole.feed,
                                .runtime_dir = fs::relative(whole.runtime_dir).string(),
                                .data_dir = fs::relative(whole.data_dir).string()};
  ::setenv("LEAT_RUNTIME_DIR", whole.runtime_dir.c_str(), 1);
  ::setenv("LEAT_DATA_DIR", whole.data_dir.c_str(), 1);
  std::vector<Producer> producers;
  std::vector<Consumer> consumers;
  std::vector<FeedObserver> observers;
  for (const FeedAddress& address : {relative, FeedAddress{.feed = whole.feed}}) {
    producers.push_back(Producer::connect({.address = address}).value());
    consumers.push_back(Consumer::connect({.address = address, .start = Start::earliest()}).value());
    observers.push_back(FeedObserver::connect(address).value());
  }
  broker_->kill9();
  fs::remove_all(broker_->runtime());
  fs::current_path(below);
  ::setenv("LEAT_RUNTIME_DIR", "/no/such/place", 1);
  ::setenv("LEAT_DATA_DIR", "/no/such/place", 1);
  start();
  for (Producer& producer : producers) {
    const auto sent = producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience);
    EXPECT_TRUE(sent.ok() || sent.error().code == ErrorCode::closed) << sent.error().message;
    EXPECT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  }
  for (Consumer& consumer : consumers) EXPECT_EQ(take_event(consumer).sequence, 1U);
  for (FeedObserver& observer : observers) EXPECT_TRUE(observer.read().ok());
  fs::current_path(here);
  ::unsetenv("LEAT_RUNTIME_DIR");
  ::unsetenv("LEAT_DATA_DIR");
}

TEST_F(BrokerGone, AndItsFilesTooIsAnErrorAndTheNextBrokerIsFound) {
  start();
  Producer producer = connect_producer();
  Consumer consumer = connect_consumer();
  ASSERT_EQ(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).value(), 1U);
  EXPECT_EQ(take_event(consumer).sequence, 1U);
  broker_->kill9();
  std::filesystem::remove_all(broker_->runtime());
  EventView event;
  EXPECT_EQ(consumer.wait(event, milliseconds(200)), Poll::empty);
  const auto receipt = producer.publish({.topic = "t"});  // into memory that nobody looks at any more
  start();
  // What went there is given up by name; what comes next arrives.
  if (receipt.ok()) {
    expect_error(producer.wait(*receipt, Ack::committed, kPatience), ErrorCode::closed, {"publish it again"});
  }
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  EXPECT_EQ(take_event(consumer).sequence, 2U);
}

}  // namespace
}  // namespace leat::test
