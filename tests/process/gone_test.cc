// Rings that were retired or removed, brokers that died or were replaced: every handle notices, whatever calls it
// makes, and nothing that was accepted is lost in silence. A table: (call pattern) x (what happened); every event that
// was told `ok` is in the feed or counted as lost, and a loss was told by a call.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "process/load.h"
#include "support/helper_main.h"

namespace leat::test {
namespace {

// What one producer was told.
struct Tally {
  std::uint64_t ok = 0;
  std::uint64_t losses_told = 0;
  Receipt last;
};

void take(Tally& tally, Publish outcome, std::uint64_t events = 1) {
  if (outcome == Publish::ok) tally.ok += events;
  if (outcome == Publish::earlier_lost) ++tally.losses_told;
}
void take(Tally& tally, const Result<Receipt>& result, std::uint64_t events = 1) {
  if (result.ok()) tally.ok += events;
  else if (result.error().code == ErrorCode::closed) ++tally.losses_told;
}

// How somebody uses a producer. After `calls` of them it must have come to the feed that is there now.
struct Pattern {
  const char* name;
  std::function<void(Producer&, Tally&)> call;
  int calls;
  milliseconds pause;
  bool full_before;  // the arena was filled while the broker stood still, so each call would block
};

const Event kEvent{.topic = "t", .payload = "x"};

void try_publish(Producer& producer, Tally& tally) { take(tally, producer.try_publish(kEvent, &tally.last)); }

void claim_and_commit(Producer& producer, Tally& tally) {
  std::span<std::byte> room;
  const Publish claimed = producer.claim(kEvent, 8, room);
  if (claimed != Publish::ok) return take(tally, claimed);
  std::fill(room.begin(), room.end(), std::byte{'c'});
  for (int i = 0; i < 100; ++i) {
    const Publish committed = producer.commit(&tally.last);
    take(tally, committed);
    if (committed == Publish::ok) return;
    std::fill(room.begin(), room.end(), std::byte{'d'});  // valid until commit() or abandon()
    std::this_thread::sleep_for(milliseconds(1));
  }
  producer.abandon();
}

const std::vector<Pattern>& patterns() {
  static const std::vector<Event> batch(3, kEvent);
  static const std::vector<Pattern> all = {
      {"try_publish in a row", try_publish, 100, milliseconds(0), false},
      {"try_publish now and then", try_publish, 4, milliseconds(200), false},
      {"try_publish that would block", try_publish, 2000, milliseconds(1), true},
      {"publish now and then", [](Producer& p, Tally& t) { take(t, p.publish(kEvent)); }, 4, milliseconds(200), false},
      {"publish that waits for room", [](Producer& p, Tally& t) { take(t, p.publish(kEvent)); }, 4, milliseconds(0),
       true},
      {"batches", [](Producer& p, Tally& t) { take(t, p.try_publish_batch(batch), 3); }, 100, milliseconds(0), false},
      {"publish_batch", [](Producer& p, Tally& t) { take(t, p.publish_batch(batch), 3); }, 4, milliseconds(200), false},
      {"claims", claim_and_commit, 100, milliseconds(0), false},
      {"publish_and_wait",
       [](Producer& p, Tally& t) {
         Receipt receipt;
         const auto done = p.publish_and_wait(kEvent, Ack::durable, kPatience, &receipt);
         if (receipt.events == 1) ++t.ok;
         if (!done && done.error().code == ErrorCode::closed) ++t.losses_told;
       },
       4, milliseconds(0), false},
      {"nothing but flush",
       [](Producer& p, Tally& t) {
         const auto done = p.flush(Ack::committed, kPatience);
         if (!done && done.error().code == ErrorCode::closed) ++t.losses_told;
       },
       2, milliseconds(0), true},
  };
  return all;
}

class Gone : public BrokerTest {
 protected:
  // Connects a producer for each pattern; `happens` ends with a broker that serves. `anew`: in a feed that begins at 1.
  void walk_the_table(const std::function<void()>& happens, bool anew, bool may_lose) {
    start();
    std::vector<Producer> producers;
    std::vector<Tally> tallies(patterns().size());
    for (std::size_t i = 0; i < patterns().size(); ++i) {
      producers.push_back(connect_producer(4096));
      ASSERT_TRUE(producers.back().publish_and_wait(kEvent, Ack::committed, kPatience).ok());
    }
    auto observer = FeedObserver::connect(broker_->address());
    ASSERT_TRUE(observer.ok()) << observer.error().message;
    broker_->stop();
    for (std::size_t i = 0; i < patterns().size(); ++i) {
      while (patterns()[i].full_before && producers[i].try_publish(kEvent, &tallies[i].last) == Publish::ok)
        ++tallies[i].ok;
    }
    happens();
    const std::uint64_t base = anew ? 0 : patterns().size();
    std::uint64_t in_feed = 0;
    for (std::size_t i = 0; i < patterns().size(); ++i) {
      SCOPED_TRACE(patterns()[i].name);
      use(producers[i], tallies[i], patterns()[i]);
      in_feed += tallies[i].ok - producers[i].lost_count();
      if (!may_lose) {
        EXPECT_EQ(producers[i].lost_count(), 0U);
      }
    }
    EXPECT_EQ(status().latest_sequence, base + in_feed)
        << "some of what was accepted is neither there nor counted as lost";
    const auto seen = observer->read();
    ASSERT_TRUE(seen.ok()) << seen.error().message;
    EXPECT_EQ(seen->latest_sequence, base + in_feed) << "an observer looks at files of a broker that is gone";
  }

