// What a consumer reads from goes away or is replaced: noticed by every way of calling it (the table), whatever
// happened to the broker. Each test does one thing to the broker, under one consumer for each way.
#include <poll.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include <leat/journal.h>

#include "process/load.h"

namespace leat::test {
namespace {

using Clock = std::chrono::steady_clock;

// One way to come by the next event. Each returns what it found, Poll::empty after kPatience.
struct Way {
  const char* name;
  Poll (*next)(Consumer& consumer, EventView& event, std::uint64_t wanted);
  Level level = Level::live;
  bool filtered = false;
};

Poll by_tight_polls(Consumer& consumer, EventView& event, std::uint64_t) {
  for (const auto end = Clock::now() + kPatience; Clock::now() < end;) {
    if (const Poll found = consumer.poll(event); found != Poll::empty) return found;
  }
  return Poll::empty;
}

Poll by_rare_polls(Consumer& consumer, EventView& event, std::uint64_t) {
  for (const auto end = Clock::now() + kPatience; Clock::now() < end;) {
    if (const Poll found = consumer.poll(event); found != Poll::empty) return found;
    std::this_thread::sleep_for(milliseconds(100));
  }
  return Poll::empty;
}

Poll by_wait(Consumer& consumer, EventView& event, std::uint64_t) { return consumer.wait(event, kPatience); }
Poll by_short_waits(Consumer& consumer, EventView& event, std::uint64_t) {
  for (const auto end = Clock::now() + kPatience; Clock::now() < end;) {
    if (const Poll found = consumer.wait(event, milliseconds(1)); found != Poll::empty) return found;
  }
  return Poll::empty;
}

Poll kind_of(const Ended& ended) {
  switch (ended.why) {
    case Ended::Why::stopped: return Poll::event;
    case Ended::Why::reset: return Poll::reset;
    case Ended::Why::error: return Poll::error;
    case Ended::Why::idle: break;
  }
  return Poll::empty;
}

Poll by_for_each(Consumer& consumer, EventView& event, std::uint64_t) {
  return kind_of(consumer.for_each([&](const EventView& found) { return event = found, false; }, kPatience));
}

Poll by_range_for(Consumer& consumer, EventView& event, std::uint64_t) {
  for (const EventView& found : consumer) {
    event = found;
    return Poll::event;
  }
  return kind_of(consumer.ended());
}

// Sleeps on the descriptor alone.
bool readable(Consumer& consumer) {
  auto fd = consumer.event_fd();
  if (!fd) return false;
  pollfd wait{.fd = *fd, .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 20'000) == 1;
}
Poll by_events(Consumer& consumer, EventView& event, std::uint64_t) {
  for (const auto end = Clock::now() + kPatience; Clock::now() < end;) {
    if (!readable(consumer)) return Poll::empty;
    if (const Poll found = consumer.poll(event); found != Poll::empty) return found;
  }
  return Poll::empty;
}

// A handle that is only asked how the feed stands.
Poll by_latest_sequence(Consumer& consumer, EventView& event, std::uint64_t wanted) {
  for (const auto end = Clock::now() + kPatience; Clock::now() < end && consumer.latest_sequence() != wanted;) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  return consumer.latest_sequence() == wanted ? consumer.poll(event) : Poll::empty;
}
Poll by_online(Consumer& consumer, EventView& event, std::uint64_t) {
  for (const auto end = Clock::now() + kPatience; Clock::now() < end && !consumer.online();) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  return consumer.online() ? consumer.wait(event, kPatience) : Poll::empty;
}
Poll by_save_cursor(Consumer& consumer, EventView& event, std::uint64_t) {
  for (const auto end = Clock::now() + kPatience; Clock::now() < end;) {
    if (consumer.save_cursor().ok()) return consumer.wait(event, kPatience);
    std::this_thread::sleep_for(milliseconds(5));
  }
  return Poll::empty;
}

constexpr Way kWays[] = {
    {"tight polls", by_tight_polls},
    {"rare polls", by_rare_polls},
    {"tight polls, durable", by_tight_polls, Level::durable},
    {"tight polls, filter", by_tight_polls, Level::live, true},
    {"wait", by_wait},
    {"short waits", by_short_waits},
    {"wait, durable, filter", by_wait, Level::durable, true},
    {"for_each", by_for_each},
    {"range-for", by_range_for},
    {"event descriptor", by_events},
    {"event descriptor, filter", by_events, Level::live, true},
    {"event descriptor, durable", by_events, Level::durable},
    {"latest_sequence", by_latest_sequence},
    {"online", by_online},
    {"save_cursor", by_save_cursor},
};

class ConsumersOfABrokerThatGoes : public LoadTest {
 protected:
  [[nodiscard]] seconds time_limit() const override { return seconds(600); }

  void publish(std::uint64_t count) {
    Producer producer = connect_producer();
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(producer.publish_and_wait({.topic = "wanted"}, Ack::durable, kPatience).ok());
    }
  }
  void connect_all() {
    for (const Way& way : kWays) {
      ConsumerOptions options{.address = broker_->address(), .start = Start::earliest(), .level = way.level};
      if (way.filtered) options.filter = TopicFilter::parse("wanted").value();
      if (way.next == by_save_cursor) options.cursor_name = "kept";
      auto connected = Consumer::connect(options);
      ASSERT_TRUE(connected.ok()) << way.name << ": " << connected.error().message;
      consumers_.push_back(std::move(*connected));
    }
  }
  // Each in its own way; the first event has sequence `first`.
  void take_all(std::uint64_t first, std::uint64_t count) {
    for (std::size_t i = 0; i < std::size(kWays); ++i) {
      for (std::uint64_t sequence = first; sequence < first + count; ++sequence) {
        EventView event;
        const Poll found = kWays[i].next(consumers_[i], event, first + count - 1);
        ASSERT_EQ(found, Poll::event) << kWays[i].name << " at " << sequence << ": "
                                      << consumers_[i].last_error().message << consumers_[i].last_reset().to_string();
        ASSERT_EQ(event.sequence, sequence) << kWays[i].name;
      }
    }
    // They are not merely readers of what is left: the broker knows each of them.
    for (std::size_t i = 0; i < std::size(kWays); ++i) {
      for (EventView event; !consumers_[i].online();)
        ASSERT_EQ(consumers_[i].wait(event, milliseconds(10)), Poll::empty);
    }
    EXPECT_EQ(status().consumers.size(), std::size(kWays));
  }
  void restart_with(const std::string& option, const std::string& value) {
    ASSERT_EQ(broker_->terminate(), 0);
    broker_->set(option, value);
    start();
  }
  // Three events are read by all; `happening`; two more.
  void expect_noticed(const std::function<void()>& happening) {
    start();
    connect_all();
    publish(3);
    take_all(1, 3);
    happening();
    publish(2);
    take_all(4, 2);
    for (const Consumer& consumer : consumers_) EXPECT_EQ(consumer.stats().resets, 0U);
  }

  std::vector<Consumer> consumers_;
};

TEST_F(ConsumersOfABrokerThatGoes, FindTheNextOneAfterAKill) {
  expect_noticed([&] {
    broker_->kill9();
    start();
  });
}

TEST_F(ConsumersOfABrokerThatGoes, FindTheNextOneAfterTwoCleanRestartsInARow) {
  expect_noticed([&] {
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(broker_->terminate(), 0);
      start();
    }
  });
}

TEST_F(ConsumersOfABrokerThatGoes, FindTheNextOneWithAnotherRing) {
  expect_noticed([&] { restart_with("--ring-bytes", "1M"); });
}

TEST_F(ConsumersOfABrokerThatGoes, FindTheNextOneWithMoreConsumerSlots) {
  expect_noticed([&] { restart_with("--max-consumers", "64"); });
}

TEST_F(ConsumersOfABrokerThatGoes, FindTheNextOneWithAnotherBoundOnEvents) {
  expect_noticed([&] { restart_with("--max-event-bytes", "16K"); });
}

TEST_F(ConsumersOfABrokerThatGoes, FindTheNextOneAfterAKillAndTheLossOfTheRuntimeDirectory) {
  expect_noticed([&] {
    broker_->kill9();
    std::filesystem::remove_all(broker_->address().runtime_dir);
    start();
  });
}

TEST_F(ConsumersOfABrokerThatGoes, AreNotOnlineWhileItIsAway) {
  start();
  connect_all();
  ASSERT_EQ(broker_->terminate(), 0);
  for (const Consumer& consumer : consumers_) {
    while (consumer.online()) std::this_thread::sleep_for(milliseconds(5));
  }
}

TEST_F(ConsumersOfABrokerThatGoes, AreResetByAFeedThatWasBegunAnew) {
  start();
  connect_all();
  publish(3);
  take_all(1, 3);
  ASSERT_EQ(broker_->terminate(), 0);
  std::filesystem::rename(broker_->journal(), broker_->journal().string() + ".old");
  start();
  publish(1);
  for (std::size_t i = 0; i < std::size(kWays); ++i) {
    EventView event;
    ASSERT_EQ(kWays[i].next(consumers_[i], event, 1), Poll::reset) << kWays[i].name;
    EXPECT_EQ(consumers_[i].last_reset().reason, Reset::Reason::unknown_epoch) << kWays[i].name;
  }
  take_all(1, 1);
}

TEST_F(ConsumersOfABrokerThatGoes, WithoutOneAtFirstJoinTheOneThatComes) {
  start();
  publish(3);
  ASSERT_EQ(broker_->terminate(), 0);
  connect_all();
  for (const Consumer& consumer : consumers_) EXPECT_FALSE(consumer.online());
  for (std::size_t i = 0; i < std::size(kWays); ++i) {
    EXPECT_EQ(consumers_[i].latest_sequence(), 3U) << "read of it or not";
    for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) EXPECT_EQ(take_event(consumers_[i]).sequence, sequence);
  }
  start();
  publish(2);
  take_all(4, 2);
}

TEST_F(ConsumersOfABrokerThatGoes, KeepTheLastEventReadableWhenAnotherCallJoinsTheNext) {
  start();
  publish(1);
  Consumer consumer = connect_consumer();
  const EventView event = take_event(consumer);
  restart_with("--ring-bytes", "1M");
  while (!consumer.online()) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(event.topic, "wanted");
}

}  // namespace
}  // namespace leat::test
