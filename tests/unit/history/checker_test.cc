// Hand-made histories: each fault that the checker must catch, and good ones that it must accept.
#include "history/checker.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace leat::history {
namespace {

constexpr std::uint64_t kEpoch = 0xe0;

/// A history with a clock that goes on by 10 with each fact. One producer "p" and a consumer "c" unless told otherwise.
class History {
 public:
  explicit History(CheckerOptions options = {}) : checker_(options) {}

  History& take(Fact fact) {
    fact.at_ns = now_ += 10;
    checker_.take(fact);
    return *this;
  }
  History& invoke(std::uint64_t number, std::string_view who = "p", std::uint32_t place = 0, std::uint32_t batch = 1) {
    return take({.kind = FactKind::invoke,
                 .who = who,
                 .number = number,
                 .hash = hash_of(who, number),
                 .place = place,
                 .batch = batch});
  }
  History& told(FactKind kind, std::uint64_t number, std::uint64_t sequence = 0, std::string_view who = "p") {
    return take({.kind = kind, .who = who, .number = number, .sequence = sequence});
  }
  History& accepted(std::uint64_t number, std::string_view who = "p") {
    return told(FactKind::accepted, number, 0, who);
  }
  History& publish(std::uint64_t number, std::string_view who = "p") {
    return invoke(number, who).accepted(number, who);
  }
  History& start(std::string_view who = "c", bool durable = false) {
    return take({.kind = FactKind::start, .who = who, .durable_level = durable, .has_after = true});
  }
  History& receive(std::uint64_t sequence, std::uint64_t number, std::string_view from = "p",
                   std::string_view who = "c") {
    return receive_bytes(sequence, number, hash_of(from, number), from, who);
  }
  History& receive_bytes(std::uint64_t sequence, std::uint64_t number, std::uint64_t hash, std::string_view from = "p",
                         std::string_view who = "c", std::uint64_t epoch = kEpoch) {
    return take({.kind = FactKind::received,
                 .who = who,
                 .number = number,
                 .hash = hash,
                 .sequence = sequence,
                 .epoch = epoch,
                 .from = from});
  }
  History& reset(std::string_view why, std::uint64_t wanted, std::uint64_t earliest, std::uint64_t latest,
                 std::string_view who = "c") {
    return take(
        {.kind = FactKind::reset, .who = who, .what = why, .wanted = wanted, .earliest = earliest, .latest = latest});
  }
  History& saving(std::uint64_t sequence, std::string_view who = "c") {
    return take({.kind = FactKind::saving, .who = who, .sequence = sequence});
  }
  History& broker(std::string_view what) { return take({.kind = FactKind::broker, .what = what}); }
  History& end(std::uint64_t latest, std::string_view who = "c") {
    return take({.kind = FactKind::end, .who = who, .latest = latest});
  }

  const Report& judge() { return checker_.finish(); }
  [[nodiscard]] const Report& report() const { return checker_.report(); }
  /// Expects these findings, each once, and nothing else.
  void expect(std::initializer_list<Fault> faults) {
    const Report& report = judge();
    std::array<std::uint64_t, kFaults> wanted{};
    for (const Fault fault : faults) ++wanted[static_cast<std::size_t>(fault)];
    EXPECT_EQ(report.faults, wanted) << report.to_text();
  }
  static std::uint64_t hash_of(std::string_view who, std::uint64_t number) { return 1000 * who.back() + number; }

