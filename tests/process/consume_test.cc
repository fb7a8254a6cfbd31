// The ways of consuming: without a broker, by event descriptor, with each idle strategy, at each level.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "process/load.h"
#include "base/unique_fd.h"

namespace leat::test {
namespace {

class Consuming : public LoadTest {
 protected:
  void publish(std::uint64_t count) {
    Producer producer = connect_producer();
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
    }
  }
};

TEST_F(Consuming, WithoutABrokerReadsTheJournalAndJoinsTheBrokerWhenItComes) {
  start();
  publish(5);
  ASSERT_EQ(broker_->terminate(), 0);
  Consumer consumer = connect_consumer();
  EXPECT_FALSE(consumer.online());
  for (std::uint64_t i = 1; i <= 5; ++i) EXPECT_EQ(take_event(consumer).sequence, i);
  EventView event;
  EXPECT_EQ(consumer.wait(event, milliseconds(50)), Poll::empty);
  start();
  publish(5);
  for (std::uint64_t i = 6; i <= 10; ++i) EXPECT_EQ(take_event(consumer).sequence, i);
  while (!consumer.online()) EXPECT_EQ(consumer.wait(event, milliseconds(20)), Poll::empty);
  publish(1);
  EXPECT_EQ(take_event(consumer).sequence, 11U);
  EXPECT_GT(consumer.stats().ring_bytes, 0U);
  EXPECT_EQ(consumer.stats().resets, 0U);
}

TEST_F(Consuming, WithoutABrokerThatWasKilledReadsTheJournalToItsEnd) {
  start();
  for (int i = 0; i < 2; ++i) add_producer({"count=" + std::to_string(scaled(2000))});
  wait_until_connected();
  wait_for_accepted(scaled(500));
  broker_->kill9();
  Consumer consumer = connect_consumer();
  EXPECT_FALSE(consumer.online());
  const std::uint64_t latest = inspect_journal(broker_->journal())->latest_sequence;
  for (std::uint64_t i = 1; i <= latest; ++i) ASSERT_EQ(take_event(consumer).sequence, i);
  start();
  finish_producers();
  for (std::uint64_t i = latest + 1; i <= accepted(); ++i) ASSERT_EQ(take_event(consumer).sequence, i);
}

TEST_F(Consuming, AConsumerThatIsCaughtUpOutlivesABrokerThatComesBackWithAnotherRing) {
  start();
  Consumer consumer = connect_consumer();
  publish(3);
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(take_event(consumer).sequence, i);
  ASSERT_EQ(broker_->terminate(), 0);
  broker_->set("--ring-bytes", "1M");
  start();
  publish(3);
  for (std::uint64_t i = 4; i <= 6; ++i) EXPECT_EQ(take_event(consumer).sequence, i);
  EXPECT_EQ(status().ring_bytes, 1U << 20);
}

// Takes generated events as an event loop does: sleeps in the kernel on `readable`, then polls until empty.
template <typename Readable>
void take_by_events(Consumer& consumer, EventChecker& checker, std::uint64_t until, Readable readable) {
  while (checker.count() < until) {
    ASSERT_TRUE(readable()) << "not readable, at " << checker.count() << " of " << until;
    EventView event;
    Poll found{};
    while ((found = consumer.poll(event)) == Poll::event) ASSERT_TRUE(checker.take(event)) << checker.error();
    ASSERT_EQ(found, Poll::empty) << consumer.last_error().message;
  }
}

class EventDescriptor : public Consuming, public testing::WithParamInterface<Level> {
 protected:
  void SetUp() override {
    Consuming::SetUp();
    checker_.expect_sequence(1);
    start();
    auto connected =
        Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .level = GetParam()});
    ASSERT_TRUE(connected.ok()) << connected.error().message;
    consumer_ = std::make_unique<Consumer>(std::move(*connected));
    auto fd = consumer_->event_fd();
    ASSERT_TRUE(fd.ok()) << fd.error().message;
    fd_ = *fd;
  }
  bool readable(milliseconds patience) const {
    pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
    return ::poll(&wait, 1, static_cast<int>(patience.count())) == 1;
  }

  int fd_ = -1;
  EventChecker checker_{test_seed(), {.max_bytes = 512}};
  std::unique_ptr<Consumer> consumer_;
};

