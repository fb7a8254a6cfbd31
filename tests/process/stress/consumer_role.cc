#include <chrono>
#include <cstdio>
#include <thread>

#include <leat/consumer.h>

#include "process/stress/roles.h"
#include "support/event_checker.h"
#include "support/shared_page.h"

namespace leat::stress {
namespace {

constexpr std::uint64_t kEventsBetweenPauses = 20'000;
constexpr std::uint64_t kNearlyThere = 256;

class StressConsumer {
 public:
  StressConsumer(const Plan& plan, std::uint32_t index, const test::SharedPage& page, Consumer consumer)
      : plan_(plan),
        index_(index),
        slow_(index < plan.slow_consumers),
        total_(plan.events * plan.producers),
        // A thousand bytes an event are more than there are on average: this far behind, the ring has gone round.
        lap_events_(2 * plan.ring_bytes / 512),
        page_(page),
        consumer_(std::move(consumer)),
        checker_(plan.seed, {.max_bytes = plan.max_payload_bytes}) {
    checker_.expect_sequence(1);
  }

  int run() {
    while (checker_.count() < total_) {
      if (!take(std::chrono::seconds(120))) return 1;
      if (slow_) pause_if_due();
    }
    // One too many would be as wrong as one too few.
    EventView extra;
    if (consumer_.wait(extra, std::chrono::milliseconds(300)) != Poll::empty)
      return fail("something came after the last");
    for (std::uint32_t producer = 0; producer < plan_.producers; ++producer) {
      if (checker_.count_of(producer) != plan_.events)
        return fail("wrong number of producer " + std::to_string(producer));
    }
    report();
    return 0;
  }

 private:
  int fail(const std::string& what) const {
    std::fprintf(stderr, "consumer %u: %s\n", index_, what.c_str());
    return 1;
  }

  bool take(std::chrono::seconds patience) {
    EventView event;
    switch (consumer_.wait(event, patience)) {
      case Poll::event: break;
      case Poll::empty:
        fail("nothing came for two minutes; stands at " + std::to_string(checker_.count()));
        return false;
      case Poll::reset: fail(consumer_.last_reset().to_string()); return false;
      case Poll::error: fail(consumer_.last_error().message); return false;
    }
    if (!checker_.take(event)) {
      fail(checker_.error());
      return false;
    }
    constexpr std::uint64_t kReportEvery = 1024;
    if (checker_.count() % kReportEvery == 0) report();
    return true;
  }

  // Sleeps until the ring has gone round, then hurries after; again and again.
  void pause_if_due() {
    const std::uint64_t behind = consumer_.latest_sequence() - checker_.count();
    if (behind > kNearlyThere && checker_.count() - paused_at_ < kEventsBetweenPauses) return;
    if (checker_.count() == paused_at_ || total_ - checker_.count() < lap_events_) return;
    paused_at_ = checker_.count();
    while (consumer_.latest_sequence() - checker_.count() < lap_events_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ++fell_behind_;
  }

  void report() {
    const ConsumerStats stats = consumer_.stats();
    page_[consumer_word(index_, kDelivered)].store(checker_.count());
    page_[consumer_word(index_, kLapped)].store(stats.lapped);
    page_[consumer_word(index_, kFellBehind)].store(fell_behind_);
    page_[consumer_word(index_, kRingBytes)].store(stats.ring_bytes);
    page_[consumer_word(index_, kJournalBytes)].store(stats.journal_bytes);
  }

  const Plan& plan_;
  std::uint32_t index_;
  bool slow_;
  std::uint64_t total_;
  std::uint64_t lap_events_;
  const test::SharedPage& page_;
  Consumer consumer_;
  test::EventChecker checker_;
  std::uint64_t paused_at_ = 0;
  std::uint64_t fell_behind_ = 0;
};

}  // namespace

int run_consumer(const Plan& plan, std::uint32_t index) {
  const test::SharedPage page(plan.page);
  auto connected = Consumer::connect(
      {.address = plan.address, .name = "stress-consumer-" + std::to_string(index), .start = Start::earliest()});
  if (!connected) {
    std::fprintf(stderr, "consumer %u: %s\n", index, connected.error().message.c_str());
    return 1;
  }
  page[kReadyWord].fetch_add(1);
  return StressConsumer(plan, index, page, std::move(*connected)).run();
}

}  // namespace leat::stress
