// Producers that write over what they share with others: tickets forged in another's name, tickets of others
// overwritten, the ring's header scribbled, more in one ticket than the broadcast ring holds.
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "broker/sequence/sequencer.h"
#include "tests/unit/fixtures/one_feed.h"

namespace leat::broker {
namespace {

using namespace internal;
using test::FeedProducer;
using test::OneFeed;

const Event kGood{.topic = "unit.good", .key = "key", .payload = "payload"};

std::uint64_t ticket_of(const FeedProducer& producer, std::uint64_t position) {
  return full_slot(producer.registration.slot, producer.registration.generation, position);
}

void write_slot(FeedProducer& by, std::uint64_t ticket, std::uint64_t value) {
  store_word(by.ring_mapping.data() + kInboundSlotsOffset + (ticket % 64) * kWordBytes, value);
}

const Event kRefused{.topic = "t", .payload = "refused"};

// Whatever its place: where nothing is yet, where an entry is being written, far ahead.
TEST(ForgedTicket, DoesNotRevokeTheProducerInWhoseNameItIs) {
  for (const std::uint64_t ahead : {0, 64, 128, 1024, 4032}) {
    OneFeed feed;
    FeedProducer victim = feed.add_producer();
    FeedProducer bad = feed.add_producer();
    ASSERT_TRUE(victim.publish(kGood));
    feed.drain();
    write_slot(bad, bad.ring.take_ticket(), ticket_of(victim, victim.arena.tail() + ahead));
    feed.drain();
    EXPECT_EQ(feed.slot(victim).revoked.load(), 0u) << ahead;
    EXPECT_EQ(feed.counters().bad_tickets.load(), 1u) << ahead;
    ASSERT_TRUE(victim.publish(kGood));
    feed.drain();
    EXPECT_EQ(victim.status(victim.last_position), CompletionStatus::committed) << ahead;
    EXPECT_EQ(feed.journaled().size(), 2u) << ahead;
  }
}

TEST(ForgedTicket, DoesNotPublishAnEntryThatItsProducerHasTakenBack) {
  OneFeed feed;
  FeedProducer victim = feed.add_producer();
  FeedProducer bad = feed.add_producer();
  ASSERT_TRUE(victim.seal({kRefused}));
  victim.arena.unseal();  // the ring was full: the caller was told would_block
  write_slot(bad, bad.ring.take_ticket(), ticket_of(victim, 0));
  feed.drain();
  EXPECT_TRUE(feed.journaled().empty());
  ASSERT_TRUE(victim.publish(kGood));
  feed.drain();
  ASSERT_EQ(feed.journaled().size(), 1u);
  EXPECT_EQ(feed.journaled()[0].payload, kGood.payload);
}

// Only its own ticket, or its producer's word, says that a sealed entry is published: a guess at another place does
// not.
TEST(ForgedTicket, TakesNoSealedEntryThatItDoesNotName) {
  for (const std::uint64_t ahead : {64, 128, 1024, 4032}) {
    OneFeed feed;
    FeedProducer victim = feed.add_producer();
    FeedProducer bad = feed.add_producer();
    ASSERT_TRUE(victim.seal({kRefused}));
    write_slot(bad, bad.ring.take_ticket(), ticket_of(victim, ahead));
    feed.drain();
    EXPECT_TRUE(feed.journaled().empty()) << ahead;
    EXPECT_EQ(feed.counters().bad_tickets.load(), 1u) << ahead;
    victim.arena.unseal();
    ASSERT_TRUE(victim.publish(kGood));
    feed.drain();
    EXPECT_EQ(victim.status(victim.last_position), CompletionStatus::committed) << ahead;
  }
}

// A ticket forged in the moment in which a producer has sealed an entry and then gets no ticket of its own: it is told
// that nothing was published, and seals another entry in the same place. What cannot be prevented is told: that one's
// receipt must not wait for ever, and the next ones must go on as if nothing had happened.
enum class OwnTicket { kept, lost, lost_and_next_at_once };

class ReSealed : public testing::TestWithParam<std::tuple<std::size_t, OwnTicket>> {};

TEST_P(ReSealed, AfterAForgedTicketIsRefusedAndWhatComesNextIsServed) {
  const auto& [payload_bytes, ticket] = GetParam();
  OneFeed feed;
  FeedProducer victim = feed.add_producer();
  FeedProducer bad = feed.add_producer();
  const Event first{.topic = "t", .payload = "told that the ring is full............................."};
  const std::string payload(payload_bytes, 'p');
  ASSERT_TRUE(victim.publish(kGood));
  feed.drain();
  ASSERT_TRUE(victim.seal({first}));
  write_slot(bad, bad.ring.take_ticket(), ticket_of(victim, victim.arena.tail()));
  feed.drain();
  victim.arena.unseal();
  ASSERT_EQ(feed.journaled().size(), 2u) << "the known hole";

  ASSERT_TRUE(victim.publish({.topic = "t", .payload = payload}));
  const std::uint64_t again = victim.last_position;
  if (ticket != OwnTicket::kept) {
    const std::uint64_t lost = feed.files->inbound_header().tail.load() - 1;
    write_slot(bad, lost, empty_slot(lost / feed.options.inbound_slots + 1));
  }
  const auto serve = [&] {
    for (int i = 0; i < 8; ++i) {
      feed.drain();
      (void)feed.sequencer->take_lost_tickets();
    }
  };
  const bool next_at_once = ticket != OwnTicket::lost;  // before the first is looked at
  if (next_at_once) {
    ASSERT_TRUE(victim.publish(kGood));
  }
  serve();
  if (victim.status(again) == CompletionStatus::pending) {
    EXPECT_TRUE(victim.arena.passed_over(again)) << "its receipt would be waited for without end";
  } else {
    EXPECT_EQ(victim.status(again), CompletionStatus::refused);
    EXPECT_EQ(victim.value(again), static_cast<std::uint64_t>(Refusal::bad_sequence));
  }
  for (int i = 0; i < 40; ++i) {  // more than the arena holds
    ASSERT_TRUE(victim.publish(kGood)) << i;
    serve();
    ASSERT_EQ(victim.status(victim.last_position), CompletionStatus::committed) << i;
  }
  EXPECT_EQ(feed.slot(victim).revoked.load(), 0u);
  EXPECT_EQ(feed.journaled().size(), next_at_once ? 43u : 42u);
}

// Of the same size, smaller, larger.
INSTANTIATE_TEST_SUITE_P(Sizes, ReSealed,
                         testing::Combine(testing::Values<std::size_t>(55, 0, 700),
                                          testing::Values(OwnTicket::kept, OwnTicket::lost,
                                                          OwnTicket::lost_and_next_at_once)));

// Whoever scribbles over its own completions gets each entry taken twice at most.
TEST(SealedAgain, ByAProducerThatDoesSoWithoutEndHoldsUpNobody) {
  OneFeed feed;
  FeedProducer bad = feed.add_producer();
  FeedProducer other = feed.add_producer();
  ASSERT_TRUE(bad.publish(kGood));
  feed.drain();
  for (int i = 0; i < 20; ++i) {
    bad.header(bad.last_position).completion.store(0);
    (void)feed.sequencer->take_lost_tickets();
    feed.drain();
  }
  EXPECT_LE(feed.counters().refused_entries.load(), 1u);
  ASSERT_TRUE(other.publish(kGood));
  feed.drain();
  EXPECT_EQ(other.status(other.last_position), CompletionStatus::committed);
}

TEST(LostTicket, OfAProducersLastEntryIsMadeUpFor) {
  OneFeed feed;
  FeedProducer victim = feed.add_producer();
  FeedProducer bad = feed.add_producer();
  ASSERT_TRUE(victim.publish(kGood));
  ASSERT_TRUE(victim.publish(kGood));
  write_slot(bad, 0, 0x1234567890abcdefULL);
  write_slot(bad, 1, ticket_of(bad, 0));
  feed.drain();
  EXPECT_TRUE(feed.journaled().empty());
  EXPECT_FALSE(feed.sequencer->take_lost_tickets()) << "the first look only notices";
  EXPECT_TRUE(feed.sequencer->take_lost_tickets());
  EXPECT_EQ(feed.journaled().size(), 2u);
  EXPECT_EQ(victim.status(victim.last_position), CompletionStatus::committed);
  EXPECT_FALSE(feed.sequencer->take_lost_tickets());
}

// A look costs the same however many producers there may be; each has its turn.
TEST(LostTicket, IsFoundInTurnAmongThousandsOfProducers) {
  Options options = OneFeed::small_options();
  options.max_producers = 1000;
  options.inbound_slots = 2048;
  OneFeed feed(options);
  FeedProducer victim = feed.add_producer();
  FeedProducer bad = feed.add_producer();
  ASSERT_TRUE(victim.publish(kGood));
  write_slot(bad, 0, 0x1234567890abcdefULL);
  feed.drain();
  int looks = 1;
  while (!feed.sequencer->take_lost_tickets() && looks < 100) ++looks;
  EXPECT_GT(looks, 1000 / 256) << "each look was at all of them";
  EXPECT_LE(looks, 2 * (1000 / 256 + 1));
  EXPECT_EQ(victim.status(victim.last_position), CompletionStatus::committed);
}

// An entry whose ticket is merely still to come must wait for it: else the order between producers would change.
TEST(LostTicket, IsNotTakenForLostWhileItIsUnderWay) {
  OneFeed feed;
  FeedProducer first = feed.add_producer();
  FeedProducer second = feed.add_producer();
  feed.sequencer->take_commands();
  ASSERT_TRUE(first.publish(kGood));
  ASSERT_TRUE(second.publish(kGood));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(feed.sequencer->take_lost_tickets());
  feed.drain();
  const auto events = feed.journaled();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].producer_id, first.registration.producer_id);
}

