// Clients that break every rule while others work (I8): what the others publish and receive is right, and whoever comes
// next gets in.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "process/helpers/scribbler.h"
#include "process/load.h"
#include "process/spoil.h"
#include "base/mapping.h"
#include "shm/ingest/arena_layout.h"
#include "shm/ingest/inbound_layout.h"
#include "support/environment.h"

namespace leat::test {
namespace {

// LEAT_TORTURE=long: as many times more.
std::uint64_t torture(std::uint64_t count) {
  const char* const size = std::getenv("LEAT_TORTURE");
  constexpr std::uint64_t kLonger = 100;
  return scaled(count) * (size != nullptr && std::string(size) == "long" ? kLonger : 1);
}

class Hostile : public LoadTest {
 protected:
  static constexpr int kHonest = 3;
  static constexpr int kWatchers = 2;

  std::vector<std::string> arguments(std::uint64_t index) const {
    return {"index=" + std::to_string(index), "seed=" + std::to_string(test_seed()), "max=512"};
  }
  void add_honest(std::uint64_t count, bool waits_for_each = false) {
    auto words = arguments(producers_.size());
    words.push_back("count=" + std::to_string(count));
    words.push_back(waits_for_each ? "each=1" : "each=0");
    producers_.push_back(start_helper("patient_producer", words));
  }
  void add_watcher() { consumers_.push_back(start_helper("watcher", arguments(consumers_.size()))); }
  ChildProcess start_scribbler(std::uint64_t number, std::vector<std::string> extra = {}) {
    extra.push_back("seed=" + std::to_string(test_seed() + number));
    return start_helper("scribbler", std::move(extra));
  }
  // A slot is free again once the tickets before its producer's end are dealt with: with a scribbled tail that may be a
  // whole ring of them.
  void expect_to_get_in() {
    for (;;) {
      const auto producer = Producer::connect({.address = broker_->address()});
      if (producer) break;
      ASSERT_EQ(producer.error().code, ErrorCode::busy) << producer.error().message;
      std::this_thread::sleep_for(milliseconds(1));
    }
    const auto consumer = Consumer::connect({.address = broker_->address()});
    ASSERT_TRUE(consumer.ok()) << consumer.error().message;
  }
  void expect_all_arrived() {
    for (ChildProcess& producer : producers_) EXPECT_EQ(producer.wait(), 0) << helper_output();
    finish_consumers();
  }
  // Good events only, each of the honest ones' once and in its order; the hostile ones' may lie between.
  void expect_journal_is_right() {
    auto reader = read_journal(broker_->journal());
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    EventChecker checker(test_seed(), {.max_bytes = 512});
    EventView event;
    Poll found{};
    std::uint64_t sequence = 0;
    while ((found = reader->next(event)) == Poll::event) {
      ASSERT_EQ(event.sequence, ++sequence);
      if (!event.topic.starts_with("stress.")) continue;
      checker.expect_sequence(event.sequence);
      ASSERT_TRUE(checker.take(event)) << checker.error();
    }
    ASSERT_EQ(found, Poll::empty) << reader->last_error().message;
    EXPECT_EQ(checker.count(), accepted());
  }
  void print_sizes() {
    const FeedStatus now = status();
    std::fprintf(stderr,
                 "%llu events of %zu honest producers to %zu consumers; %llu hostile writes; %llu bad tickets, "
                 "%llu skipped, %llu repairs, %llu refused entries, %llu times held up\n",
                 static_cast<unsigned long long>(accepted()), producers_.size(), consumers_.size(),
                 static_cast<unsigned long long>((*page_)[kScribbledWord].load()),
                 static_cast<unsigned long long>(now.bad_tickets), static_cast<unsigned long long>(now.skipped_tickets),
                 static_cast<unsigned long long>(now.ring_repairs),
                 static_cast<unsigned long long>(now.refused_entries),
                 static_cast<unsigned long long>((*page_)[kResultWord].load()));
  }
  void run_against(std::vector<std::string> scribbling, std::uint64_t events) {
    start();
    for (int i = 0; i + 1 < kHonest; ++i) add_honest(events);
    add_honest(events / 10, true);
    for (int i = 0; i < kWatchers; ++i) add_watcher();
    std::vector<ChildProcess> scribblers;
    for (std::uint64_t i = 0; i < 2; ++i) scribblers.push_back(start_scribbler(i, scribbling));
    page_->wait_for(kReadyWord, kHonest + kWatchers + scribblers.size());
    (*page_)[kGoWord].store(1);
    // New clients come in while all of this goes on.
    for (int i = 0; i < 20; ++i) {
      expect_to_get_in();
    }
    for (ChildProcess& producer : producers_) EXPECT_EQ(producer.wait(), 0) << helper_output();
    print_sizes();
    (*page_)[kHostileStopWord].store(1);
    for (ChildProcess& scribbler : scribblers) EXPECT_EQ(scribbler.wait(), 0) << helper_output();
    finish_consumers();
    // And once they are gone, it is as if they had never been there.
    add_honest(1000);
    EXPECT_EQ(producers_.back().wait(), 0) << helper_output();
    add_watcher();
    finish_consumers();
    expect_journal_is_right();
  }
};

TEST_F(Hostile, ScribblersOverAllThatTheyHaveMappedHarmNobodyElse) { run_against({}, torture(4000)); }

// All slots of the ring, again and again: tickets of honest producers are lost by the hundred, their events are not.
TEST_F(Hostile, ScribblersOverWholeRingsLoseNobodysEvents) { run_against({"sweeps=1"}, torture(4000)); }

TEST_F(Hostile, OneThatIsKilledWhileItScribblesLeavesNothingBehind) {
  start();
  add_watcher();
  for (std::uint64_t round = 0; round < torture(5); ++round) {
    ChildProcess scribbler = start_scribbler(round, {"sweeps=1", "pause_us=0"});
    const std::uint64_t before = (*page_)[kScribbledWord].load();
    page_->wait_for(kScribbledWord, before + 5000);
    scribbler.kill9();
    Producer producer = connect_producer();
    ASSERT_TRUE(producer.publish_and_wait({.topic = "after"}, Ack::committed, kPatience).ok());
  }
  add_honest(100);
  (*page_)[kGoWord].store(1);
  expect_all_arrived();
}

// What cannot be prevented is repaired: a client that may map a file may also cut it. Who touches it then is killed
// by the kernel, but not the broker; and nothing that was accepted is lost.
TEST_F(Hostile, OneThatCutsTheSharedFilesDoesNotStopTheBroker) {
  start();
  Producer producer = connect_producer();
  Consumer consumer = connect_consumer();
  ASSERT_TRUE(producer.publish({.topic = "before"}).ok());
  EXPECT_EQ(take_event(consumer).topic, "before");
  const auto inbound = broker_->runtime() / "shm" / "inbound";
  const auto doorbell = broker_->runtime() / "shm" / "doorbell";
  const auto size_of = [](const std::filesystem::path& path) { return std::filesystem::file_size(path); };
  const std::uint64_t inbound_bytes = size_of(inbound);
  const std::uint64_t doorbell_bytes = size_of(doorbell);
  for (std::uint64_t round = 0; round < torture(3); ++round) {
    ChildProcess cutter = start_scribbler(round, {"cut=1"});
    EXPECT_EQ(cutter.wait(), 0) << helper_output();
    while (size_of(inbound) != inbound_bytes || size_of(doorbell) != doorbell_bytes) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    Producer newcomer = connect_producer();
    ASSERT_TRUE(newcomer.publish_and_wait({.topic = "newcomer"}, Ack::committed, kPatience).ok());
    ASSERT_TRUE(producer.publish_and_wait({.topic = "old"}, Ack::committed, kPatience).ok());
    EXPECT_EQ(take_event(consumer).topic, "newcomer");
    EXPECT_EQ(take_event(consumer).topic, "old");
  }
}

internal::InboundHeader& header_of(const internal::Mapping& inbound) {
  return *reinterpret_cast<internal::InboundHeader*>(inbound.data());
}

TEST_F(Hostile, OneThatSaysThatTheFeedHasFailedIsNotBelieved) {
  start();
  Producer producer = connect_producer();
  const internal::Mapping inbound = broker_->map("inbound", internal::Access::read_write);
  for (std::uint64_t round = 0; round < torture(200); ++round) {
    header_of(inbound).feed_state.store(internal::FeedState::failed);
    const auto sent = producer.publish_and_wait({.topic = "t"}, Ack::committed, kPatience);
    ASSERT_TRUE(sent.ok()) << sent.error().message;
  }
}

// An attempt that found the ring full leaves its event in the arena, encoded. A ticket in its producer's name must not
// publish what the caller was told was not.
TEST_F(Hostile, OneThatForgesATicketPublishesNothingThatWasRefused) {
  constexpr std::uint64_t kSlots = 64;
  broker_->set("--inbound-slots", kSlots);
  broker_->set("--max-producers", 8);
  start();
  Producer producer = connect_producer();
  const internal::Mapping inbound = broker_->map("inbound", internal::Access::read_write);
  broker_->stop();
  std::uint64_t accepted = 0;
  while (producer.try_publish({.topic = "accepted"}) == Publish::ok) ++accepted;
  ASSERT_LT(accepted, kSlots) << "the ring was not what was full";
  ASSERT_EQ(producer.try_publish({.topic = "refused"}), Publish::would_block);
  const internal::Mapping arena = broker_->map("arena-0-1", internal::Access::read_only);
  const std::uint64_t end = reinterpret_cast<const internal::ArenaHeader*>(arena.data())->tail.load();
  const std::uint64_t last_slot = (header_of(inbound).tail.load() - 1) % kSlots;
  internal::store_word(inbound.data() + internal::kInboundSlotsOffset + last_slot * internal::kWordBytes,
                       internal::full_slot(0, 1, end));
  broker_->cont();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "last"}, Ack::committed, kPatience).ok());
  Consumer consumer = connect_consumer();
  for (std::uint64_t i = 0; i < accepted; ++i) EXPECT_EQ(take_event(consumer).topic, "accepted");
  EXPECT_EQ(take_event(consumer).topic, "last");
}

