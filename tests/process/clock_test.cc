// Clocks that are absurd: at the first life, at a restart, for a moment, and set right again.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <thread>

#include "support/broker_test.h"

namespace leat::test {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kHourNs = 3600 * kSecondNs;
constexpr std::int64_t kYearNs = 365 * 24 * kHourNs;

std::int64_t true_time_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * kSecondNs + now.tv_nsec;
}

class AbsurdClock : public BrokerTest {
 protected:
  void SetUp() override {
    BrokerTest::SetUp();
    clock_ = std::make_unique<SharedPage>(broker_->scratch() / "clock");
    const char* options = std::getenv("ASAN_OPTIONS");
    broker_->set_environment(std::string("LD_PRELOAD=") + LEAT_TEST_CLOCK_SHIM);
    broker_->set_environment("LEAT_TEST_CLOCK=" + clock_->path().string());
    broker_->set_environment(std::string("ASAN_OPTIONS=verify_asan_link_order=0:") +
                             (options != nullptr ? options : ""));
    broker_->set("--segment-bytes", "64K");
    broker_->set("--max-event-bytes", "2K");
    broker_->set("--retain-seconds", "86400");
  }
  void TearDown() override {
    clock_.reset();
    BrokerTest::TearDown();
  }
  void set_off(std::int64_t offset_ns) { (*clock_)[0].store(static_cast<std::uint64_t>(offset_ns)); }
  void publish(int count) {
    Producer producer = connect_producer();
    const std::string payload(800, 'p');
    for (int i = 0; i < count; ++i) {
      const auto done = producer.publish_and_wait({.topic = "t", .payload = payload}, Ack::committed, kPatience);
      ASSERT_TRUE(done.ok()) << done.error().message;
      last_ = *done;
    }
  }
  std::int64_t time_of(std::uint64_t sequence) {
    Consumer consumer = connect_consumer(Start::at(sequence));
    return take_event(consumer).timestamp_ns;
  }
  // How far the newest event's time is from the right one.
  std::int64_t publish_and_compare() {
    publish(1);
    return time_of(last_) - true_time_ns();
  }
  static bool is_near(std::int64_t ns, std::int64_t wanted) { return std::abs(ns - wanted) < 120 * kSecondNs; }

  // The log is written by a thread of its own, a moment later.

  std::unique_ptr<SharedPage> clock_;
  std::uint64_t last_ = 0;
};

// 59 segments of the last minutes became one, without a word.
TEST_F(AbsurdClock, AStartWithAClockThatIsAheadPrunesNothingAndSaysSo) {
  start();
  publish(300);
  const std::size_t segments = broker_->segments().size();
  ASSERT_GE(segments, 4u);
  for (const std::int64_t off : {2 * 24 * kHourNs, 10 * kYearNs, 100 * kYearNs, 190 * kYearNs}) {
    EXPECT_EQ(broker_->terminate(), 0);
    set_off(off);
    start();
    EXPECT_EQ(status().earliest_sequence, 1u) << off;
    EXPECT_GE(broker_->segments().size(), segments);
    EXPECT_EQ(status().pruned_segments + status().recycled_segments, 0u);
    wait_for_log("that time is not counted, so nothing is pruned for it");
    set_off(0);
  }
}

TEST_F(AbsurdClock, EveryClockOfTheFirstLifeAndAtTheRestartKeepsWhatIsYoung) {
  constexpr std::array<std::int64_t, 7> kOffsets =
      {0, -kHourNs, 5 * kHourNs, -50 * kYearNs, -57 * kYearNs, 10 * kYearNs, 150 * kYearNs};
  for (const std::int64_t first : kOffsets) {
    for (const std::int64_t second : kOffsets) {
      if (first > 24 * kHourNs && second > 24 * kHourNs)
        continue;  // files' times, which no shim moves, would be ahead as well
      SCOPED_TRACE(testing::Message() << first << " then " << second);
      set_off(first);
      start();
      publish(200);
      EXPECT_EQ(broker_->terminate(), 0);
      set_off(second);
      start();
      publish(200);
      const FeedStatus now = status();
      EXPECT_EQ(now.earliest_sequence, 1u);
      EXPECT_EQ(now.pruned_segments + now.recycled_segments, 0u);
      broker_->kill9();
      std::filesystem::remove_all(broker_->journal());
      std::filesystem::remove_all(broker_->runtime());
    }
  }
  expect_no_clean_stop();
}

TEST_F(AbsurdClock, ForAMomentLeavesNoTraceInLaterTimes) {
  start();
  publish(1);
  set_off(73 * kYearNs);
  publish(1);
  set_off(0);
  EXPECT_TRUE(is_near(publish_and_compare(), 0));
  EXPECT_EQ(broker_->terminate(), 0);
  start();
  EXPECT_TRUE(is_near(publish_and_compare(), 0));
  wait_for_log("the wall clock has jumped ahead by 7");
}

TEST_F(AbsurdClock, ThatWasFollowedIsLeftAgainWhileItRunsAndOverARestart) {
  set_off(73 * kYearNs);  // absurd from the start on
  start();
  EXPECT_TRUE(is_near(publish_and_compare(), 73 * kYearNs));
  set_off(0);
  while (!is_near(publish_and_compare(), 0)) std::this_thread::sleep_for(milliseconds(50));
  set_off(-50 * kYearNs);
  while (!is_near(publish_and_compare(), -50 * kYearNs)) std::this_thread::sleep_for(milliseconds(50));
  set_off(73 * kYearNs);
  while (!is_near(publish_and_compare(), 73 * kYearNs)) std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(broker_->terminate(), 0);
  set_off(0);
  start();
  EXPECT_TRUE(is_near(publish_and_compare(), 0)) << "at once";
  wait_for_log("the journal's newest event is stamped 7");
  broker_->kill9();
  start();
  EXPECT_TRUE(is_near(publish_and_compare(), 0));
}

TEST_F(AbsurdClock, AStartByTimeStaysWhatWasAskedFor) {
  set_off(73 * kYearNs);
  start();
  publish(200);
  EXPECT_EQ(broker_->terminate(), 0);
  set_off(0);
  start();
  publish(200);
  const std::int64_t since = true_time_ns();
  std::this_thread::sleep_for(milliseconds(10));
  publish(10);
  const std::uint64_t wanted = last_ - 9;
  Consumer consumer = connect_consumer(Start::at_time(since));
  EXPECT_EQ(take_event(consumer).sequence, wanted) << "not the first that was stamped 73 years ahead";
}

}  // namespace
}  // namespace leat::test