TEST(LostTicket, OfAProducerThatHasLeftIsMadeUpForBeforeItIsLetGo) {
  OneFeed feed;
  FeedProducer leaver = feed.add_producer();
  FeedProducer bad = feed.add_producer();
  ASSERT_TRUE(leaver.publish(kGood));
  write_slot(bad, 0, ~0ULL);
  feed.drain();
  feed.leave(leaver);
  feed.sequencer->take_commands();
  LaneNotice notice;
  EXPECT_FALSE(feed.lanes->notices.pop(notice));
  EXPECT_TRUE(feed.sequencer->take_lost_tickets());
  feed.sequencer->take_commands();
  EXPECT_TRUE(feed.lanes->notices.pop(notice));
  EXPECT_EQ(feed.journaled().size(), 1u);
}

// A tail that is moved ahead and then back must not leave anybody waiting for tickets that will never be taken: the one
// whose ticket was written over, and the one that has left.
class MovedTail : public testing::Test {
 protected:
  Atomic<std::uint64_t>& tail() { return feed_.files->inbound_header().tail; }
  // What the sequencer's thread does when it finds nothing: as often as it takes to go once round the ring.
  void look_long_enough() {
    for (std::uint64_t i = 0; i < 4 * feed_.options.inbound_slots; ++i) {
      if (!feed_.step() && !feed_.sequencer->try_skip()) (void)feed_.sequencer->take_lost_tickets();
    }
    feed_.sequencer->take_commands();
  }

