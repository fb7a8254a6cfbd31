// The inbound protocol, one step at a time, and against hostile bytes. With threads: inbound_threads_test.cc.
#include "shm/ingest/inbound_ring.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <random>

#include "tests/unit/fixtures/shared_buffer.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::internal {
namespace {

constexpr std::uint64_t kSlots = 64;
constexpr std::uint64_t kMaxProducers = 8;
using Numbers = std::initializer_list<std::uint64_t>;

class InboundRing : public ::testing::Test {
 protected:
  InboundHeader& header() { return *reinterpret_cast<InboundHeader*>(memory_.data()); }
  std::atomic<std::uint64_t>& slot(std::uint64_t ticket) {
    return reinterpret_cast<std::atomic<std::uint64_t>*>(memory_.data() + kInboundSlotsOffset)[ticket % kSlots];
  }
  InboundProducer producer() { return {memory_.data(), kSlots, kMaxProducers}; }
  InboundConsumer consumer_at(std::uint64_t head) { return {memory_.data(), kSlots, head}; }
  // Every slot of the lap that `head` is in, as the ring would look after that many tickets.
  void advance_to(std::uint64_t head) {
    for (std::uint64_t t = head; t < head + kSlots; ++t) slot(t).store(empty_slot(t / kSlots));
    header().tail.store(head);
    header().head.store(head);
  }