TEST_P(EventDescriptor, WakesPollForEveryEventAndIsQuietInBetween) {
  EventView event;
  ASSERT_EQ(consumer_->poll(event), Poll::empty);
  EXPECT_FALSE(readable(milliseconds(50)));
  // Slow enough that the loop falls asleep between most of them.
  add_producer({"count=" + std::to_string(scaled(500)), "pause_us=300"});
  take_by_events(*consumer_, checker_, scaled(500), [&] { return readable(kPatience); });
  finish_producers();
  // One more wake may be under way; then there is silence.
  int wakes = 0;
  while (readable(milliseconds(100)) && wakes < 10) {
    ++wakes;
    ASSERT_EQ(consumer_->poll(event), Poll::empty);
  }
  EXPECT_LT(wakes, 10) << "readable without end, though nothing comes";
}

// The page of the doorbell that consumers write, closed to this process: its first store there is a fault, upon which
// `meanwhile` happens and the page is open again.
class ClosedDoorbell {
 public:
  explicit ClosedDoorbell(std::function<void()> meanwhile) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find("/doorbell") == std::string::npos) continue;
      begin_ = std::stoull(line, nullptr, 16);
      bytes_ = std::stoull(line.substr(line.find('-') + 1), nullptr, 16) - begin_;
    }
    faults_.store(0);
    done_.store(false);
    // In a thread of its own: a handler may do next to nothing.
    worker_ = std::thread([meanwhile = std::move(meanwhile)] {
      while (faults_.load() == 0) std::this_thread::sleep_for(milliseconds(1));
      meanwhile();
      done_.store(true);
    });
    struct sigaction action {};
    action.sa_handler = [](int) {
      faults_.fetch_add(1);
      while (!done_.load()) {
      }
      (void)::mprotect(reinterpret_cast<void*>(begin_), bytes_, PROT_READ | PROT_WRITE);
    };
    ::sigaction(SIGSEGV, &action, &before_);
    (void)::mprotect(reinterpret_cast<void*>(begin_), bytes_, PROT_NONE);
  }
  ~ClosedDoorbell() {
    faults_.fetch_add(1);
    worker_.join();
    (void)::mprotect(reinterpret_cast<void*>(begin_), bytes_, PROT_READ | PROT_WRITE);
    ::sigaction(SIGSEGV, &before_, nullptr);
  }
  static int faults() { return faults_.load(); }

 private:
  static inline std::atomic<int> faults_{0};
  static inline std::atomic<bool> done_{false};
  static inline std::uintptr_t begin_ = 0;
  static inline std::size_t bytes_ = 0;
  struct sigaction before_ {};
  std::thread worker_;
};

// Between the look that finds nothing and the word to the broker that the descriptor is armed.
TEST_P(EventDescriptor, MissesNothingThatComesWhileItIsBeingArmed) {
  Producer producer = connect_producer();
  const Ack level = GetParam() == Level::live ? Ack::committed : Ack::durable;
  EventView event;
  ASSERT_EQ(consumer_->poll(event), Poll::empty);
  for (int round = 0; round < 10; ++round) {
    const ClosedDoorbell closed([&] {
      const auto sent = producer.publish_and_wait({.topic = "meanwhile"}, level, kPatience);
      ASSERT_TRUE(sent.ok()) << sent.error().message;
    });
    ASSERT_EQ(consumer_->poll(event), Poll::event) << "nobody will ever wake for it";
    ASSERT_EQ(ClosedDoorbell::faults(), 1);
    ASSERT_EQ(event.topic, "meanwhile");
  }
}

