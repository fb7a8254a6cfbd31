// A broker killed between any two stores of a round, and its successor: nothing lost, nothing repeated (I12). The round
// is run whole; then what would not have been stored yet is put back.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "broker/sequence/sequencer.h"
#include "tests/unit/fixtures/one_feed.h"

namespace leat::broker {
namespace {

using namespace internal;
using test::FeedProducer;
using test::OneFeed;

// One store, or a few that go together: bytes in shared memory, before and after.
class Region {
 public:
  Region(std::byte* at, std::size_t bytes) : at_(at), before_(at, at + bytes) {}
  void undo() { std::memcpy(at_, before_.data(), before_.size()); }

 private:
  std::byte* at_;
  std::vector<std::byte> before_;
};

template <typename T>
Region region(T& value) {
  return {reinterpret_cast<std::byte*>(&value), sizeof value};
}

Event numbered(int i, std::string& storage) {
  storage = "payload " + std::to_string(i);
  return {.topic = "unit.restart", .payload = storage};
}

constexpr int kEventsBefore = 3;  // done with before the round that dies
constexpr int kEventsInRound = 4;
constexpr int kCuts = 7;

class RestartAt : public ::testing::TestWithParam<int> {};

TEST_P(RestartAt, NothingIsLostRepeatedOrReordered) {
  const int stored = GetParam();  // how many of the round's stores had been done
  OneFeed feed;
  FeedProducer a = feed.add_producer();
  FeedProducer b = feed.add_producer();
  std::string text;
  for (int i = 0; i < kEventsBefore; ++i) ASSERT_TRUE((i % 2 == 0 ? a : b).publish(numbered(i, text)));
  feed.drain();
  std::vector<std::uint64_t> positions;
  for (int i = 0; i < kEventsInRound; ++i) {
    FeedProducer& producer = i % 2 == 0 ? a : b;
    ASSERT_TRUE(producer.publish(numbered(kEventsBefore + i, text)));
    positions.push_back(producer.last_position);
  }

  // In the order of the round (registry_layout.h), 2 to 6.
  const std::filesystem::path segment = feed.journal_path() / SegmentName{1, 0}.to_string();
  const std::string journal_before = test::read_file(segment);
  BroadcastHeader& ring = feed.files->broadcast_header();
  std::vector<std::vector<Region>> stores(kCuts);
  stores[1] = {region(ring.committed), region(ring.latest)};
  stores[2] = {region(feed.slot(a).last_producer_sequence), region(feed.slot(b).last_producer_sequence)};
  for (int i = 0; i < kEventsInRound; ++i) {
    stores[3].push_back(region((i % 2 == 0 ? a : b).header(positions[i]).completion));
  }
  stores[4] = {region(feed.slot(a).consumed), region(feed.slot(b).consumed), region(a.arena.header().consumed),
               region(b.arena.header().consumed)};
  stores[5] = {Region(feed.files->inbound.data() + kInboundSlotsOffset, feed.options.inbound_slots * 8)};
  stores[6] = {region(feed.files->registry_header().inbound_head), region(feed.files->inbound_header().head)};
  feed.drain();
  for (int cut = kCuts - 1; cut >= stored; --cut) {
    for (Region& store : stores[cut]) store.undo();
  }
  if (stored == 0) test::write_at(segment, 0, journal_before);

  feed.restart();
  EXPECT_EQ(feed.recovered().identity.epochs.size(), 1u) << "nothing visible was lost: the epoch goes on";
  feed.drain();
  std::string last_words;
  ASSERT_TRUE(a.publish(numbered(100, last_words)));
  feed.drain();
  const auto events = feed.journaled();
  ASSERT_EQ(events.size(), static_cast<std::size_t>(kEventsBefore + kEventsInRound + 1));
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].sequence, i + 1);
    if (i + 1 < events.size()) {
      EXPECT_EQ(events[i].payload, numbered(static_cast<int>(i), text).payload);
    }
  }
  for (int i = 0; i < kEventsInRound; ++i) {
    FeedProducer& producer = i % 2 == 0 ? a : b;
    EXPECT_EQ(producer.status(positions[i]), CompletionStatus::committed) << i;
    EXPECT_EQ(producer.value(positions[i]), static_cast<std::uint64_t>(kEventsBefore + i + 1)) << i;
  }
  EXPECT_EQ(a.arena.header().consumed.load(), a.arena.tail());
  EXPECT_EQ(feed.counters().refused_entries.load(), 0u);
}