  test::SharedBuffer memory_{inbound_file_bytes(kSlots)};
};

TEST_F(InboundRing, DeliversWhatAFilledTicketNames) {
  InboundProducer from = producer();
  InboundConsumer to = consumer_at(0);
  const std::uint64_t ticket = from.take_ticket();
  EXPECT_EQ(ticket, 0u);
  EXPECT_EQ(to.peek(0), to.unfilled(0));
  ASSERT_EQ(from.fill(ticket, full_slot(7, 42, 128)), Fill::ok);
  ASSERT_TRUE(is_full(to.peek(0)));
  EXPECT_EQ(parse_full_slot(to.peek(0)),
            (Ticket{.producer_slot = 7, .generation = 42, .position_units = 128 / kPositionUnit}));
  to.release(0);
  to.publish_head(1);
  EXPECT_EQ(to.peek(kSlots), to.unfilled(kSlots));
  EXPECT_EQ(header().head.load(), 1u);
}

TEST_F(InboundRing, RefusesTheClaimOfASkippedTicket) {
  InboundProducer slow = producer();
  InboundConsumer to = consumer_at(0);
  const std::uint64_t ticket = slow.take_ticket();
  ASSERT_TRUE(to.taken(ticket));
  ASSERT_TRUE(to.skip(ticket));
  EXPECT_EQ(slow.fill(ticket, full_slot(1, 1, 0)), Fill::skipped);
  EXPECT_EQ(to.peek(ticket), empty_slot(1)) << "the refused claim must leave no trace";
}

TEST_F(InboundRing, RefusesToSkipAFilledTicket) {
  InboundProducer from = producer();
  InboundConsumer to = consumer_at(0);
  const std::uint64_t ticket = from.take_ticket();
  ASSERT_EQ(from.fill(ticket, full_slot(1, 1, 64)), Fill::ok);
  EXPECT_FALSE(to.skip(ticket));
  EXPECT_TRUE(is_full(to.peek(ticket)));
}

TEST_F(InboundRing, NeverFillsTwiceNorSkipsTwice) {
  InboundProducer from = producer();
  InboundConsumer to = consumer_at(0);
  ASSERT_EQ(from.fill(0, full_slot(1, 1, 0)), Fill::ok);
  EXPECT_NE(from.fill(0, full_slot(2, 2, 64)), Fill::ok);
  EXPECT_EQ(parse_full_slot(to.peek(0)).producer_slot, 1u);
  ASSERT_TRUE(to.skip(1));
  EXPECT_FALSE(to.skip(1));
}

TEST_F(InboundRing, RefusesTheClaimOfATicketThatIsManyLapsOld) {
  InboundProducer slow = producer();
  const std::uint64_t ticket = slow.take_ticket();
  for (const std::uint64_t lap : Numbers{1ULL, 2ULL, 1000ULL, 1ULL << 32, (1ULL << 57) - 1}) {
    slot(ticket).store(empty_slot(lap));
    EXPECT_EQ(slow.fill(ticket, full_slot(1, 1, 0)), Fill::skipped) << "lap " << lap;
    EXPECT_EQ(slot(ticket).load(), empty_slot(lap));
  }
}

TEST_F(InboundRing, RefusesTheClaimOfATicketWhoseSlotAnEarlierLapStillHolds) {
  InboundProducer from = producer();
  ASSERT_EQ(from.fill(0, full_slot(1, 1, 0)), Fill::ok);
  EXPECT_EQ(from.fill(kSlots, full_slot(2, 1, 0)), Fill::overrun);
  EXPECT_EQ(parse_full_slot(slot(0).load()).producer_slot, 1u);
  EXPECT_EQ(from.fill(kSlots + 1, full_slot(2, 1, 0)), Fill::overrun) << "an empty slot of an earlier lap";
  EXPECT_EQ(slot(1).load(), empty_slot(0));
}

TEST_F(InboundRing, GoesRoundManyTimes) {
  InboundProducer from = producer();
  InboundConsumer to = consumer_at(0);
  std::mt19937_64 random(test::test_seed());
  std::uint64_t expected_units = 0;
  for (std::uint64_t head = 0; head < 100 * kSlots; ++head) {
    ASSERT_TRUE(from.has_room());
    const std::uint64_t ticket = from.take_ticket();
    ASSERT_EQ(ticket, head);
    if (random() % 4 == 0) {
      ASSERT_TRUE(to.skip(ticket));
      ASSERT_EQ(from.fill(ticket, full_slot(3, 9, 0)), Fill::skipped);
    } else {
      ASSERT_EQ(from.fill(ticket, full_slot(3, 9, ++expected_units * kPositionUnit)), Fill::ok);
      ASSERT_EQ(parse_full_slot(to.peek(ticket)).position_units, expected_units);
      to.release(ticket);
    }
    to.publish_head(head + 1);
  }
}

TEST_F(InboundRing, GoesRoundAtTheEndOfTheTicketNumbers) {
  const std::uint64_t start = ~0ULL - 3 * kSlots + 1;  // three laps before the 64-bit count wraps
  advance_to(start);
  InboundProducer from = producer();
  InboundConsumer to = consumer_at(start);
  for (std::uint64_t i = 0; i < 2 * kSlots; ++i) {
    const std::uint64_t ticket = from.take_ticket();
    ASSERT_EQ(ticket, start + i);
    ASSERT_EQ(from.fill(ticket, full_slot(1, 1, i * kPositionUnit)), Fill::ok);
    ASSERT_EQ(parse_full_slot(to.peek(ticket)).position_units, i);
    to.release(ticket);
    to.publish_head(ticket + 1);
  }
}

TEST_F(InboundRing, HasNoRoomWhenTheMarginIsReached) {
  InboundProducer from = producer();
  InboundConsumer to = consumer_at(0);
  std::uint64_t taken = 0;
  while (from.has_room()) {
    ASSERT_EQ(from.fill(from.take_ticket(), full_slot(1, 1, 0)), Fill::ok);
    ++taken;
  }
  EXPECT_EQ(taken, kSlots - kMaxProducers);
  // The margin: every producer may take one ticket more after its look, and none of them overruns.
  for (std::uint64_t i = 0; i < kMaxProducers; ++i) {
    EXPECT_EQ(from.fill(from.take_ticket(), full_slot(1, 1, 0)), Fill::ok);
  }
  EXPECT_FALSE(from.has_room());
  for (std::uint64_t t = 0; t < kMaxProducers; ++t) to.release(t);
  to.publish_head(kMaxProducers);
  EXPECT_FALSE(from.has_room());
  to.release(kMaxProducers);
  to.publish_head(kMaxProducers + 1);
  EXPECT_TRUE(from.has_room());
}

TEST_F(InboundRing, TellsTakenTicketsFromThoseToCome) {
  InboundProducer from = producer();
  InboundConsumer to = consumer_at(0);
  EXPECT_FALSE(to.taken(0));
  (void)from.take_ticket();
  EXPECT_TRUE(to.taken(0));
  EXPECT_FALSE(to.taken(1));
  EXPECT_EQ(to.tail(), 1u);
}

TEST_F(InboundRing, SetsATailRightThatStandsBehindTheHead) {
  advance_to(1000);
  InboundConsumer to = consumer_at(1000);
  for (const std::uint64_t wrong : Numbers{0ULL, 1ULL, 999ULL}) {
    header().tail.store(wrong);
    EXPECT_FALSE(to.taken(1000));
    EXPECT_EQ(to.tail(), 1000u);
    EXPECT_TRUE(to.repair_tail());
    EXPECT_EQ(header().tail.load(), 1000u);
  }
}

TEST_F(InboundRing, SetsATailRightThatRunsFarAhead) {
  advance_to(1000);
  InboundConsumer to = consumer_at(1000);
  for (const std::uint64_t wrong : Numbers{1000 + kSlots + 1, 1ULL << 40, 1ULL << 63, ~0ULL}) {
    header().tail.store(wrong);
    EXPECT_FALSE(to.taken(1000)) << wrong;
    EXPECT_EQ(to.tail(), 1000u);
    EXPECT_TRUE(to.repair_tail()) << wrong;
    EXPECT_EQ(header().tail.load(), 1000u);
  }
  InboundProducer honest = producer();
  ASSERT_EQ(honest.fill(honest.take_ticket(), full_slot(1, 1, 0)), Fill::ok) << "the ring goes on after the repair";
}

// Else whoever waits for the head to pass a ticket that was taken once might wait for ever.
TEST_F(InboundRing, SetsATailRightThatGoesBack) {
  advance_to(1000);
  InboundConsumer to = consumer_at(1000);
  header().tail.store(1010);
  EXPECT_EQ(to.tail(), 1010u);
  for (const std::uint64_t wrong : Numbers{1009, 1000, 999, 0, 1000 + kSlots + 1, ~0ULL}) {
    header().tail.store(wrong);
    EXPECT_EQ(to.tail(), 1010u) << wrong;
    EXPECT_TRUE(to.taken(1009)) << wrong;
    EXPECT_FALSE(to.taken(1010)) << wrong;
    EXPECT_TRUE(to.repair_tail()) << wrong;
    EXPECT_EQ(header().tail.load(), 1010u) << wrong;
  }
  to.publish_head(1020);  // by slots that were filled without tickets
  EXPECT_EQ(to.tail(), 1020u);
  EXPECT_TRUE(to.repair_tail());
  EXPECT_EQ(header().tail.load(), 1020u);
}

TEST_F(InboundRing, LeavesAnHonestTailAlone) {
  advance_to(1000);
  InboundConsumer to = consumer_at(1000);
  for (const std::uint64_t ahead : Numbers{0, 1, kSlots}) {
    header().tail.store(1000 + ahead);
    EXPECT_FALSE(to.repair_tail());
    EXPECT_EQ(header().tail.load(), 1000 + ahead);
  }
}

TEST_F(InboundRing, NeverReadsItsHeadBackFromTheRing) {
  advance_to(10);
  InboundConsumer to = consumer_at(10);
  header().head.store(~0ULL);
  EXPECT_EQ(to.head(), 10u);
  EXPECT_TRUE(to.still_empty());
}

TEST_F(InboundRing, SkipsNothingThatAScribblerWrote) {
  InboundConsumer to = consumer_at(0);
  std::mt19937_64 random(test::test_seed());
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t scribble = random();
    if (scribble == empty_slot(0)) continue;
    slot(0).store(scribble);
    ASSERT_FALSE(to.skip(0));
    const Ticket ticket = parse_full_slot(scribble);
    ASSERT_LT(ticket.producer_slot, kMaxProducerSlots);
    ASSERT_LT(ticket.generation, 1U << kGenerationBits);
    ASSERT_LT(ticket.position_units, 1ULL << kPositionBits);
    to.release(0);
    ASSERT_EQ(slot(0).load(), empty_slot(1));
  }
}

