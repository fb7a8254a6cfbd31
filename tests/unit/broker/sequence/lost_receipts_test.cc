// The journal ends below what producers were told: what is gone is committed, or durable, to nobody any more.
#include <gtest/gtest.h>

#include <fcntl.h>

#include <string>

#include "broker/sequence/sequencer.h"
#include "tests/unit/fixtures/one_feed.h"

namespace leat::broker {
namespace {

using namespace internal;
using test::FeedProducer;
using test::OneFeed;

class LostReceipts : public ::testing::Test {
 protected:
  void publish(FeedProducer& producer, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string payload = "payload " + std::to_string(positions.size() + 1);
      ASSERT_TRUE(producer.publish(Event{.topic = "unit.lost", .payload = payload}));
      positions.push_back(producer.last_position);
    }
  }
  // As a disk that took less than it said: from event `sequence` on there are zeroes.
  void cut_journal(std::uint64_t sequence) {
    const std::uint64_t from = feed.journaled().at(sequence - 1).position;
    const auto segment = feed.journal_path() / SegmentName{1, 0}.to_string();
    test::write_at(segment,
                   static_cast<std::streamoff>(segment_geometry(feed.options.segment_bytes).data_offset + from),
                   std::string(2048, '\0'));
  }
  bool lost(const FeedProducer& producer, std::size_t event) const {
    return producer.arena.lost(positions[event - 1], event);
  }

  OneFeed feed;
  std::vector<std::uint64_t> positions;  // of event i + 1, when all are of one producer
};

TEST_F(LostReceipts, OfEventsThatAreGoneAreSaidToBeAndOthersAreNot) {
  FeedProducer a = feed.add_producer();
  publish(a, 5);
  feed.drain();
  cut_journal(3);
  feed.restart();
  ASSERT_EQ(feed.recovered().end_sequence, 2U);
  for (std::size_t i = 1; i <= 5; ++i) EXPECT_EQ(lost(a, i), i >= 3) << i;
  publish(a, 4);
  feed.drain();
  ASSERT_EQ(feed.journaled().size(), 6U);
  for (std::size_t i = 5; i < 9; ++i) {
    EXPECT_EQ(a.value(positions[i]), i - 2);
    EXPECT_FALSE(a.arena.lost(positions[i], i - 2)) << "what came later is not lost, although its number is the same";
  }
  // A restart that loses nothing says nothing more, and forgets nothing.
  feed.restart();
  for (std::size_t i = 1; i <= 5; ++i) EXPECT_EQ(lost(a, i), i >= 3) << i;
  EXPECT_FALSE(a.arena.lost(positions[8], 6));
  EXPECT_EQ(a.arena.header().lost[1].from_sequence.load(), 0U);
}

TEST_F(LostReceipts, OfASecondLossAreAddedToThoseOfTheFirst) {
  FeedProducer a = feed.add_producer();
  publish(a, 4);
  feed.drain();
  cut_journal(4);
  feed.restart();
  publish(a, 3);  // events 4, 5, 6
  feed.drain();
  cut_journal(6);
  feed.restart();
  EXPECT_TRUE(a.arena.lost(positions[3], 4)) << "of the first loss";
  EXPECT_FALSE(a.arena.lost(positions[4], 4));
  EXPECT_FALSE(a.arena.lost(positions[5], 5));
  EXPECT_TRUE(a.arena.lost(positions[6], 6));
  cut_journal(2);
  feed.restart();
  for (std::size_t i = 1; i < 4; ++i) EXPECT_TRUE(a.arena.lost(positions[i], 2)) << i;
  EXPECT_FALSE(a.arena.lost(positions[0], 1));
}

// The last broker died between its receipts and freeing the entries: they lie there still.
TEST_F(LostReceipts, AreTakenBackWhereTheEntryIsStillThereAndItIsTakenOnceMore) {
  FeedProducer a = feed.add_producer();
  publish(a, 2);
  feed.drain();
  const std::uint64_t consumed = feed.slot(a).consumed.load();
  const std::uint64_t head = feed.files->registry_header().inbound_head.load();
  const std::size_t slots_bytes = feed.options.inbound_slots * 8;
  publish(a, 3);
  const std::string slots(reinterpret_cast<const char*>(feed.files->inbound.data() + kInboundSlotsOffset), slots_bytes);
  feed.drain();
  EXPECT_EQ(a.value(positions[4]), 5U);
  feed.slot(a).consumed.store(consumed);
  a.arena.header().consumed.store(consumed);
  feed.files->registry_header().inbound_head.store(head);
  std::memcpy(feed.files->inbound.data() + kInboundSlotsOffset, slots.data(), slots_bytes);
  cut_journal(2);
  feed.restart();
  EXPECT_EQ(a.status(positions[3]), CompletionStatus::pending) << "nobody is told a number that is another's";
  feed.drain();
  const auto events = feed.journaled();
  ASSERT_EQ(events.size(), 4U);
  for (std::size_t i = 2; i < 5; ++i) {
    EXPECT_EQ(events[i - 1].payload, "payload " + std::to_string(i + 1));
    EXPECT_EQ(a.status(positions[i]), CompletionStatus::committed);
    EXPECT_EQ(a.value(positions[i]), i);
    EXPECT_FALSE(a.arena.lost(positions[i], i));
  }
  EXPECT_TRUE(lost(a, 2));
  EXPECT_EQ(feed.counters().refused_entries.load(), 0U);
}

// A repair may have given up any event, with later ones still there; another broker may have gone on in between.
TEST_F(LostReceipts, AreAllOfThemWhenTheJournalWasRepairedOrServedByAnotherBroker) {
  FeedProducer a = feed.add_producer();
  publish(a, 3);
  feed.drain();
  const UniqueFd journal(::open(feed.journal_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  FeedIdentity identity = test::must(load_identity({journal.get(), feed.journal_path().string()}));
  identity.epochs.push_back({.id = identity.current().id + 1, .first_sequence = 4, .first_position = 1024});
  test::must(store_identity({journal.get(), feed.journal_path().string()}, identity));
  feed.restart();
  for (std::size_t i = 1; i <= 3; ++i) EXPECT_TRUE(lost(a, i)) << i;
  publish(a, 1);
  feed.drain();
  EXPECT_EQ(a.value(positions[3]), 4U);
  EXPECT_FALSE(lost(a, 4));
}

// No ring tells how far the last broker came: what is not in the journal is gone, whatever it was.
TEST_F(LostReceipts, AreFoundWithoutTheRingOfTheLastBrokerToo) {
  FeedProducer a = feed.add_producer();
  publish(a, 4);
  feed.drain();
  cut_journal(3);
  std::filesystem::remove(feed.runtime_path() / "broadcast");
  feed.restart();
  for (std::size_t i = 1; i <= 4; ++i) EXPECT_EQ(lost(a, i), i >= 3) << i;
}

}  // namespace
}  // namespace leat::broker
