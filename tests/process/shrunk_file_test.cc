// Files that shrink under those who have them mapped, or read them.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include <leat/journal.h>

#include "process/load.h"
#include "support/environment.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

constexpr int kExitIoError = 74;

class ShrunkFile : public LoadTest {
 protected:
  [[nodiscard]] std::vector<fs::path> segments() const { return broker_->segments(); }
  void publish_over_segments(std::size_t count) {
    Producer producer = connect_producer();
    while (segments().size() < count) {
      ASSERT_TRUE(
          producer.publish_and_wait({.topic = "t", .payload = std::string(1000, 'x')}, Ack::durable, kPatience).ok());
    }
  }
};

TEST_F(ShrunkFile, TheCurrentSegmentTruncatedUnderTheBrokerEndsItWithAClearMessage) {
  start();
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  broker_->expect_log("SIGBUS in the journal's mapping");
  ASSERT_EQ(::truncate(segments().back().c_str(), 0), 0);
  (void)producer.publish({.topic = "t"}).ok();
  EXPECT_EQ(broker_->wait(), kExitIoError);
  wait_for_log("the segment was truncated under the broker");
  EXPECT_EQ(producer.try_publish({.topic = "t"}), Publish::feed_failed);
  // What is gone is said at the next start; nothing is made up for it.
  broker_->expect_log("[critical]");
  EXPECT_EQ(broker_->run_to_exit(), 1);
  const std::string said = broker_->log();
  EXPECT_NE(said.find(segments().back().filename().string()), std::string::npos) << said;
}

// Wherever it is cut, from nothing to just under what has been written.
TEST_F(ShrunkFile, TheCurrentSegmentCutAnywhereIsAFailStopAndNeverASilentLoss) {
  Prng prng(test_seed());
  broker_->set("--segment-bytes", "64K");
  broker_->expect_log("[critical]");
  for (int round = 0; round < 8; ++round) {
    start();
    {
      Producer producer = connect_producer();
      ASSERT_TRUE(
          producer.publish_and_wait({.topic = "t", .payload = std::string(900, 'x')}, Ack::durable, kPatience).ok());
      ASSERT_EQ(::truncate(segments().back().c_str(), static_cast<off_t>(prng.below(9000))), 0);
      while (broker_->running()) {  // until a store reaches what is gone
        (void)producer.try_publish({.topic = "t", .payload = std::string(900, 'y')});
        std::this_thread::sleep_for(milliseconds(1));
      }
    }
    EXPECT_EQ(broker_->wait(), kExitIoError);
    EXPECT_EQ(broker_->run_to_exit(), 1) << "what was durable is missing: it must not start as if nothing had happened";
    fs::remove_all(broker_->journal());
  }
}

TEST_F(ShrunkFile, ASegmentTruncatedUnderAReaderIsAnErrorAndTheReaderLivesOn) {
  broker_->set("--segment-bytes", "32K");
  broker_->set("--max-event-bytes", "4K");
  broker_->set("--ring-bytes", "16K");
  start();
  publish_over_segments(4);
  Consumer consumer = connect_consumer();  // its place has left the ring: it reads files
  auto reader = read_journal(broker_->journal());
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EventView event;
  EXPECT_EQ(take_event(consumer).sequence, 1U);
  ASSERT_EQ(reader->next(event), Poll::event);
  ASSERT_EQ(::truncate(segments().at(1).c_str(), 9000), 0);
  std::uint64_t last = 1;
  Poll found{};
  while ((found = consumer.wait(event, kPatience)) == Poll::event) EXPECT_EQ(event.sequence, ++last);
  EXPECT_EQ(found, Poll::error);
  EXPECT_NE(consumer.last_error().message.find(segments().at(1).filename().string()), std::string::npos)
      << consumer.last_error().message;
  EXPECT_EQ(consumer.poll(event), Poll::error) << "and it does not move past it";
  while ((found = reader->next(event)) == Poll::event) {
  }
  EXPECT_EQ(found, Poll::error);
  // Nobody else is concerned.
  const std::uint64_t latest = status().latest_sequence;
  Consumer live = connect_consumer(Start::latest());
  EXPECT_EQ(connect_producer().publish_and_wait({.topic = "t"}, Ack::committed, kPatience).value(), latest + 1);
  broker_->kill9();
}

TEST_F(ShrunkFile, AnArenaTruncatedByItsProducerHurtsNobodyElse) {
  start();
  add_producer({"count=" + std::to_string(scaled(2000)), "pause_us=10"});
  ChildProcess raw = start_helper("arena_truncater", {});
  for (ChildProcess& producer : producers_) EXPECT_EQ(producer.wait(), 0) << helper_output();
  EXPECT_EQ(raw.wait(), 0) << helper_output();
  ASSERT_TRUE(connect_producer().publish_and_wait({.topic = "stress.p9"}, Ack::durable, kPatience).ok());
  EXPECT_EQ(status().latest_sequence, accepted() + 1);
}

// The clients' own mappings would be gone as well, so no client is here. That only the broker's user, or a client that
// means harm, can do this is part of what the documentation says about trust.
TEST_F(ShrunkFile, AFileOfTheRuntimeDirectoryTruncatedEndsTheBrokerWithAClearMessageNeverBySignal) {
  if (sanitized()) GTEST_SKIP() << "a sanitizer's run time has fault handlers of its own";
  const std::pair<const char*, const char*> files[] = {{"broadcast", "SIGBUS in a file of the runtime directory"},
                                                       {"registry", "SIGBUS in a file of the runtime directory"},
                                                       {"status", "SIGBUS in a file of the runtime directory"}};
  for (const auto& [name, message] : files) {
    SCOPED_TRACE(name);
    start();
    ASSERT_TRUE(connect_producer().publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
    broker_->expect_log(message);
    broker_->expect_log("[critical]");
    ASSERT_EQ(::truncate((broker_->runtime() / "shm" / name).c_str(), 0), 0);
    while (broker_->running()) {  // until somebody makes it look there
      ChildProcess asks = start_helper("asker", {});
      (void)asks.wait();
    }
    EXPECT_EQ(broker_->wait(), kExitIoError);
    wait_for_log(message);
  }
  start();
  EXPECT_TRUE(connect_producer().publish_and_wait({.topic = "t"}, Ack::committed, kPatience).ok());
}

TEST_F(ShrunkFile, ADoorbellTruncatedIsMadeWholeAgain) {
  start();
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  ASSERT_EQ(::truncate((broker_->runtime() / "shm" / "doorbell").c_str(), 0), 0);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  }
  Consumer consumer = connect_consumer();
  EXPECT_EQ(take_event(consumer).sequence, 1U);
}

}  // namespace
}  // namespace leat::test