  OneFeed feed_;
};

TEST_F(MovedTail, AheadAndBackLeavesNoReceiptPending) {
  for (const std::uint64_t back : {0ULL, 1ULL, ~0ULL / 2}) {
    FeedProducer victim = feed_.add_producer();
    FeedProducer bad = feed_.add_producer();
    const std::uint64_t ticket = tail();
    ASSERT_TRUE(victim.publish(kGood));
    write_slot(bad, ticket, empty_slot(ticket / feed_.options.inbound_slots + 1));
    feed_.drain();
    feed_.sequencer->take_commands();
    tail() += 40;
    EXPECT_FALSE(feed_.sequencer->take_lost_tickets()) << "noticed";
    tail() = back;
    look_long_enough();
    EXPECT_EQ(victim.status(victim.last_position), CompletionStatus::committed) << back;
    ASSERT_TRUE(victim.publish(kGood));
    look_long_enough();
    EXPECT_EQ(victim.status(victim.last_position), CompletionStatus::committed) << back;
  }
  EXPECT_EQ(feed_.journaled().size(), 6u);
}

TEST_F(MovedTail, AheadAndBackLetsALeaverGo) {
  FeedProducer leaver = feed_.add_producer();
  ASSERT_TRUE(leaver.publish(kGood));
  feed_.drain();
  tail() += 40;
  feed_.leave(leaver);
  feed_.sequencer->take_commands();
  tail() = 0;
  look_long_enough();
  LaneNotice notice;
  EXPECT_TRUE(feed_.lanes->notices.pop(notice));
}

