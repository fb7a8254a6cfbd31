// The names of a journal vanish, change and come back under a broker that serves.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "support/broker_test.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

class VanishedJournal : public BrokerTest {
 protected:
  void SetUp() override {
    BrokerTest::SetUp();
    broker_->set("--segment-bytes", "64K");
    broker_->set("--max-event-bytes", "2K");
    broker_->set("--sync", "always");
  }
  void wait_for_state(const std::string& wanted) {
    while (status().state != wanted) std::this_thread::sleep_for(milliseconds(5));
  }
  void publish(Producer& producer, int count) {
    const std::string payload(500, 'p');
    for (int i = 0; i < count; ++i) {
      const auto done = producer.publish_and_wait({.topic = "t", .payload = payload}, Ack::durable, kPatience);
      ASSERT_TRUE(done.ok()) << done.error().message;
      last_ = *done;
    }
  }
  fs::path aside() const { return broker_->journal().string() + ".x"; }
  void expect_all_from(std::uint64_t first) {
    Consumer consumer = connect_consumer();
    for (std::uint64_t sequence = first; sequence <= last_; ++sequence)
      ASSERT_EQ(take_event(consumer).sequence, sequence);
  }

  std::uint64_t last_ = 0;
};

TEST_F(VanishedJournal, ThatIsRenamedHoldsTheFeedAndGoesOnWithNothingLostOnceItIsBack) {
  broker_->expect_log("the feed accepts nothing, and nothing becomes durable");
  start();
  Producer producer = connect_producer();
  publish(producer, 300);
  fs::rename(broker_->journal(), aside());
  wait_for_state("stalled");
  Receipt receipt;
  ASSERT_EQ(producer.try_publish({.topic = "t", .payload = "waits"}, &receipt), Publish::ok);
  const auto waited = producer.wait(receipt, Ack::durable, milliseconds(1500));
  EXPECT_FALSE(waited.ok()) << "durable, with no name that leads to it";
  EXPECT_EQ(status().state, "stalled");
  EXPECT_EQ(status().durable_sequence, last_);
  fs::rename(aside(), broker_->journal());
  last_ = producer.wait(receipt, Ack::durable, kPatience).value();
  wait_for_state("running");
  publish(producer, 10);
  expect_all_from(1);
  const std::uint64_t epoch = status().epoch;
  EXPECT_EQ(broker_->terminate(), 0);
  start();
  EXPECT_EQ(status().epoch, epoch);
  expect_all_from(1);
}

TEST_F(VanishedJournal, ThatIsRenamedAndStoppedIsClosedWhereItLiesAndTheStopSaysSo) {
  broker_->expect_log("the feed accepts nothing, and nothing becomes durable");
  broker_->expect_log("the journal was closed, but its names are not as they were");
  start();
  Producer producer = connect_producer();
  publish(producer, 20);
  const std::uint64_t epoch = status().epoch;
  fs::rename(broker_->journal(), aside());
  wait_for_state("stalled");
  Receipt receipt;
  ASSERT_EQ(producer.try_publish({.topic = "t", .payload = "waits"}, &receipt), Publish::ok);
  EXPECT_EQ(broker_->terminate(), 1);
  EXPECT_FALSE(fs::exists(broker_->journal())) << "the stop makes no directory of its own";
  fs::rename(aside(), broker_->journal());
  start();
  EXPECT_EQ(status().epoch, epoch) << "it was closed cleanly";
  last_ = producer.wait(receipt, Ack::durable, kPatience).value();
  EXPECT_EQ(last_, 21u);
  expect_all_from(1);
}

