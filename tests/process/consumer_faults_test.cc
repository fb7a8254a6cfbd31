// A consumer in a process that lacks something, or is interrupted all the time.
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "process/load.h"

namespace leat::test {
namespace {

using Clock = std::chrono::steady_clock;

class ConsumersInTrouble : public LoadTest {
 protected:
  void publish(std::uint64_t count, std::size_t bytes = 0) {
    Producer producer = connect_producer();
    const std::string payload(bytes, 'x');
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(producer.publish_and_wait({.topic = "t", .payload = payload}, Ack::committed, kPatience).ok());
    }
  }
};

// SIGALRM every 10 ms, as long as it lives.
class Interruptions {
 public:
  Interruptions() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, &before_);
    const itimerval period{.it_interval = {.tv_sec = 0, .tv_usec = 10'000},
                           .it_value = {.tv_sec = 0, .tv_usec = 10'000}};
    ::setitimer(ITIMER_REAL, &period, nullptr);
  }
  ~Interruptions() {
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

 private:
  struct sigaction before_ {};
};

// No descriptor can be had while it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(next);
    const rlimit none{.rlim_cur = static_cast<rlim_t>(next), .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_F(ConsumersInTrouble, WaitTheirWholeTimeThoughASignalComesEveryTenMilliseconds) {
  start();
  Consumer online = connect_consumer();
  EventView event;
  const auto expect_whole = [&](Consumer& consumer) {
    const Interruptions interruptions;
    auto begun = Clock::now();
    EXPECT_EQ(consumer.wait(event, milliseconds(400)), Poll::empty);
    EXPECT_GE(Clock::now() - begun, milliseconds(400));
    begun = Clock::now();
    EXPECT_EQ(consumer.for_each([](const EventView&) {}, milliseconds(400)).why, Ended::Why::idle);
    EXPECT_GE(Clock::now() - begun, milliseconds(400));
  };
  expect_whole(online);
  ASSERT_EQ(broker_->terminate(), 0);
  expect_whole(online);
  Consumer offline = connect_consumer();
  expect_whole(offline);
}

TEST_F(ConsumersInTrouble, WithoutDescriptorsSaySoAndGoOnOnceThereAreSome) {
  broker_->set("--ring-bytes", "64K");
  broker_->set("--max-event-bytes", "4K");
  broker_->set("--segment-bytes", "64K");
  start();
  Consumer consumer = connect_consumer();
  EventView event;
  ASSERT_EQ(consumer.poll(event), Poll::empty);
  publish(100, 3000);  // more than the ring holds: the journal has to be opened
  {
    const NoDescriptors none;
    ASSERT_EQ(consumer.poll(event), Poll::error);
    EXPECT_NE(consumer.last_error().message.find("Too many open files"), std::string::npos)
        << consumer.last_error().message;
    expect_error(consumer.event_fd(), ErrorCode::io_error, {"Too many open files", "ulimit"});
  }
  for (std::uint64_t i = 1; i <= 100; ++i) ASSERT_EQ(take_event(consumer).sequence, i);
  EXPECT_EQ(consumer.stats().resets, 0U) << "a look that failed is no proof that anything was pruned";
  EXPECT_TRUE(consumer.event_fd().ok());
}

TEST_F(ConsumersInTrouble, OfABrokerThatDoesNotAnswerKeepTheirQuestionsApart) {
  start();
  publish(3);
  auto consumer = Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .cursor_name = "slow"});
  ASSERT_TRUE(consumer.ok());
  EXPECT_EQ(take_event(*consumer).sequence, 1U);
  broker_->stop();
  expect_error(consumer->save_cursor(), ErrorCode::timed_out, {"does not answer"});
  EXPECT_EQ(take_event(*consumer).sequence, 2U) << "what is in the ring is read on";
  broker_->cont();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(consumer->save_cursor().ok());
    EventView event;
    for (int looks = 0; looks < 20; ++looks) (void)consumer->poll(event);
    EXPECT_TRUE(consumer->online());
  }
  const std::string log = broker_->log();
  std::size_t connections = 0;
  for (std::size_t at = 0; (at = log.find("] consumer '", at)) != std::string::npos; ++at) ++connections;
  EXPECT_EQ(connections, 1U) << "a late answer was taken for the end of the connection";
}

}  // namespace
}  // namespace leat::test
