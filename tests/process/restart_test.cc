// The broker is killed or stopped under load, and comes back.
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "broker/rings/registry_layout.h"
#include "process/load.h"
#include "shm/ingest/arena_layout.h"
#include "shm/ingest/inbound_layout.h"

namespace leat::test {
namespace {

class Restart : public LoadTest {
 protected:
  void SetUp() override {
    LoadTest::SetUp();
    prng_ = Prng(test_seed());
  }
  void start_load(std::vector<std::string> producer_options = {}) {
    start();
    for (int i = 0; i < 2; ++i) add_consumer();
    for (int i = 0; i < 4; ++i) add_producer(producer_options);
    wait_until_connected();
  }
  // Lets some events pass, and then some time, so that kills fall everywhere.
  void let_work() {
    wait_for_accepted(accepted() + 1 + prng_.below(scaled(12000)));
    std::this_thread::sleep_for(std::chrono::microseconds(prng_.below(5000)));
  }
  // Publishes while the broker is away; before the next one starts, somebody removes the producer's arena, so that it
  // knows nothing of it any more.
  void lose_in_flight(Producer& producer, Receipt& in_flight) {
    broker_->kill9();
    auto sent = producer.publish({.topic = "a"});
    ASSERT_TRUE(sent.ok()) << sent.error().message;
    in_flight = *sent;
    ASSERT_TRUE(std::filesystem::remove(broker_->runtime() / "shm" / "arena-0-1"));
    broker_->expect_log("cannot be taken over");
    start();
  }
  void expect_all_delivered_once() {
    finish_producers();
    finish_consumers();
    check_journal();
  }

