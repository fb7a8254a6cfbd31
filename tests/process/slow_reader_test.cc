// No reader, whatever it does or does not do, delays anybody else.
#include <thread>

#include "process/load.h"

namespace leat::test {
namespace {

class SlowReader : public LoadTest {
 protected:
  void SetUp() override {
    LoadTest::SetUp();
    broker_->set("--ring-bytes", "64K");
    broker_->set("--max-event-bytes", "4K");
    start();
  }
  // With the ring gone round many times under the odd readers, all is committed and the others get all.
  void expect_others_undisturbed() {
    const std::uint64_t each = scaled(8000);
    const std::size_t odd_ones = consumers_.size();
    add_consumer();
    add_consumer({"idle=block"});
    while (producers_.size() < 3) add_producer({"count=" + std::to_string(each)});
    finish_producers();
    EXPECT_EQ(accepted(), 3 * each);
    (*page_)[kTotalWord].store(accepted());
    for (std::size_t i = odd_ones; i < consumers_.size(); ++i) EXPECT_EQ(consumers_[i].wait(), 0) << helper_output();
    EXPECT_EQ(status().latest_sequence, 3 * each);
    EXPECT_GT(status().committed_position / status().ring_bytes, scaled(20)) << "laps of the ring";
  }
};

TEST_F(SlowReader, StoppedBySigstopDelaysNobodyAndGetsEverythingWhenItGoesOn) {
  add_consumer();
  add_consumer({"idle=block"});
  wait_until_connected();
  for (ChildProcess& consumer : consumers_) consumer.stop();
  expect_others_undisturbed();
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(delivered(i), 0U);
    consumers_[i].cont();
    EXPECT_EQ(consumers_[i].wait(), 0) << helper_output();
    EXPECT_EQ(delivered(i), accepted());
  }
}

TEST_F(SlowReader, StoppedWhileItSleepsOnTheFutexDelaysNobody) {
  for (int i = 0; i < 3; ++i) add_consumer({"idle=block"});
  wait_until_connected();
  // By now they sleep, again and again; whether one is caught just awake does not matter.
  std::this_thread::sleep_for(milliseconds(100));
  for (ChildProcess& consumer : consumers_) consumer.stop();
  expect_others_undisturbed();
  for (std::size_t i = 0; i < 3; ++i) {
    consumers_[i].cont();
    EXPECT_EQ(consumers_[i].wait(), 0) << helper_output();
  }
}

TEST_F(SlowReader, KilledInTheMiddleDelaysNobodyAndLeavesNoTrace) {
  for (int i = 0; i < 4; ++i) add_consumer();
  wait_until_connected();
  add_producer({"count=" + std::to_string(scaled(8000))});
  page_->wait_for(kDeliveredWord, 1);
  for (ChildProcess& consumer : consumers_) consumer.kill9();
  expect_others_undisturbed();
  EXPECT_TRUE(status().consumers.empty());
}

TEST_F(SlowReader, AsleepInItsHandlerForEverDelaysNobody) {
  add_consumer({"sleep_after=1"});
  add_consumer({"sleep_after=10"});
  wait_until_connected();
  expect_others_undisturbed();
  EXPECT_EQ(delivered(0), 1U);
  EXPECT_EQ(delivered(1), 10U);
  EXPECT_EQ(status().consumers.size(), 2U);
}

TEST_F(SlowReader, AWholeCrowdOfSleepersDelaysNobody) {
  std::vector<Consumer> crowd;
  for (int i = 0; i < 24; ++i) crowd.push_back(connect_consumer());
  expect_others_undisturbed();
  for (Consumer& consumer : crowd) EXPECT_EQ(take_event(consumer).sequence, 1U);
}

}  // namespace
}  // namespace leat::test