TEST_F(VanishedJournal, ThatIsRemovedEndsTheFeedNeverWithADurableReceiptAndTheStopSaysWhy) {
  broker_->expect_log("was removed while the feed was served");
  broker_->expect_log("named cursors");
  start();
  Producer producer = connect_producer();
  publish(producer, 300);
  fs::remove_all(broker_->journal());
  const auto after = producer.publish_and_wait({.topic = "t", .payload = "nowhere"}, Ack::durable, seconds(20));
  ASSERT_FALSE(after.ok());
  EXPECT_EQ(error_name(after.error().code), "feed_failed") << after.error().message;
  wait_for_state("failed");
  EXPECT_EQ(status().durable_sequence, last_);
  expect_no_clean_stop();
  EXPECT_EQ(broker_->terminate(), 1);
  EXPECT_FALSE(fs::exists(broker_->journal()));
}

TEST_F(VanishedJournal, ThatIsRemovedIsNoticedByAnIdleFeedToo) {
  broker_->expect_log("was removed while the feed was served");
  broker_->expect_log("named cursors");
  start();
  Producer producer = connect_producer();
  publish(producer, 1);
  fs::remove_all(broker_->journal());
  wait_for_state("failed");
  expect_no_clean_stop();
  EXPECT_EQ(broker_->terminate(), 1);
}

TEST_F(VanishedJournal, TheSmallFilesAreWrittenAgain) {
  start();
  Producer producer = connect_producer();
  publish(producer, 5);
  {
    auto named = Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .cursor_name = "c"});
    ASSERT_TRUE(named.ok());
    (void)take_event(*named);
    ASSERT_TRUE(named->save_cursor().ok());
  }
  while (!fs::exists(broker_->journal() / "cursors")) std::this_thread::sleep_for(milliseconds(5));
  for (const char* name : {"feed", "cursors", "lock"}) {
    fs::remove(broker_->journal() / name);
    while (!fs::exists(broker_->journal() / name)) std::this_thread::sleep_for(milliseconds(5));
  }
  publish(producer, 5);
  const std::uint64_t epoch = status().epoch;
  EXPECT_EQ(broker_->terminate(), 0);
  start();
  EXPECT_EQ(status().epoch, epoch);
  expect_all_from(1);
  EXPECT_EQ(list_cursors(broker_->journal().string()).value().size(), 1u);
}

TEST_F(VanishedJournal, OldSegmentsSweptByACleanerAreToldToReadersAndTheFeedGoesOn) {
  broker_->expect_log("were removed by somebody else while the feed was served");
  start();
  Producer producer = connect_producer();
  publish(producer, 600);
  const auto segments = broker_->segments();
  ASSERT_GE(segments.size(), 4u);
  fs::remove(segments[0]);
  fs::remove(segments[1]);
  while (status().lost_segments < 2) std::this_thread::sleep_for(milliseconds(5));
  const std::uint64_t earliest = status().earliest_sequence;
  EXPECT_GT(earliest, 1u);
  EXPECT_EQ(status().state, "running");
  Consumer behind = connect_consumer(Start::at(1));
  EventView event;
  ASSERT_EQ(behind.wait(event, kPatience), Poll::reset);
  EXPECT_EQ(behind.last_reset().earliest_sequence, earliest);
  publish(producer, 200);
  expect_all_from(earliest);
}

// What was made ahead of need is the oldest file of a quiet feed: the first that cleaning by age takes.
TEST_F(VanishedJournal, PreparedSegmentsSweptByACleanerAreMadeAnew) {
  start();
  Producer producer = connect_producer();
  publish(producer, 1);
  for (int round = 0; round < 3; ++round) {
    const auto sweep = [&] {
      int swept = 0;
      for (const auto& entry : fs::directory_iterator(broker_->journal())) {
        if (entry.path().filename().string().starts_with("prepared-")) swept += fs::remove(entry.path());
      }
      return swept;
    };
    while (sweep() == 0) std::this_thread::sleep_for(milliseconds(5));
    publish(producer, 200);  // through the end of the segment
  }
  EXPECT_EQ(status().state, "running");
  expect_all_from(1);
}

}  // namespace
}  // namespace leat::test
