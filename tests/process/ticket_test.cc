// Producers that die or stop between taking a ticket and filling it.
#include <csignal>
#include <map>
#include <string>
#include <thread>

#include "process/load.h"
#include "process/helpers/raw_producer.h"

namespace leat::test {
namespace {

class Ticket : public LoadTest {
 protected:
  // A ticket may stay open for a third of a second: nobody who is merely preempted is skipped, so skips can be counted.
  void SetUp() override {
    LoadTest::SetUp();
    broker_->set("--skip-wait-us", "300000");
    start();
  }
  ChildProcess start_raw(int signal_number) {
    ChildProcess raw = start_helper("raw_producer", {"signal=" + std::to_string(signal_number)});
    page_->wait_for(kReadyWord, ++helpers_);
    return raw;
  }
  void start_others(std::uint64_t count) {
    for (int i = 0; i < 3; ++i) add_producer({"count=" + std::to_string(count), "pause_us=20"});
    helpers_ += 3;
    page_->wait_for(kReadyWord, helpers_);
  }
  // Every event of the others exactly once; `raw` of the other one.
  void expect_journal(std::uint64_t others, std::uint64_t raw) {
    auto reader = read_journal(broker_->journal());
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    std::map<std::string, std::uint64_t> seen;
    EventView event;
    while (reader->next(event) == Poll::event) {
      if (event.topic != "raw.event") {
        EXPECT_EQ(event.message_id, std::to_string(seen[std::string(event.topic)]));
      }
      ++seen[std::string(event.topic)];
    }
    for (int i = 0; i < 3; ++i) EXPECT_EQ(seen["stress.p" + std::to_string(i)], others);
    EXPECT_EQ(seen["raw.event"], raw);
  }

  std::uint64_t helpers_ = 0;
};

TEST_F(Ticket, OfAKilledProducerIsSkippedOnceAndNobodyElseLosesAnything) {
  const std::uint64_t count = scaled(3000);
  ChildProcess raw = start_raw(SIGKILL);
  start_others(count);
  wait_for_accepted(10);
  (*page_)[kGoWord].store(1);
  EXPECT_EQ(raw.wait(), 128 + SIGKILL);
  for (ChildProcess& producer : producers_) EXPECT_EQ(producer.wait(), 0) << helper_output();
  while (status().latest_sequence < 3 * count) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(status().skipped_tickets, 1U);
  EXPECT_EQ(status().bad_tickets, 0U);
  EXPECT_EQ(status().latest_sequence, 3 * count);
  expect_journal(count, 0);
}

TEST_F(Ticket, OfAStoppedProducerIsSkippedAndItsEventComesOnceWhenItGoesOn) {
  const std::uint64_t count = scaled(3000);
  ChildProcess raw = start_raw(SIGSTOP);
  start_others(count);
  (*page_)[kGoWord].store(1);
  ASSERT_TRUE(raw.wait_stopped()) << helper_output();
  // The others come to their end while it stands still.
  for (ChildProcess& producer : producers_) EXPECT_EQ(producer.wait(), 0) << helper_output();
  while (status().latest_sequence < 3 * count) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(status().skipped_tickets, 1U);
  EXPECT_EQ((*page_)[kResultWord + 1].load(), 0U);
  raw.cont();
  page_->wait_for(kResultWord + 1, 1);
  EXPECT_EQ((*page_)[kResultWord + 1].load(), 2U) << "tickets taken by the stopped producer";
  while (status().latest_sequence < 3 * count + 1) std::this_thread::sleep_for(milliseconds(5));
  (*page_)[kStopWord].store(1);
  EXPECT_EQ(raw.wait(), 0);
  EXPECT_EQ(status().skipped_tickets, 1U);
  EXPECT_EQ(status().latest_sequence, 3 * count + 1);
  expect_journal(count, 1);
}

// Stopped for so long that the ring has gone round many times over its slot: another lap must not be taken for its own.
TEST_F(Ticket, OfAProducerStoppedForManyLapsIsNeverTakenForALaterOne) {
  ASSERT_EQ(broker_->terminate(), 0);
  broker_->set("--inbound-slots", "64");
  start();
  const std::uint64_t count = scaled(4000);
  ChildProcess raw = start_raw(SIGSTOP);
  (*page_)[kGoWord].store(1);
  ASSERT_TRUE(raw.wait_stopped()) << helper_output();
  start_others(count);
  for (ChildProcess& producer : producers_) EXPECT_EQ(producer.wait(), 0) << helper_output();
  raw.cont();
  page_->wait_for(kResultWord + 1, 1);
  while (status().latest_sequence < 3 * count + 1) std::this_thread::sleep_for(milliseconds(5));
  (*page_)[kStopWord].store(1);
  EXPECT_EQ(raw.wait(), 0);
  EXPECT_GE(status().skipped_tickets, 1U);
  expect_journal(count, 1);
}

TEST_F(Ticket, OpenWhenTheBrokerIsKilledIsSkippedByTheNextOne) {
  const std::uint64_t count = scaled(2000);
  ChildProcess raw = start_raw(SIGSTOP);
  start_others(count);
  (*page_)[kGoWord].store(1);
  ASSERT_TRUE(raw.wait_stopped()) << helper_output();
  broker_->kill9();
  start();
  for (ChildProcess& producer : producers_) EXPECT_EQ(producer.wait(), 0) << helper_output();
  while (status().latest_sequence < 3 * count) std::this_thread::sleep_for(milliseconds(5));
  raw.cont();
  page_->wait_for(kResultWord + 1, 1);
  while (status().latest_sequence < 3 * count + 1) std::this_thread::sleep_for(milliseconds(5));
  (*page_)[kStopWord].store(1);
  EXPECT_EQ(raw.wait(), 0);
  expect_journal(count, 1);
}

}  // namespace
}  // namespace leat::test