  Prng prng_{0};
};

constexpr int kKills = 20;

TEST_F(Restart, TwentyKillsUnderLoadLoseRepeatAndReorderNothingThatWasAccepted) {
  start_load();
  const FeedStatus before = status();
  for (int i = 0; i < kKills; ++i) {
    let_work();
    broker_->kill9();
    if (prng_.below(2) == 0) std::this_thread::sleep_for(milliseconds(prng_.below(20)));
    start();
  }
  let_work();
  expect_all_delivered_once();
  const FeedStatus after = status();
  EXPECT_EQ(after.epoch, before.epoch);
  EXPECT_EQ(after.feed_uuid, before.feed_uuid);
  EXPECT_EQ(after.latest_sequence, accepted());
  EXPECT_EQ(after.broker_life, before.broker_life + kKills);
  EXPECT_EQ(after.refused_entries, 0U);
}

// Small everything, so that kills also fall on rolls, laps and full arenas.
TEST_F(Restart, TwentyKillsWithTinyRingsAndSegmentsLoseNothingEither) {
  broker_->set("--ring-bytes", "16K");
  broker_->set("--inbound-slots", "64");
  broker_->set("--arena-bytes", "4K");
  broker_->set("--segment-bytes", "32K");
  broker_->set("--max-event-bytes", "2K");
  start_load();
  const FeedStatus before = status();
  for (int i = 0; i < kKills; ++i) {
    let_work();
    broker_->kill9();
    start();
  }
  expect_all_delivered_once();
  EXPECT_EQ(status().epoch, before.epoch);
}

TEST_F(Restart, KillsRightAfterTheStartLoseNothingEither) {
  start_load();
  for (int i = 0; i < kKills; ++i) {
    let_work();
    broker_->kill9();
    // A recovery that is itself cut short, at any point of it.
    auto cut_short = ChildProcess({.arguments = broker_->command(),
                                   .environment = {},
                                   .output = (broker_->scratch() / "leatd.log").string(),
                                   .user = std::nullopt});
    std::this_thread::sleep_for(std::chrono::microseconds(prng_.below(12000)));
    cut_short.kill9();
    start();
  }
  expect_all_delivered_once();
}

TEST_F(Restart, ACleanStopKeepsSequencesUuidAndEpochAndItsClientsGoOn) {
  start_load();
  const FeedStatus before = status();
  for (int i = 0; i < 5; ++i) {
    let_work();
    ASSERT_EQ(broker_->terminate(), 0);
    start();
    EXPECT_EQ(status().epoch, before.epoch);
    EXPECT_EQ(status().feed_uuid, before.feed_uuid);
  }
  let_work();
  expect_all_delivered_once();
  EXPECT_EQ(status().latest_sequence, accepted());
}

TEST_F(Restart, ACleanStopRightAfterTheLastClientsHaveLeftLeavesNoRings) {
  for (int round = 0; round < 10; ++round) {
    start();
    {
      Producer producer = connect_producer();
      Consumer consumer = connect_consumer();
      ASSERT_TRUE(producer.publish({.topic = "a"}).ok());
    }
    ASSERT_EQ(broker_->terminate(), 0);
    EXPECT_FALSE(std::filesystem::exists(broker_->runtime() / "shm" / "inbound"));
    EXPECT_FALSE(std::filesystem::exists(broker_->runtime() / "shm" / "broadcast"));
  }
}

TEST_F(Restart, AFeedWithoutClientsGoesOnWhereItStoodAfterACleanStop) {
  start();
  {
    Producer producer = connect_producer();
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(producer.publish_and_wait({.topic = "a.b", .payload = "x"}, Ack::committed, kPatience).ok());
    }
  }
  const FeedStatus before = status();
  ASSERT_EQ(broker_->terminate(), 0);
  EXPECT_TRUE(inspect_journal(broker_->journal())->closed_cleanly);
  start();
  Producer producer = connect_producer();
  const auto sequence = producer.publish_and_wait({.topic = "a.b"}, Ack::committed, kPatience);
  ASSERT_TRUE(sequence.ok()) << sequence.error().message;
  EXPECT_EQ(*sequence, 11U);
  const FeedStatus after = status();
  EXPECT_EQ(after.epoch, before.epoch);
  EXPECT_EQ(after.feed_uuid, before.feed_uuid);
  EXPECT_FALSE(inspect_journal(broker_->journal())->closed_cleanly);
}

// Only a loss of power can tear a journal: kill -9 keeps stores in program order, so not even stale bytes of a recycled
// segment may be taken for a torn tail.
TEST_F(Restart, KillsInRecycledSegmentsLeaveNothingThatLooksTorn) {
  broker_->set("--segment-bytes", "64K");
  broker_->set("--retain-bytes", "128K");
  start();
  for (int i = 0; i < 2; ++i) add_producer();
  wait_until_connected();
  for (int i = 0; i < 10; ++i) {
    const auto recycled = status().recycled_segments;
    while (status().recycled_segments < recycled + 4) std::this_thread::sleep_for(milliseconds(1));
    broker_->kill9();
    start();
  }
  finish_producers();
  while (status().latest_sequence < accepted()) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(status().latest_sequence, accepted());
  EXPECT_EQ(broker_->log().find("torn tail"), std::string::npos) << broker_->log();
}

TEST_F(Restart, AReceiptFromBeforeTheKillIsHonouredAfterIt) {
  start();
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "a"}, Ack::committed, kPatience).ok());
  broker_->stop();
  std::vector<Receipt> receipts;
  for (int i = 0; i < 5; ++i) {
    auto receipt = producer.publish({.topic = "a"});
    ASSERT_TRUE(receipt.ok()) << receipt.error().message;
    receipts.push_back(*receipt);
  }
  broker_->kill9();
  start();
  for (std::size_t i = 0; i < receipts.size(); ++i) {
    auto sequence = producer.wait(receipts[i], Ack::durable, kPatience);
    ASSERT_TRUE(sequence.ok()) << sequence.error().message;
    EXPECT_EQ(*sequence, 2 + i);
  }
}

TEST_F(Restart, WhatAProducerPublishedBeforeItDiedIsTakenByTheNextBroker) {
  start();
  add_producer({"count=50"});
  wait_until_connected();
  wait_for_accepted(1);
  broker_->stop();
  const std::uint64_t sure = accepted();
  producers_[0].kill9();
  broker_->kill9();
  start();
  while (status().latest_sequence < sure || !status().producers.empty()) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_GE(status().latest_sequence, sure);
  EXPECT_LE(status().latest_sequence, accepted() + 1);
}

