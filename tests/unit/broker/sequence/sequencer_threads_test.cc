// What only the sequencer's own thread does (skips, repairs, marks), and a producer that changes its bytes while they
// are being read.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "broker/sequence/sequencer.h"
#include "tests/unit/fixtures/one_feed.h"

namespace leat::broker {
namespace {

using namespace internal;
using test::FeedProducer;
using test::OneFeed;

const Event kGood{.topic = "unit.good", .key = "key", .payload = "payload"};

// Waits for something that must come; the watchdog ends the test if it does not.
template <typename Condition>
void wait_until(Condition condition) {
  while (!condition()) std::this_thread::sleep_for(std::chrono::microseconds(200));
}

TEST(SequencerThread, SkipsATicketThatIsNotFilledAndLetsItsProducerTryAgain) {
  OneFeed feed;
  FeedProducer slow = feed.add_producer();
  FeedProducer quick = feed.add_producer();
  const std::uint64_t ticket = slow.ring.take_ticket();
  ASSERT_TRUE(quick.publish(kGood));
  feed.sequencer->start();
  wait_until([&] { return quick.status(quick.last_position) == CompletionStatus::committed; });
  EXPECT_EQ(slow.ring.fill(ticket, full_slot(slow.registration.slot, slow.registration.generation, 0)), Fill::skipped);
  ASSERT_TRUE(slow.publish(kGood));
  slow.ring.wake_sequencer();
  wait_until([&] { return slow.status(slow.last_position) == CompletionStatus::committed; });
  feed.sequencer->stop();
  EXPECT_EQ(feed.counters().skipped_tickets.load(), 1u);
  EXPECT_EQ(feed.journaled().size(), 2u);
}

TEST(SequencerThread, SetsAScribbledTailRightAndGoesOn) {
  for (const std::uint64_t scribble : {0x7777777777ULL, ~0ULL}) {
    OneFeed feed;
    FeedProducer producer = feed.add_producer();
    ASSERT_TRUE(producer.publish(kGood));
    feed.drain();
    feed.files->inbound_header().tail.store(scribble);
    feed.sequencer->start();
    wait_until([&] { return feed.counters().ring_repairs.load() == 1; });
    ASSERT_TRUE(producer.publish(kGood));
    producer.ring.wake_sequencer();
    wait_until([&] { return producer.status(producer.last_position) == CompletionStatus::committed; });
    feed.sequencer->stop();
    EXPECT_EQ(feed.journaled().size(), 2u);
  }
}

// Producers that believed it would find the ring full, or overtake it.
TEST(SequencerThread, ShowsAScribbledHeadAgain) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(kGood));
  feed.drain();
  feed.files->inbound_header().head.store(~0ULL / 2);
  feed.sequencer->start();
  wait_until([&] { return feed.files->inbound_header().head.load() == 1; });
  feed.sequencer->stop();
  EXPECT_EQ(feed.counters().ring_repairs.load(), 1u);
}

TEST(SequencerThread, WritesTheMarksItIsAskedFor) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(kGood));
  feed.drain();
  const std::uint64_t durable = feed.sequencer->position();
  ASSERT_TRUE(feed.handover->marks.push({.position = durable, .sequence = 1}));
  feed.sequencer->start();
  wait_until([&] { return feed.ring().header().committed.load() > durable; });
  feed.sequencer->stop();
  const auto records = feed.journaled_records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].type, static_cast<std::uint16_t>(RecordType::mark));
  EXPECT_EQ(records[1].flags, 0u);
}

TEST(SequencerThread, ServesWhatWasPublishedBeforeTheStop) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(producer.publish(kGood));
  feed.sequencer->start();
  feed.sequencer->stop();
  EXPECT_EQ(feed.journaled().size(), 20u);
}