TEST_P(EventDescriptor, WorksInsideAnotherEpollSetAndUnderLoad) {
  const internal::UniqueFd outer(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  ASSERT_EQ(::epoll_ctl(outer.get(), EPOLL_CTL_ADD, fd_, &wanted), 0);
  const std::uint64_t each = scaled(5000);
  for (int i = 0; i < 2; ++i) add_producer({"count=" + std::to_string(each)});
  take_by_events(*consumer_, checker_, 2 * each, [&] {
    epoll_event found{};
    return ::epoll_wait(outer.get(), &found, 1, static_cast<int>(milliseconds(kPatience).count())) == 1;
  });
  finish_producers();
}

TEST_P(EventDescriptor, WorksAcrossRestartsOfTheBroker) {
  add_producer({"pause_us=100"});
  const auto take = [&](std::uint64_t count) {
    take_by_events(*consumer_, checker_, checker_.count() + count, [&] { return readable(kPatience); });
  };
  take(scaled(100));
  for (int i = 0; i < 3; ++i) {
    if (i == 1) {
      ASSERT_EQ(broker_->terminate(), 0);
    } else {
      broker_->kill9();
    }
    // What was committed before is drained while there is no broker; the descriptor then ticks, and finds the next one.
    EventView event;
    while (consumer_->poll(event) == Poll::event) ASSERT_TRUE(checker_.take(event)) << checker_.error();
    start();
    take(scaled(300));
  }
  finish_producers();
  take(accepted() - checker_.count());
}

INSTANTIATE_TEST_SUITE_P(Levels, EventDescriptor, testing::Values(Level::live, Level::durable),
                         [](const auto& given) { return given.param == Level::live ? "Live" : "Durable"; });

class IdleStrategies : public Consuming, public testing::WithParamInterface<const char*> {};

TEST_P(IdleStrategies, OfBrokerAndConsumersDeliverEverything) {
  broker_->set("--idle", GetParam());
  start();
  const std::uint64_t each = scaled(300);
  for (const char* idle : {"adaptive", "block", "spin"}) add_consumer({std::string("idle=") + idle});
  wait_until_connected();
  // With pauses, so that everybody falls asleep, and without.
  add_producer({"count=" + std::to_string(each), "pause_us=500"});
  EXPECT_EQ(producers_.back().wait(), 0) << helper_output();
  add_producer({"count=" + std::to_string(10 * each)});
  finish_producers();
  finish_consumers();
}

INSTANTIATE_TEST_SUITE_P(Broker, IdleStrategies, testing::Values("adaptive", "block", "spin"),
                         [](const auto& given) { return std::string(given.param); });

TEST_F(Consuming, AtTheDurableLevelNothingComesBeforeItIsOnDisk) {
  broker_->set("--sync-interval-ms", "20");
  start();
  auto consumer =
      Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .level = Level::durable});
  ASSERT_TRUE(consumer.ok()) << consumer.error().message;
  add_producer({"count=" + std::to_string(scaled(500)), "pause_us=100"});
  EventChecker checker(test_seed(), {.max_bytes = max_payload_});
  checker.expect_sequence(1);
  auto observer = FeedObserver::connect(broker_->address());
  ASSERT_TRUE(observer.ok());
  while (checker.count() < scaled(500)) {
    const EventView event = take_event(*consumer);
    ASSERT_TRUE(checker.take(event)) << checker.error();
    ASSERT_GE(observer->read()->durable_sequence, checker.count());
  }
  finish_producers();
}

TEST_F(Consuming, TheRangeForLoopTakesEventAfterEvent) {
  start();
  publish(10);
  Consumer consumer = connect_consumer();
  std::uint64_t sequence = 0;
  for (const EventView& event : consumer) {
    ASSERT_EQ(event.sequence, ++sequence);
    if (sequence == 10) break;
  }
}

}  // namespace
}  // namespace leat::test
