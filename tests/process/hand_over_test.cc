// Each state of a consumer's switch between ring and journal, times each fault that can come upon it there: no gap, no
// repetition, no wrong byte; what has left the journal is a Reset that says so.
#include "process/hand_over.h"

#include <ostream>

namespace leat::test {
namespace {

#define LEAT_NAMED(type, name) \
  { type::name, #name }

template <typename T>
struct Named {
  T value;
  const char* name;
  friend std::ostream& operator<<(std::ostream& out, const Named& named) { return out << named.name; }
};

constexpr Named<State> kStates[] = {
    LEAT_NAMED(State, InTheWindow),
    LEAT_NAMED(State, HoldingRecordsOfTheRing),
    LEAT_NAMED(State, CopyingFromTheRing),
    LEAT_NAMED(State, LappedBeforeTheCopy),
    LEAT_NAMED(State, LappedDuringTheCopy),
    LEAT_NAMED(State, RefreshingTheSegments),
    LEAT_NAMED(State, OpeningAnOldSegment),
    LEAT_NAMED(State, ReadingAnOldSegment),
    LEAT_NAMED(State, HavingReadAnOldSegment),
    LEAT_NAMED(State, AtASegmentEnd),
    LEAT_NAMED(State, AtTheMarginOfTheWindow),
    LEAT_NAMED(State, BackInTheRing),
    LEAT_NAMED(State, FallingAsleep),
    LEAT_NAMED(State, AsleepOnTheFutex),
    LEAT_NAMED(State, AsleepOnTheEventDescriptor),
    LEAT_NAMED(State, OfflineInTheJournal),
    LEAT_NAMED(State, Joining),
    LEAT_NAMED(State, MappingTheRingItJoins),
    LEAT_NAMED(State, FindingItsPlaceInTheRing),
    LEAT_NAMED(State, RejoiningASuccessor),
    LEAT_NAMED(State, DurableBehindCommitted),
};

constexpr Named<Fault> kFaults[] = {
    LEAT_NAMED(Fault, BrokerKilled),
    LEAT_NAMED(Fault, BrokerKilledAndStartedAgain),
    LEAT_NAMED(Fault, SegmentRecycled),
    LEAT_NAMED(Fault, LappedAgain),
    LEAT_NAMED(Fault, StoppedWhileLappedAndContinued),
};

#undef LEAT_NAMED

class HandOver : public HandOverTest, public testing::WithParamInterface<std::tuple<Named<State>, Named<Fault>>> {};

TEST_P(HandOver, SurvivesTheFault) {
  const auto& [state, fault] = GetParam();
  reach(state.value);
  ASSERT_FALSE(HasFatalFailure()) << "the state was not reached";
  apply(fault.value);
  ASSERT_FALSE(HasFatalFailure()) << "the fault could not be made";
  finish(state.value, fault.value);
}

INSTANTIATE_TEST_SUITE_P(States, HandOver, testing::Combine(testing::ValuesIn(kStates), testing::ValuesIn(kFaults)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) + "_" + std::get<1>(test.param).name;
                         });

// Nothing of it was missed: a Reset would make its caller throw away all that it has.
TEST_F(HandOverTest, APlaceBehindTheLastEventOfAPrunedSegmentIsNoReset) {
  reach_last_event_of_a_segment();
  ASSERT_FALSE(HasFatalFailure()) << "the state was not reached";
  prune_first_segment();
  ASSERT_FALSE(HasFatalFailure()) << "the fault could not be made";
  finish();
  EXPECT_EQ(word(kReaderResets), 0U);
}

// The ring that the reader still has says what was retained when its broker died. The files say what is.
TEST_F(HandOverTest, APlacePrunedByASuccessorWithAnotherRingIsResetToWhatTheFilesHold) {
  reach(State::OpeningAnOldSegment);
  ASSERT_FALSE(HasFatalFailure()) << "the state was not reached";
  replace_ring();
  apply(Fault::SegmentRecycled);
  ASSERT_FALSE(HasFatalFailure()) << "the fault could not be made";
  finish();
  EXPECT_GE(word(kReaderResets), 1U);
}

}  // namespace
}  // namespace leat::test