  void use(Producer& producer, Tally& tally, const Pattern& pattern) {
    for (int i = 0; i < pattern.calls; ++i) {
      pattern.call(producer, tally);
      std::this_thread::sleep_for(pattern.pause);
    }
    // By now it must be where the feed is: only then does everything come to an end, and does one more event arrive.
    const auto flushed = producer.flush(Ack::committed, kPatience);
    if (!flushed) {
      EXPECT_EQ(flushed.error().code, ErrorCode::closed) << flushed.error().message;
      ++tally.losses_told;
    }
    const auto sent = producer.publish_and_wait(kEvent, Ack::committed, kPatience);
    EXPECT_TRUE(sent.ok()) << sent.error().message;
    ++tally.ok;
    EXPECT_EQ(tally.losses_told > 0, producer.lost_count() > 0) << producer.lost_count() << " events lost";
  }
  void kill_and_start() {
    broker_->kill9();
    start();
  }
};

TEST_F(Gone, ARingThatWasRetiredBecauseTheFeedWasBegunAnew) {
  walk_the_table(
      [&] {
        broker_->kill9();
        std::filesystem::rename(broker_->journal(), broker_->journal().string() + ".away");
        start();
      },
      true, true);
}

TEST_F(Gone, ARingThatWasRemovedWithItsRuntimeDirectory) {
  walk_the_table(
      [&] {
        std::filesystem::remove_all(broker_->runtime());
        kill_and_start();
      },
      false, true);
}

TEST_F(Gone, ABrokerThatWasKilledAndStartedAgainLosesNothing) {
  walk_the_table([&] { kill_and_start(); }, false, false);
}

TEST_F(Gone, TwoCleanRestartsWithNobodySayingAWordLoseNothing) {
  walk_the_table(
      [&] {
        broker_->cont();
        ASSERT_EQ(broker_->terminate(), 0);
        start();
        ASSERT_EQ(broker_->terminate(), 0);
        start();
      },
      false, false);
}

TEST_F(Gone, ABrokerThatWasStartedAgainWithOtherSizesLosesNothing) {
  walk_the_table(
      [&] {
        broker_->set("--ring-bytes", "256K");
        broker_->set("--inbound-slots", "512");
        broker_->set("--max-consumers", "7");
        kill_and_start();
      },
      false, false);
}

// Its tickets run out long before the arena does.
TEST_F(Gone, ARingWithoutTicketsThatNobodyReadsIsLeft) {
  broker_->set("--inbound-slots", "64");
  broker_->set("--max-producers", "8");
  start();
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait(kEvent, Ack::committed, kPatience).ok());
  Tally tally;
  broker_->stop();
  while (producer.try_publish(kEvent) == Publish::ok) ++tally.ok;
  std::filesystem::remove_all(broker_->runtime());
  kill_and_start();
  Publish outcome{};
  while ((outcome = producer.try_publish(kEvent)) == Publish::would_block) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(outcome, Publish::earlier_lost) << "nothing but calls that would block, and they notice";
  ++tally.losses_told;
  use(producer, tally, patterns().at(0));
  EXPECT_EQ(status().latest_sequence, 1 + tally.ok - producer.lost_count());
  EXPECT_GT(producer.lost_count(), 0U);
}

// The worst case at a high rate: a broker that dies busy, so that nobody is asleep in its ring.
TEST_F(Gone, AtAHighRateNoMoreThanSixtyFourCallsGoIntoARemovedRing) {
  start();
  Producer producer = connect_producer();
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(producer.publish(kEvent).ok());
    std::filesystem::remove_all(broker_->runtime());
    broker_->kill9();
    start();
    const std::uint64_t before = producer.lost_count();
    int calls = 0;
    while (producer.try_publish(kEvent) != Publish::earlier_lost) {
      // A registration that takes longer than try_publish may wait (a loaded machine) is tried again at the next look.
      ASSERT_LT(++calls, 4 * 64) << "calls that went into the dead ring without being told";
      if (calls % 16 == 0)
        std::this_thread::sleep_for(milliseconds(60));  // it looks at its connection no more than so often
    }
    EXPECT_GT(producer.lost_count(), before);
  }
}