INSTANTIATE_TEST_SUITE_P(EveryStore, RestartAt, ::testing::Range(0, kCuts + 1));

// 4 is done slot by slot: the first producer's stores are there, the second's are not.
TEST(Restart, CompletesEachProducerFromWhereItsOwnStoresEnded) {
  OneFeed feed;
  FeedProducer a = feed.add_producer();
  FeedProducer b = feed.add_producer();
  std::string text;
  ASSERT_TRUE(a.publish(numbered(0, text)));
  ASSERT_TRUE(b.publish({numbered(1, text), numbered(1, text), numbered(1, text)}));
  Region slots(feed.files->inbound.data() + kInboundSlotsOffset, feed.options.inbound_slots * 8);
  std::vector<Region> lost = {region(feed.slot(b).last_producer_sequence), region(feed.slot(b).consumed),
                              region(b.header(b.last_position).completion), region(b.arena.header().consumed),
                              region(feed.files->registry_header().inbound_head)};
  feed.drain();
  slots.undo();
  for (Region& store : lost) store.undo();
  feed.restart();
  feed.drain();
  EXPECT_EQ(feed.journaled().size(), 4u);
  EXPECT_EQ(feed.counters().duplicates.load(), 1u);
  EXPECT_EQ(b.status(b.last_position), CompletionStatus::committed);
  EXPECT_EQ(b.value(b.last_position), 2u);
}

// What the last broker had journaled is completed before round_position moves past it: a second kill, within the first
// round of the second broker, must find it in one place or the other.
TEST(Restart, CompletesWhatWasJournaledBeforeItsFirstRoundBegins) {
  OneFeed feed;
  FeedProducer a = feed.add_producer();
  std::string text;
  ASSERT_TRUE(a.publish(numbered(0, text)));
  const std::uint64_t position = a.last_position;
  std::vector<Region> lost = {region(feed.slot(a).last_producer_sequence),
                              region(feed.slot(a).consumed),
                              region(a.header(position).completion),
                              region(a.arena.header().consumed),
                              Region(feed.files->inbound.data() + kInboundSlotsOffset, feed.options.inbound_slots * 8),
                              region(feed.files->registry_header().inbound_head)};
  feed.drain();
  for (Region& store : lost) store.undo();
  feed.restart();

  // A bad entry in the same round lets us look into it: its producer is revoked there and then.
  FeedProducer bad = feed.add_producer();
  const auto spoilt = bad.stage({numbered(1, text)});
  bad.header(*spoilt).count = 0;
  bad.publish_ticket(*spoilt);
  int looks = 0;
  feed.on_control_wake = [&] {
    ++looks;
    EXPECT_EQ(feed.files->registry_header().round_position.load(), feed.recovered().end_position);
    EXPECT_EQ(a.status(position), CompletionStatus::committed);
    EXPECT_EQ(feed.slot(a).last_producer_sequence.load(), 1U);
    EXPECT_EQ(feed.slot(a).consumed.load(), a.arena.tail());
  };
  ASSERT_TRUE(feed.step());
  EXPECT_EQ(looks, 1);
  EXPECT_EQ(a.value(position), 1U);
  EXPECT_EQ(feed.counters().duplicates.load(), 1U);
  EXPECT_EQ(feed.journaled().size(), 1U);
}

TEST(Restart, TakesOverAStalledFeedWithAllThatWaits) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  const std::string payload(700, 'p');
  int published = 0;
  while (producer.publish(Event{.topic = "t", .payload = payload})) {
    ++published;
    feed.drain();
  }
  ASSERT_EQ(feed.handover->state.load(), FeedState::stalled);
  feed.restart();
  feed.prepare_segments(2);
  feed.drain();
  EXPECT_EQ(feed.journaled().size(), static_cast<std::size_t>(published));
}