// Not one wait for each: a scribbler could make that as long as the ring.
TEST_F(MovedTail, AWholeRingAheadIsSkippedAtOnce) {
  tail() += feed_.options.inbound_slots;
  EXPECT_FALSE(feed_.sequencer->try_skip()) << "the wait begins";
  EXPECT_TRUE(feed_.sequencer->try_skip());
  EXPECT_EQ(feed_.counters().skipped_tickets.load(), feed_.options.inbound_slots);
  FeedProducer producer = feed_.add_producer();
  ASSERT_TRUE(producer.publish(kGood));
  feed_.drain();
  EXPECT_EQ(producer.status(producer.last_position), CompletionStatus::committed);
}

// Tickets that were taken only while the others waited have a wait of their own.
TEST_F(MovedTail, SkipsNoTicketThatWasTakenAfterTheWaitBegan) {
  tail() += 3;
  EXPECT_FALSE(feed_.sequencer->try_skip());
  tail() += 1;
  EXPECT_TRUE(feed_.sequencer->try_skip());
  EXPECT_EQ(feed_.counters().skipped_tickets.load(), 3u);
}

// The margin keeps honest producers from filling every slot. A hostile one can: each slot is taken once in a round.
TEST(FullRing, IsTakenOnceRoundInARound) {
  OneFeed feed;
  FeedProducer bad = feed.add_producer();
  const std::uint64_t slots = feed.options.inbound_slots;
  for (std::uint64_t ticket = 0; ticket < slots; ++ticket)
    write_slot(bad, ticket, full_slot(kMaxProducerSlots - 1, 1, 0));
  EXPECT_TRUE(feed.step());
  EXPECT_EQ(feed.counters().bad_tickets.load(), slots);
  EXPECT_EQ(feed.files->inbound_header().head.load(), slots);
  EXPECT_FALSE(feed.step());
}

// An arena may be larger than the broadcast ring: its entries are taken in as many rounds as it needs.
TEST(OneTicket, ThatStandsForMoreThanTheRingHoldsIsTakenInSeveralRounds) {
  OneFeed feed;  // a ring of 8 KiB
  FeedProducer producer = feed.add_producer(1 << 20);
  const std::string payload(900, 'p');
  std::uint64_t last = 0;
  constexpr std::uint64_t kEvents = 500;
  for (std::uint64_t i = 0; i < kEvents; ++i) last = *producer.stage({Event{.topic = "t", .payload = payload}});
  producer.publish_ticket(last);
  for (int rounds = 0; rounds < 2000 && feed.journaled().size() < kEvents; ++rounds) {
    const std::uint64_t before = feed.sequencer->position();
    feed.prepare_segments(static_cast<int>(2 - feed.handover->prepared.read_available()));
    (void)feed.step();
    ASSERT_LE(feed.sequencer->position() - before, feed.options.ring_bytes) << "more than the ring holds in one round";
  }
  EXPECT_EQ(feed.journaled().size(), kEvents);
  EXPECT_EQ(producer.status(last), CompletionStatus::committed);
}

TEST(ScribbledHead, IsShownAgain) {
  OneFeed feed;
  FeedProducer producer = feed.add_producer();
  ASSERT_TRUE(producer.publish(kGood));
  feed.drain();
  feed.files->inbound_header().head.store(~0ULL / 2);
  EXPECT_TRUE(feed.inbound().repair_head());
  EXPECT_FALSE(feed.inbound().repair_head());
  EXPECT_EQ(feed.files->inbound_header().head.load(), 1u);
}

TEST(ScribbledHeader, IsSetRightFromWhatNoClientCanWrite) {
  OneFeed feed;
  BroadcastHeader& truth = feed.files->broadcast_header();
  truth.broker_life.store(7);
  truth.feed_state.store(FeedState::running);
  (void)feed.files->repair_headers();
  EXPECT_FALSE(feed.files->repair_headers());
  std::byte* const ring = feed.files->inbound.data();
  for (const std::size_t at : {0, 8, 16, 24, 32, 40, 48, 56, 200, 256}) {
    const std::uint64_t right = load_word(ring + at);
    store_word(ring + at, ~right);
    EXPECT_TRUE(feed.files->repair_headers()) << at;
    EXPECT_EQ(load_word(ring + at), right) << at;
  }
  feed.files->inbound_header().feed_state.store(FeedState::failed);
  (void)feed.files->repair_headers();
  EXPECT_EQ(feed.files->inbound_header().feed_state.load(), FeedState::running);
}

}  // namespace
}  // namespace leat::broker