TEST_F(Gone, AnObserverFindsTheNextBrokerAndSaysSoWhileThereIsNone) {
  start();
  auto observer = FeedObserver::connect(broker_->address());
  ASSERT_TRUE(observer.ok());
  const std::uint64_t life = observer->read()->broker_life;
  broker_->kill9();
  expect_error(observer->read(), ErrorCode::no_broker, {"has gone", "leatd"});
  start();
  const auto seen = observer->read();
  ASSERT_TRUE(seen.ok()) << seen.error().message;
  EXPECT_EQ(seen->broker_life, life + 1);
}

// Its word is on the line that each call reads: not one more event goes into it.
TEST_F(Gone, ARetiredRingIsNoticedByTheVeryNextCall) {
  start();
  Producer producer = connect_producer();
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(producer.publish(kEvent).ok());
  ASSERT_TRUE(producer.flush(Ack::committed, kPatience).ok());
  broker_->kill9();
  std::filesystem::rename(broker_->journal(), broker_->journal().string() + ".away");
  start();
  std::uint64_t ok = 0;
  while (ok < 10) ok += producer.try_publish(kEvent) == Publish::ok ? 1 : 0;
  ASSERT_TRUE(producer.flush(Ack::committed, kPatience).ok());
  EXPECT_EQ(producer.lost_count(), 0U);
  EXPECT_EQ(status().latest_sequence, ok);
}

// Handles that end while nobody can hear of it: their slots are free again although the process lives on.
TEST_F(Gone, SlotsOfHandlesThatWereDestroyedUnheardAreFreeAgain) {
  broker_->set("--max-producers", "32");
  start();
  std::vector<Producer> producers;
  for (int i = 0; i < 20; ++i) producers.push_back(connect_producer(4096));
  for (Producer& producer : producers) ASSERT_TRUE(producer.publish_and_wait(kEvent, Ack::committed, kPatience).ok());
  Producer keeper = connect_producer(4096);
  broker_->kill9();
  ASSERT_TRUE(keeper.publish(kEvent).ok());
  producers.erase(producers.begin() + 10, producers.end());  // while there is none
  start();
  producers.clear();  // and before they have met this one
  while (status().producers.size() > 1) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_TRUE(keeper.publish_and_wait(kEvent, Ack::committed, kPatience).ok()) << "one that is quiet is not gone";
  EXPECT_EQ(keeper.lost_count(), 0U);
  EXPECT_EQ(status().latest_sequence, 22U);
}

// As a launcher does: the process goes on as another program, which knows nothing of the producer.
int run_exec_after_connect(const HelperArguments& arguments) {
  auto producer = Producer::connect({.address = arguments.address()});
  if (!producer || !producer->publish(kEvent).ok()) return 1;
  SharedPage(arguments.page())[kReadyWord].store(1);
  ::execl("/bin/sleep", "sleep", "100", nullptr);
  return 2;
}
const HelperRegistration kExecAfterConnect("exec-after-connect", &run_exec_after_connect);

TEST_F(Gone, TheSlotOfAProcessThatBecameAnotherProgramIsFreeAgain) {
  start();
  ChildProcess process = start_helper("exec-after-connect", {});
  page_->wait_for(kReadyWord, 1);
  while (status().latest_sequence < 1 || !status().producers.empty()) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_TRUE(process.running());
  process.kill9();
}

// The room of a claim outlives the ring that it was made in.
TEST_F(Gone, AnOpenClaimIsPublishedIntoTheRingThatIsThereNow) {
  start();
  Producer producer = connect_producer();
  ASSERT_TRUE(producer.publish_and_wait(kEvent, Ack::committed, kPatience).ok());
  const std::uint32_t id = producer.producer_id();
  std::span<std::byte> room;
  ASSERT_EQ(producer.claim({.topic = "claimed", .key = "k"}, 6, room), Publish::ok);
  std::memcpy(room.data(), "before", 6);
  std::filesystem::remove_all(broker_->runtime());
  broker_->kill9();
  start();
  while (producer.producer_id() == id) {  // flush() is one of the calls that notice
    ASSERT_TRUE(producer.flush(Ack::accepted, kPatience).ok());
    std::this_thread::sleep_for(milliseconds(5));
  }
  std::memcpy(room.data(), "after!", 6);
  Publish outcome{};
  while ((outcome = producer.commit()) == Publish::would_block) std::this_thread::sleep_for(milliseconds(1));
  ASSERT_EQ(outcome, Publish::ok) << to_string(outcome);
  ASSERT_TRUE(producer.flush(Ack::committed, kPatience).ok());
  Consumer consumer = connect_consumer();
  EXPECT_EQ(take_event(consumer).topic, "t");
  const EventView claimed = take_event(consumer);
  EXPECT_EQ(claimed.topic, "claimed");
  EXPECT_EQ(claimed.key, "k");
  EXPECT_EQ(claimed.payload, "after!");
}

}  // namespace
}  // namespace leat::test