// An entry that a loss of power tore, and one of a record that never came. A check would call the one damage for ever.
TEST(Restart, ClearsWhatTheIndexSaysOfRecordsThatAreNotThere) {
  broker::Options options = OneFeed::small_options();
  options.segment_bytes = 1 << 20;
  OneFeed feed(options);
  FeedProducer producer = feed.add_producer();
  std::string text;
  ASSERT_TRUE(producer.publish(numbered(0, text)));
  feed.drain();
  const auto segment = feed.journal_path() / SegmentName{1, 0}.to_string();
  const std::string good = test::read_file(segment).substr(kSegmentHeaderBytes, sizeof(IndexEntry));
  ASSERT_NE(good, std::string(sizeof(IndexEntry), '\0'));
  std::string torn = good;
  torn[9] ^= 1;
  test::write_at(segment, kSegmentHeaderBytes + sizeof(IndexEntry), torn);
  const std::uint64_t seed = feed_checksum_seed(feed.recovered().identity.uuid);
  const IndexEntry ahead = make_index_entry(seed, feed.sequencer->position(), 2, 3);
  test::write_at(segment, kSegmentHeaderBytes + 2 * sizeof(IndexEntry),
                 std::string(reinterpret_cast<const char*>(&ahead), sizeof ahead));
  feed.restart();
  EXPECT_EQ(test::read_file(segment).substr(kSegmentHeaderBytes, 3 * sizeof(IndexEntry)),
            good + std::string(2 * sizeof(IndexEntry), '\0'));
}

TEST(Restart, KeepsARevokedProducerOut) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  std::string text;
  const auto position = producer.stage({numbered(0, text)});
  producer.header(*position).count = 0;
  producer.publish_ticket(*position);
  feed.drain();
  feed.restart();
  producer.header(*position).count = 1;  // as if nothing had been wrong with it
  producer.publish_ticket(*position);
  feed.drain();
  EXPECT_TRUE(feed.journaled().empty());
  EXPECT_EQ(feed.slot(producer).revoked.load(), 1u);
}

TEST(Leaving, LetsGoOnceTheTicketsTakenBeforeAreDealtWith) {
  OneFeed feed;
  FeedProducer leaver = feed.add_producer();
  FeedProducer stayer = feed.add_producer();
  std::string text;
  ASSERT_TRUE(leaver.publish(numbered(0, text)));
  ASSERT_TRUE(stayer.publish(numbered(1, text)));
  feed.leave(leaver);
  feed.sequencer->take_commands();
  LaneNotice notice;
  EXPECT_FALSE(feed.lanes->notices.pop(notice)) << "two tickets are still to be dealt with";
  feed.drain();
  EXPECT_EQ(feed.journaled().size(), 2u);
  ASSERT_TRUE(feed.lanes->notices.pop(notice));
  EXPECT_EQ(notice.kind, LaneNotice::Kind::released);
  EXPECT_EQ(notice.slot, leaver.registration.slot);
  ASSERT_TRUE(leaver.publish(numbered(2, text)));  // a fork that holds the arena open goes on
  feed.drain();
  EXPECT_EQ(feed.journaled().size(), 2u);
  EXPECT_EQ(feed.counters().bad_tickets.load(), 1u);
}

// Killed behind the swap, before its arena says so: the ticket alone tells that there is still something to do.
TEST(Leaving, DealsWithTheTicketOfOneThatWasKilledRightBehindItsSwap) {
  OneFeed feed;
  FeedProducer killed = feed.add_producer();
  std::string text;
  ASSERT_TRUE(killed.seal({numbered(0, text)}));
  killed.publish_ticket(killed.arena.tail());
  feed.leave(killed);
  feed.sequencer->take_commands();
  LaneNotice notice;
  EXPECT_FALSE(feed.lanes->notices.pop(notice));
  feed.drain();
  EXPECT_EQ(feed.journaled().size(), 1u);
  EXPECT_TRUE(feed.lanes->notices.pop(notice));
}

TEST(Leaving, LetsAnIdleProducerGoAtOnce) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  feed.leave(producer);
  feed.sequencer->take_commands();
  LaneNotice notice;
  EXPECT_TRUE(feed.lanes->notices.pop(notice));
}

}  // namespace
}  // namespace leat::broker