 private:
  std::int64_t now_ = 1000;
  Checker checker_;
};

TEST(Checker, AcceptsWhatIsDeliveredOnceInOrder) {
  History history;
  history.start().start("d", true);
  history.publish(0).publish(0, "q").publish(1);
  history.receive(1, 0).receive(2, 0, "q").receive(3, 1);
  history.told(FactKind::committed, 0, 1).told(FactKind::durable, 1, 3);
  for (const char* who : {"d"}) history.receive(1, 0, "p", who).receive(2, 0, "q", who).receive(3, 1, "p", who);
  history.end(3).end(3, "d");
  const Report& report = history.judge();
  EXPECT_TRUE(report.good()) << report.to_text();
  EXPECT_EQ(report.events, 3U);
  EXPECT_EQ(report.accepted, 3U);
  EXPECT_EQ(report.received, 6U);
  EXPECT_EQ(report.without_outcome, 0U);
  EXPECT_EQ(report.undecided, 0U);
}

TEST(Checker, AnUnknownOutcomeMayGoEitherWay) {
  History there;
  there.start().invoke(0).publish(0, "q").receive(1, 0).receive(2, 0, "q").end(2);
  EXPECT_EQ(there.judge().without_outcome, 1U);
  EXPECT_TRUE(there.report().good());
  History absent;
  absent.start().invoke(0).publish(0, "q").receive(1, 0, "q").end(1);
  EXPECT_EQ(absent.judge().without_outcome, 1U);
  EXPECT_TRUE(absent.report().good());
}

TEST(Checker, ConcurrentPublishesMayStandInAnyOrder) {
  History()
      .start()
      .invoke(0)
      .invoke(0, "q")
      .accepted(0)
      .accepted(0, "q")
      .receive(1, 0, "q")
      .receive(2, 0)
      .end(2)
      .expect({});
}

TEST(Checker, ARefusedEventMayBeTriedAgain) {
  History().start().invoke(0).told(FactKind::refused, 0).publish(0).receive(1, 0).end(1).expect({});
}

TEST(Checker, FindsALostEventAtEachLevel) {
  History().start().publish(0).publish(1).receive(1, 0).end(1).expect({Fault::lost_accepted});
  History()
      .start()
      .publish(0)
      .publish(1)
      .told(FactKind::committed, 1, 2)
      .receive(1, 0)
      .end(1)
      .expect({Fault::lost_committed});
  History()
      .start()
      .publish(0)
      .publish(1)
      .told(FactKind::durable, 1, 2)
      .receive(1, 0)
      .end(1)
      .expect({Fault::lost_durable});
}

TEST(Checker, ALossInTheMiddleOfAProducersEventsIsFound) {
  History().start().publish(0).publish(1).publish(2).receive(1, 0).receive(2, 2).end(2).expect({Fault::lost_accepted});
}

TEST(Checker, WithoutAnEndNothingIsCalledLost) {
  History history;
  history.start().publish(0).publish(1).receive(1, 0);
  EXPECT_TRUE(history.judge().good());
  EXPECT_EQ(history.report().undecided, 1U);
}

TEST(Checker, FindsAnEventWithTwoSequences) {
  History().start().publish(0).receive(1, 0).receive(2, 0).end(2).expect({Fault::repeated});
  // By two consumers, too.
  History both;
  both.start().start("d").publish(0).publish(1).receive(1, 0).receive(2, 1).receive(3, 0);
  both.expect({Fault::repeated});
}

TEST(Checker, FindsAnEventHandedTwiceToOneConsumer) {
  History().start().publish(0).publish(1).receive(1, 0).receive(2, 1).receive(1, 0).end(2).expect({Fault::repeated});
}

TEST(Checker, FindsASequenceThatComesLate) {
  History history;
  history.start().publish(0).publish(1).publish(2).receive(1, 0).receive(3, 2).receive(2, 1).end(3);
  history.expect({Fault::gap, Fault::reordered});
}

TEST(Checker, FindsAProducersEventsOutOfItsOrder) {
  // Begun in this order, without outcome so that real time says nothing.
  History().start().invoke(0).invoke(1).receive(1, 1).receive(2, 0).end(2).expect({Fault::reordered_by_producer});
}

TEST(Checker, FindsTwoProducersOutOfRealTime) {
  History().start().publish(0).publish(0, "q").receive(1, 0, "q").receive(2, 0).end(2).expect(
      {Fault::reordered_in_time});
}

TEST(Checker, RealTimeIsJudgedInTheOrderOfSequencesNotOfReception) {
  History history;
  history.start().start("d").publish(0).publish(1).publish(0, "q");
  history.receive(1, 0).receive(2, 0, "q").receive(1, 0, "p", "d");
  history.receive(2, 0, "q", "d").receive(3, 1, "p", "d").expect({Fault::reordered_in_time});
}

TEST(Checker, FindsOtherBytesThanWerePublished) {
  History().start().publish(0).receive_bytes(1, 0, 77).end(1).expect({Fault::wrong_content});
  History second;  // the second of two consumers
  second.start()
      .start("d")
      .publish(0)
      .receive(1, 0)
      .receive_bytes(1, 0, 77, "p", "d")
      .end(1)
      .expect({Fault::wrong_content});
}

TEST(Checker, FindsAnEventThatNobodyPublished) {
  History().start().publish(0).receive(1, 0).receive(2, 1).end(2).expect({Fault::never_published});
  History().start().receive(1, 0, "ghost").expect({Fault::never_published});
  History().start().invoke(0).told(FactKind::refused, 0).receive(1, 0).end(1).expect({Fault::never_published});
  History().start().invoke(0).receive(1, 0).told(FactKind::refused, 0).end(1).expect({Fault::never_published});
}

TEST(Checker, FindsOneSequenceWithTwoEvents) {
  History seen;  // by two consumers
  seen.start().start("d").publish(0).publish(0, "q").receive(1, 0).receive(1, 0, "q", "d");
  seen.expect({Fault::two_contents});
  History told;  // by two producers
  told.start().publish(0).publish(0, "q").told(FactKind::committed, 0, 1).told(FactKind::committed, 0, 1, "q");
  told.expect({Fault::two_contents});
  History mixed;  // by a producer and a consumer
  mixed.start().publish(0).publish(1).told(FactKind::committed, 1, 1).receive(1, 0);
  mixed.expect({Fault::two_contents});
}

TEST(Checker, FindsWhatWasSeenAndVanished) {
  History history;
  history.start().start("d").publish(0).publish(1).receive(1, 0).receive(2, 1).receive(1, 0, "p", "d").end(1, "d");
  history.expect({Fault::vanished});
}

TEST(Checker, FindsALossThatAResetAdmits) {
  History history;
  history.start().publish(0).receive(1, 0).reset("lost_tail", 2, 1, 0).end(0);
  EXPECT_EQ(history.judge().count(Fault::vanished), 2U) << "by the reset, and by the end";
}

TEST(Checker, FindsAGapWithoutAReset) {
  History().start().publish(0).publish(1).publish(2).receive(1, 0).receive(3, 2).expect({Fault::gap});
  History().start().publish(0).publish(1).told(FactKind::committed, 1, 2).receive(1, 0).end(2).expect({Fault::gap});
  History first;
  first.start().publish(0).publish(1).receive(2, 1).expect({Fault::gap});
}

TEST(Checker, AResetExplainsAGap) {
  History history;
  history.start().publish(0).publish(1).publish(2).receive(1, 0).reset("expired", 2, 3, 3).receive(3, 2).end(3);
  EXPECT_TRUE(history.judge().good());
  EXPECT_EQ(history.report().undecided, 1U) << "nobody read sequence 2";
}

TEST(Checker, FindsAResetThatDoesNotHold) {
  History().start().publish(0).receive(1, 0).reset("expired", 2, 1, 1).expect({Fault::unjustified_reset});
  History().start().publish(0).receive(1, 0).reset("future", 2, 1, 1).expect({Fault::unjustified_reset});
  History().start().publish(0).receive(1, 0).reset("nonsense", 2, 1, 1).expect({Fault::unjustified_reset});
  History none({.resets_allowed = false});
  none.start().reset("expired", 1, 3, 3).expect({Fault::unjustified_reset});
}

TEST(Checker, AfterAResetTheConsumerGoesOnWhereItSays) {
  History().start().publish(0).publish(1).publish(2).reset("expired", 1, 2, 3).receive(3, 2).expect({Fault::gap});
}

TEST(Checker, FindsABatchThatIsTorn) {
  const auto batch = [](History& history) -> History& {
    history.start();
    for (std::uint32_t i = 0; i < 3; ++i) history.invoke(i, "p", i, 3);
    for (std::uint32_t i = 0; i < 3; ++i) history.accepted(i);
    return history.invoke(0, "q");
  };
  History whole;
  batch(whole).receive(1, 0).receive(2, 1).receive(3, 2).receive(4, 0, "q").end(4).expect({});
  History mixed;
  batch(mixed).receive(1, 0).receive(2, 0, "q").receive(3, 1).receive(4, 2).end(4);
  EXPECT_GE(mixed.judge().count(Fault::torn_batch), 1U);
  History half;
  half.start();
  for (std::uint32_t i = 0; i < 3; ++i) half.invoke(i, "p", i, 3);  // killed: no outcome, but never a part of it
  half.receive(1, 0).receive(2, 1).end(2).expect({Fault::torn_batch});
  History tail;
  tail.start();
  for (std::uint32_t i = 0; i < 3; ++i) tail.invoke(i, "p", i, 3);
  tail.receive(1, 1).receive(2, 2).end(2).expect({Fault::torn_batch});
}

TEST(Checker, FindsAnEpochThatChangesForNoReason) {
  History history;
  history.start().publish(0).publish(1).receive(1, 0).broker("killed");
  history.receive_bytes(2, 1, History::hash_of("p", 1), "p", "c", 0xe1).end(2).expect({Fault::new_epoch});
}

TEST(Checker, AfterALossOfPowerOnlyTheDurableMustBeThere) {
  History history;
  history.start().start("d", true).publish(0).publish(1).publish(2).receive(1, 0).receive(2, 1).receive(3, 2);
  history.receive(1, 0, "p", "d").broker("power_lost").publish(0, "q").reset("lost_tail", 4, 1, 2);
  history.receive(1, 0).receive_bytes(2, 0, History::hash_of("q", 0), "q", "c", 0xe1).end(2).expect({});
}

TEST(Checker, AfterALossOfPowerTheDurableMustBeThere) {
  History told;
  told.start().publish(0).told(FactKind::durable, 0, 1).broker("power_lost").publish(0, "q").receive(1, 0, "q").end(1);
  told.expect({Fault::two_contents, Fault::lost_accepted});  // q's event has no place then
  History gone;
  gone.start().publish(0).told(FactKind::durable, 0, 1).broker("power_lost").end(0).expect({Fault::lost_durable});
}

TEST(Checker, ANamedCursorMayGoBackButNeverForth) {
  const auto life = [](History& history, std::uint64_t second) -> History& {
    for (std::uint64_t i = 0; i < 5; ++i) history.publish(i);
    history.take({.kind = FactKind::start, .who = "c1", .cursor = "name"});
    history.receive(1, 0, "p", "c1").receive(2, 1, "p", "c1").receive(3, 2, "p", "c1").saving(2, "c1");
    history.take({.kind = FactKind::start, .who = "c2", .cursor = "name"});
    return history.receive(second, second - 1, "p", "c2");
  };
  for (const std::uint64_t second : {1, 2, 3}) {
    History good;
    life(good, second).expect({});
  }
  History skipped;
  life(skipped, 4).expect({Fault::cursor_skipped});
}

TEST(Checker, FindsAHistoryThatContradictsItself) {
  History().publish(1).invoke(0).expect({Fault::contradiction});
  History().start().start().expect({Fault::contradiction});
  History().publish(0).receive(1, 0).expect({Fault::contradiction});
  History().accepted(3).expect({Fault::contradiction});
}

TEST(Checker, AWindowForgetsOldEventsAndCountsThem) {
  History history({.window_events = 2 * EventTable::kPageSlots});
  history.start().start("late");
  constexpr std::uint64_t kEvents = 20 * EventTable::kPageSlots;
  for (std::uint64_t i = 0; i < kEvents; ++i) history.publish(i).receive(i + 1, i);
  history.receive(1, 0, "p", "late").end(kEvents);
  const Report& report = history.judge();
  EXPECT_TRUE(report.good()) << report.to_text();
  EXPECT_EQ(report.events, kEvents);
  EXPECT_EQ(report.unchecked, 1U);
  EXPECT_EQ(report.undecided, 0U);
}

TEST(Checker, SequencesThatBeginAnywhereTakeNoMoreMemory) {
  History history;
  history.take({.kind = FactKind::start, .who = "c"});
  history.publish(0).publish(1).receive(UINT64_MAX - 1, 0).receive(UINT64_MAX, 1).expect({});
}

TEST(Checker, CountsAllButKeepsTheFirstFindings) {
  History history({.max_findings = 3});
  history.start();
  for (std::uint64_t i = 0; i < 10; ++i) history.receive(i + 1, i, "ghost");
  EXPECT_EQ(history.judge().count(Fault::never_published), 10U);
  EXPECT_EQ(history.report().findings.size(), 3U);
}

}  // namespace
}  // namespace leat::history
