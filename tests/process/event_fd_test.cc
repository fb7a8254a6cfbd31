// The event descriptor in every state of a consumer: whoever sleeps on nothing else is woken for all there is.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "process/load.h"

namespace leat::test {
namespace {

enum class Filter : std::uint8_t { none, rare };
struct Way {
  Filter filter;
  Level level;
  bool until_empty;  ///< polls until empty after each readiness, or just once
};

class EventDescriptors : public LoadTest, public testing::WithParamInterface<Way> {
 protected:
  void SetUp() override {
    LoadTest::SetUp();
    broker_->set("--ring-bytes", "64K");
    broker_->set("--max-event-bytes", "4K");
    broker_->set("--segment-bytes", "64K");
    broker_->set("--retain-bytes", "256K");
  }
  ConsumerOptions options(Start from = Start::earliest()) {
    ConsumerOptions wanted{.address = broker_->address(), .start = from, .level = GetParam().level};
    if (GetParam().filter == Filter::rare) wanted.filter = TopicFilter::parse("rare").value();
    return wanted;
  }
  void connect(Start from = Start::earliest()) {
    auto connected = Consumer::connect(options(from));
    ASSERT_TRUE(connected.ok()) << connected.error().message;
    consumer_ = std::make_unique<Consumer>(std::move(*connected));
    auto fd = consumer_->event_fd();  // before the first poll
    ASSERT_TRUE(fd.ok()) << fd.error().message;
    fd_ = *fd;
  }
  // `common` events that a filter leaves out, and one that none does.
  void publish(std::uint64_t common, std::size_t bytes = 0) {
    Producer producer = connect_producer();
    const std::string payload(bytes, 'x');
    for (std::uint64_t i = 0; i < common; ++i) {
      auto sent = producer.publish({.topic = "common", .payload = payload});
      ASSERT_TRUE(sent.ok()) << sent.error().message;
    }
    auto last = producer.publish_and_wait({.topic = "rare"}, Ack::durable, kPatience);
    ASSERT_TRUE(last.ok()) << last.error().message;
    last_ = *last;
  }
  [[nodiscard]] bool readable(int timeout_ms) const {
    pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
    return ::poll(&wait, 1, timeout_ms) == 1;
  }
  // Sleeps on the descriptor alone until the newest event has come. Counts resets.
  void expect_woken_until_the_newest() {
    constexpr int kSilenceMs = 20'000;
    for (std::uint64_t taken = 0; taken < last_;) {
      ASSERT_TRUE(readable(kSilenceMs)) << "asleep at " << taken << ", the newest is " << last_;
      EventView event;
      Poll found{};
      do {
        found = consumer_->poll(event);
        if (found == Poll::event) taken = event.sequence;
        if (found == Poll::reset) ++resets_;
        ASSERT_NE(found, Poll::error) << consumer_->last_error().message;
      } while (GetParam().until_empty && found != Poll::empty);
    }
  }
  // Polls, at each readiness, until there is none for a while.
  void expect_silence_in_the_end() {
    EventView event;
    int wakes = 0;
    // A broker rings all that are armed now and then, should a ring ever get lost.
    for (; readable(100) && wakes < 20; ++wakes) ASSERT_EQ(consumer_->poll(event), Poll::empty);
    EXPECT_LT(wakes, 20) << "readable without end, though nothing comes";
  }

  std::unique_ptr<Consumer> consumer_;
  int fd_ = -1;
  std::uint64_t last_ = 0;
  int resets_ = 0;
};

TEST_P(EventDescriptors, WakeForWhatWasThereBeforeTheFirstPoll) {
  start();
  publish(10);
  connect();
  expect_woken_until_the_newest();
  expect_silence_in_the_end();
}

TEST_P(EventDescriptors, WakeAfterManyThatNoFilterLetsThrough) {
  start();
  connect();
  expect_silence_in_the_end();
  publish(9000);
  expect_woken_until_the_newest();
  publish(0);
  expect_woken_until_the_newest();
  expect_silence_in_the_end();
}

TEST_P(EventDescriptors, WakeForAReset) {
  start();
  connect(Start::at(1'000'000));
  publish(3);
  expect_woken_until_the_newest();
  EXPECT_EQ(resets_, 1);
}

TEST_P(EventDescriptors, WakeWhenLappedAndWhenWhatIsNextWasPruned) {
  start();
  connect();
  expect_silence_in_the_end();
  publish(50, 3000);  // more than the ring holds
  expect_woken_until_the_newest();
  publish(400, 3000);  // more than is retained
  while (status().earliest_sequence <= 60) std::this_thread::sleep_for(milliseconds(5));
  expect_woken_until_the_newest();
  expect_silence_in_the_end();
}

TEST_P(EventDescriptors, WakeOverRestartsOfAnyKind) {
  start();
  connect();
  publish(3);
  expect_woken_until_the_newest();
  ASSERT_EQ(broker_->terminate(), 0);
  EventView event;
  for (int i = 0; i < 5; ++i) {  // the clock wakes us, to look for the next broker
    ASSERT_TRUE(readable(20'000));
    ASSERT_EQ(consumer_->poll(event), Poll::empty);
  }
  start();
  publish(3);
  expect_woken_until_the_newest();
  broker_->kill9();
  broker_->set("--ring-bytes", "256K");
  start();
  publish(3);
  expect_woken_until_the_newest();
  expect_silence_in_the_end();
  EXPECT_EQ(resets_, 0);
}

TEST_P(EventDescriptors, WakeWithoutABrokerAndWhenOneComes) {
  start();
  publish(10);
  ASSERT_EQ(broker_->terminate(), 0);
  connect();
  EXPECT_FALSE(consumer_->online());
  expect_woken_until_the_newest();
  start();
  publish(3);
  expect_woken_until_the_newest();
  while (!consumer_->online()) {
    EventView event;
    ASSERT_TRUE(readable(20'000));
    ASSERT_EQ(consumer_->poll(event), Poll::empty);
  }
  expect_silence_in_the_end();
}

TEST_P(EventDescriptors, WakeWhenAnotherCallFoundTheNextBroker) {
  start();
  connect();
  publish(1);
  expect_woken_until_the_newest();
  ASSERT_EQ(broker_->terminate(), 0);
  broker_->set("--ring-bytes", "256K");
  start();
  publish(1);
  while (!consumer_->online()) std::this_thread::sleep_for(milliseconds(5));
  expect_woken_until_the_newest();
}

// A child holds the same descriptions: what ended must leave the set all the same, or it is readable for ever.
TEST_P(EventDescriptors, AreQuietAfterARestartThoughAChildHoldsTheOldConnection) {
  start();
  connect();
  publish(1);
  expect_woken_until_the_newest();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  broker_->kill9();
  start();
  publish(1);
  expect_woken_until_the_newest();
  expect_silence_in_the_end();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

INSTANTIATE_TEST_SUITE_P(Each, EventDescriptors,
                         testing::Values(Way{Filter::none, Level::live, true}, Way{Filter::none, Level::live, false},
                                         Way{Filter::none, Level::durable, true}, Way{Filter::rare, Level::live, true},
                                         Way{Filter::rare, Level::live, false},
                                         Way{Filter::rare, Level::durable, true}),
                         [](const auto& way) {
                           return std::string(way.param.filter == Filter::rare ? "Filtered" : "All") +
                                  (way.param.level == Level::durable ? "Durable" : "Live") +
                                  (way.param.until_empty ? "UntilEmpty" : "OnceAWake");
                         });

}  // namespace
}  // namespace leat::test