// Flips one 32-bit word of the producer's own memory to and fro, as fast as it can.
class Flipper {
 public:
  Flipper(std::byte* word, std::uint32_t other)
      : word_(reinterpret_cast<std::uint32_t*>(word)), thread_([this, other] {
          const std::uint32_t honest = __atomic_load_n(word_, __ATOMIC_RELAXED);
          started_.store(true);
          while (!stop_.load(std::memory_order_relaxed)) {
            __atomic_store_n(word_, other, __ATOMIC_RELAXED);
            __atomic_store_n(word_, honest, __ATOMIC_RELAXED);
          }
        }) {
    while (!started_.load()) std::this_thread::yield();
  }
  ~Flipper() {
    stop_.store(true);
    thread_.join();
  }

 private:
  std::uint32_t* word_;
  std::atomic<bool> started_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

struct Flip {
  const char* name;
  bool of_entry_header;
  std::size_t offset;
  std::uint32_t other;
};

class DoubleFetch : public ::testing::TestWithParam<Flip> {};

// Whatever the sequencer read, what it journaled is whole, checked, and no longer than an entry may be.
TEST_P(DoubleFetch, NeverStagesWhatItDidNotCheck) {
  OneFeed feed;
  FeedProducer good = feed.add_producer();
  std::uint64_t bad_events = 0;
  for (int round = 0; round < 150; ++round) {
    FeedProducer bad = feed.add_producer();
    const auto position = bad.stage({kGood, kGood});
    ASSERT_TRUE(position.has_value());
    auto* const header = reinterpret_cast<std::byte*>(&bad.header(*position));
    std::byte* const at = (GetParam().of_entry_header ? header : bad.records(*position)) + GetParam().offset;
    {
      const Flipper flipper(at, GetParam().other);
      bad.publish_ticket(*position);
      ASSERT_TRUE(good.publish(kGood));
      const std::uint64_t before = feed.sequencer->position();
      feed.prepare_segments(static_cast<int>(2 - feed.handover->prepared.read_available()));
      feed.drain();
      ASSERT_LE(feed.sequencer->position() - before,
                2 * max_entry_record_bytes(4096) + kSegmentEndRecordBytes + kMarkRecordBytes);
    }
    bad_events += bad.status(*position) == CompletionStatus::committed ? 2 : 0;
    feed.leave(bad);
    feed.sequencer->take_commands();
    (void)feed.sequencer->take_lost_tickets();  // the flips may have left something in its arena
    feed.sequencer->take_commands();
    LaneNotice notice;
    while (feed.lanes->notices.pop(notice)) {
      if (notice.kind == LaneNotice::Kind::released) feed.release(notice.slot, notice.generation);
    }
  }
  const auto events = feed.journaled();
  EXPECT_EQ(events.size(), 150 + bad_events) << "all of the journal passes its checksums, to its end";
  EXPECT_EQ(events.size(), feed.sequencer->sequence());
  std::uint64_t good_events = 0;
  for (const auto& event : events) {
    ASSERT_TRUE(topic_is_valid(event.topic));
    good_events += event.producer_id == good.registration.producer_id ? 1 : 0;
  }
  EXPECT_EQ(good_events, 150u);
}

INSTANTIATE_TEST_SUITE_P(
    Words, DoubleFetch,
    ::testing::Values(Flip{"EntryBytesHuge", true, 8, 0xfffffff8}, Flip{"EntryBytesSmaller", true, 8, 72},
                      Flip{"EntryCountHuge", true, 12, 4096}, Flip{"EntryCountOne", true, 12, 1},
                      Flip{"EntryPosition", true, 24, 0xffffffff}, Flip{"RecordLengthHuge", false, 8, 0xffffffff},
                      Flip{"RecordLengthSmall", false, 8, 65}, Flip{"RecordType", false, 12, 0x00010002},
                      Flip{"RecordFlags", false, 12, 1}, Flip{"RecordSequence", false, 32, 99},
                      Flip{"FieldLengths", false, 44, 0x00ffffff}, Flip{"Topic", false, 48, 0x20202020}),
    [](const auto& given) { return std::string(given.param.name); });

}  // namespace
}  // namespace leat::broker
