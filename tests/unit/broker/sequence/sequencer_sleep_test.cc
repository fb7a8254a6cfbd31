// A feed that cannot take what waits for it sleeps: in every state, with every idle strategy. Counted in sleeps, not in
// time.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "broker/sequence/sequencer.h"
#include "tests/unit/fixtures/one_feed.h"

namespace leat::broker {
namespace {

using namespace internal;
using test::FeedProducer;
using test::OneFeed;

enum class Held { nothing, failed, stalled, failed_while_stalled };

struct Case {
  const char* name;
  Held held;
  IdleStrategy idle;
  bool ticket_waits;
};

void PrintTo(const Case& which, std::ostream* out) { *out << which.name; }

class SequencerSleep : public ::testing::TestWithParam<Case> {};

TEST_P(SequencerSleep, WhileThereIsNothingThatItCouldDo) {
  broker::Options options = OneFeed::small_options();
  options.idle = GetParam().idle;
  options.skip_wait_us = 20;
  OneFeed feed(options);
  FeedProducer producer = feed.add_producer();
  const Event event{.topic = "t", .payload = std::string_view("some bytes")};
  const std::string large(700, 'p');
  const bool stalls = GetParam().held == Held::stalled || GetParam().held == Held::failed_while_stalled;
  if (stalls) {
    while (producer.publish(Event{.topic = "t", .payload = large})) feed.drain();
    ASSERT_EQ(feed.handover->state.load(), FeedState::stalled);
  }
  if (GetParam().held == Held::failed_while_stalled) feed.prepare_segments(1);
  if (GetParam().held == Held::failed || GetParam().held == Held::failed_while_stalled) {
    feed.handover->state.store(FeedState::failed);
  }
  if (GetParam().ticket_waits && !stalls) {
    ASSERT_TRUE(producer.publish(event));
  }
  feed.sequencer->start();
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (feed.counters().sleeps.load() < 3 && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_GE(feed.counters().sleeps.load(), 3U) << "it looks again and again, and burns a core";
  feed.sequencer->stop();
}

INSTANTIATE_TEST_SUITE_P(
    EveryStateAndStrategy, SequencerSleep,
    ::testing::Values(Case{"IdleBlock", Held::nothing, IdleStrategy::block, false},
                      Case{"IdleAdaptive", Held::nothing, IdleStrategy::adaptive, false},
                      Case{"FailedBlock", Held::failed, IdleStrategy::block, true},
                      Case{"FailedAdaptive", Held::failed, IdleStrategy::adaptive, true},
                      Case{"FailedSpin", Held::failed, IdleStrategy::spin, true},
                      Case{"FailedEmptySpin", Held::failed, IdleStrategy::spin, false},
                      Case{"StalledBlock", Held::stalled, IdleStrategy::block, true},
                      Case{"StalledAdaptive", Held::stalled, IdleStrategy::adaptive, true},
                      Case{"StalledSpin", Held::stalled, IdleStrategy::spin, true},
                      Case{"FailedWhileStalledBlock", Held::failed_while_stalled, IdleStrategy::block, true},
                      Case{"FailedWhileStalledAdaptive", Held::failed_while_stalled, IdleStrategy::adaptive, true},
                      Case{"FailedWhileStalledSpin", Held::failed_while_stalled, IdleStrategy::spin, true}),
    [](const auto& which) { return std::string(which.param.name); });

}  // namespace
}  // namespace leat::broker