// What a forged ticket can do at worst (sequencer_hostile_test.cc, ReSealed): the entry behind a receipt is passed
// over.
TEST_F(Hostile, OneThatHadAnotherEntryTakenLeavesNoReceiptPending) {
  start();
  Producer producer = connect_producer();
  const internal::Mapping arena = broker_->map("arena-0-1", internal::Access::read_write);
  broker_->stop();
  Receipt receipt;
  ASSERT_EQ(producer.try_publish({.topic = "t"}, &receipt), Publish::ok);
  auto& header = *reinterpret_cast<internal::ArenaHeader*>(arena.data());
  header.consumed.store(header.tail.load());
  const auto waited = producer.wait(receipt, Ack::committed, kPatience);
  ASSERT_FALSE(waited.ok());
  EXPECT_EQ(waited.error().code, ErrorCode::refused);
  broker_->cont();
}

// flush() reports what the broker counts. The broker does not count an entry that is passed over: flush() reports it
// by itself, once, and takes nothing off what it has reported.
TEST_F(Hostile, OneThatHadAnotherEntryTakenHidesNoRefusalFromFlush) {
  start();
  Producer producer = connect_producer();
  const internal::Mapping arena = broker_->map("arena-0-1", internal::Access::read_write);
  broker_->stop();
  ASSERT_EQ(producer.try_publish({.topic = "t"}), Publish::ok);
  auto& header = *reinterpret_cast<internal::ArenaHeader*>(arena.data());
  header.consumed.store(header.tail.load());
  expect_error(producer.flush(Ack::committed, kPatience), ErrorCode::refused, {"forged"});
  EXPECT_TRUE(producer.flush(Ack::committed, kPatience).ok()) << "reported already";
  for (const char* payload : {"to be spoilt", "good"}) {
    ASSERT_TRUE(producer.publish({.topic = "a.b", .payload = payload}).ok());
  }
  spoil_accepted(*broker_, "arena-0-1", "to be spoilt");
  broker_->cont();
  expect_error(producer.flush(Ack::committed, kPatience), ErrorCode::refused, {"1 events", "topic"});
}