TEST_F(InboundRing, SleepsOnlyUntilSomebodyClearsTheWord) {
  InboundProducer from = producer();
  InboundConsumer to = consumer_at(0);
  to.prepare_sleep();
  EXPECT_TRUE(to.still_empty());
  ASSERT_EQ(from.fill(from.take_ticket(), full_slot(1, 1, 0)), Fill::ok);
  EXPECT_FALSE(to.still_empty());
  from.wake_sequencer();
  EXPECT_EQ(header().sleeping.load(), 0u);
  to.sleep(1'000'000'000);  // returns at once: the word no longer reads 1
  to.prepare_sleep();
  to.wake();
  EXPECT_EQ(header().sleeping.load(), 0u);
}

TEST(TicketEncoding, CarriesEveryFieldAtItsBounds) {
  for (const std::uint32_t producer : {0U, 1U, kMaxProducerSlots - 1}) {
    for (const std::uint32_t generation : {0U, 1U, (1U << kGenerationBits) - 1}) {
      for (const std::uint64_t units : Numbers{0, 1, (1ULL << kPositionBits) - 1}) {
        const std::uint64_t slot = full_slot(producer, generation, units * kPositionUnit);
        ASSERT_TRUE(is_full(slot));
        ASSERT_EQ(parse_full_slot(slot), (Ticket{producer, generation, units}));
      }
    }
  }
}

TEST(TicketEncoding, ExpandsAPositionOverTheWrapOfItsBits) {
  constexpr std::uint64_t kWrap = (1ULL << kPositionBits) * kPositionUnit;  // 2^41
  for (const std::uint64_t near : Numbers{0, 64, kWrap - 64, kWrap, kWrap + 64, 5 * kWrap - 128, (1ULL << 63) - 64}) {
    for (const std::int64_t away : {0LL, 64LL, 4096LL, 1LL << 30, (1LL << 40) - 64, -64LL, -4096LL, -(1LL << 40)}) {
      if (away < 0 && near < static_cast<std::uint64_t>(-away)) continue;
      const std::uint64_t position = near + static_cast<std::uint64_t>(away);
      const std::uint64_t units = parse_full_slot(full_slot(1, 1, position)).position_units;
      ASSERT_EQ(expand_position(units, near), position) << "near " << near << " away " << away;
    }
  }
}

}  // namespace
}  // namespace leat::internal