// The last broker died between freeing a departed producer's slot and removing its arena.
TEST_F(Restart, AnArenaWhoseReleaseWasCutShortIsRemovedByTheNextBroker) {
  start();
  add_producer({"count=10", "pause_us=1000000"});
  wait_until_connected();
  broker_->kill9();
  producers_[0].kill9();
  const auto arena = broker_->runtime() / "shm" / "arena-0-1";
  ASSERT_TRUE(std::filesystem::exists(arena));
  std::fstream registry(broker_->runtime() / "shm" / "registry", std::ios::in | std::ios::out | std::ios::binary);
  const auto free_slot = static_cast<std::uint32_t>(broker::SlotState::free);
  registry.seekp(broker::kRegistrySlotsOffset + offsetof(broker::RegistrySlot, state));
  registry.write(reinterpret_cast<const char*>(&free_slot), sizeof free_slot);
  registry.close();
  ASSERT_TRUE(registry.good());
  start();  // TearDown fails if the log holds an error
  EXPECT_TRUE(status().producers.empty());
  EXPECT_FALSE(std::filesystem::exists(arena));
  Producer producer = connect_producer();
  EXPECT_TRUE(producer.publish_and_wait({.topic = "a"}, Ack::committed, kPatience).ok());
}

// As many as there are slots (under a sanitizer more than 512, where the first queue to the sequencer ended).
TEST_F(Restart, EveryProducerThatThereCanBeIsTakenOver) {
  const std::uint64_t producers_at_once = sanitized() ? 600 : internal::kMaxProducerSlots;
  rlimit descriptors{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &descriptors), 0);
  if (descriptors.rlim_max < 4 * producers_at_once) GTEST_SKIP() << "a process may not have enough descriptors here";
  descriptors.rlim_cur = descriptors.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &descriptors), 0);
  broker_->set("--max-producers", producers_at_once);
  broker_->set("--inbound-slots", 4 * internal::kMaxProducerSlots);
  start();
  std::vector<Producer> producers;
  for (std::uint64_t i = 0; i < producers_at_once; ++i) producers.push_back(connect_producer(internal::kMinArenaBytes));
  std::vector<Receipt> receipts;
  const auto publish_each = [&] {
    for (Producer& producer : producers) {
      auto sent = producer.publish({.topic = "t"});
      ASSERT_TRUE(sent.ok()) << sent.error().message;
      receipts.push_back(*sent);
    }
  };
  publish_each();
  broker_->kill9();
  publish_each();
  start();
  for (std::uint64_t i = 0; i < receipts.size(); ++i) {
    const auto sequence = producers[i % producers_at_once].wait(receipts[i], Ack::committed, kPatience);
    ASSERT_TRUE(sequence.ok()) << i << ": " << sequence.error().message;
    ASSERT_EQ(*sequence, i + 1);
  }
}

TEST_F(Restart, AProducerThatTheNextBrokerDoesNotKnowRegistersAnewAndSaysWhatBecameOfTheRest) {
  start();
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "a"}, Ack::committed, kPatience).ok());
  Receipt in_flight;
  ASSERT_NO_FATAL_FAILURE(lose_in_flight(producer, in_flight));
  expect_error(producer.publish_and_wait({.topic = "a"}, Ack::committed, kPatience), ErrorCode::closed,
               {"1 event that was accepted before is lost"});
  auto sequence = producer.publish_and_wait({.topic = "a"}, Ack::committed, kPatience);
  ASSERT_TRUE(sequence.ok()) << sequence.error().message;
  EXPECT_EQ(*sequence, 2U);
  expect_error(producer.wait(in_flight, Ack::committed, kPatience), ErrorCode::closed, {"begun anew"});
}

TEST_F(Restart, AReceiptThatIsWaitedForWhileItsProducerRegistersAnewIsClosed) {
  start();
  Producer producer = connect_producer();
  Receipt in_flight;
  ASSERT_NO_FATAL_FAILURE(lose_in_flight(producer, in_flight));
  expect_error(producer.wait(in_flight, Ack::committed, kPatience), ErrorCode::closed,
               {"while this event was in flight"});
}

}  // namespace
}  // namespace leat::test