class HeaderLeftBehind : public Hostile, public testing::WithParamInterface<std::size_t> {};

// The header of the inbound ring is written over, and the broker killed before it can repair it: the next one takes the
// ring over all the same, with what is in flight.
TEST_P(HeaderLeftBehind, DoesNotKeepTheNextBrokerFromTakingOverTheRing) {
  start();
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "first"}, Ack::committed, kPatience).ok());
  broker_->stop();
  const auto in_flight = producer.publish({.topic = "in.flight"});
  ASSERT_TRUE(in_flight.ok()) << in_flight.error().message;
  {
    std::fstream file(broker_->runtime() / "shm" / "inbound", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(GetParam()));
    const std::uint64_t garbage = 0x5a5a5a5a5a5a5a5a;
    file.write(reinterpret_cast<const char*>(&garbage), sizeof garbage);
  }
  broker_->kill9();
  start();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "last"}, Ack::committed, kPatience).ok());
  Consumer consumer = connect_consumer();
  for (const char* topic : {"first", "in.flight", "last"}) EXPECT_EQ(take_event(consumer).topic, topic);
  EXPECT_EQ(status().latest_sequence, 3U);
}

INSTANTIATE_TEST_SUITE_P(EveryWord, HeaderLeftBehind,
                         testing::Values(0, 8, 16, 24, 32, 40, 48, 64, 128, 192, 200, 256));

}  // namespace
}  // namespace leat::test
