// How long a live consumer waits when the broker is killed and its standby takes over.
#include <algorithm>
#include <cstdio>
#include <thread>

#include "campaigns/campaign.h"
#include "base/clock.h"

namespace leat::test {
namespace {

constexpr std::uint64_t kMostTakeovers = 1'000'000;

class TakeOver : public Campaign {
 protected:
  [[nodiscard]] seconds time_limit() const override { return seconds(900); }

  void SetUp() override {
    Campaign::SetUp();
    // What leatd has by itself: the gap depends on rings and segments.
    for (const char* option : {"--ring-bytes", "--inbound-slots", "--arena-bytes", "--max-producers", "--max-consumers",
                               "--max-event-bytes", "--segment-bytes", "--sync-interval-ms"}) {
      broker_->set(option, "");
    }
  }

  void take(const EventView& event, HistoryWriter& history) {
    history.tell(received(event));
    last_ = event.sequence;
  }

  // Takes all that the dead broker has left; then the next event is its successor's.
  void take_what_is_left(Consumer& consumer, HistoryWriter& history) {
    EventView event;
    Poll found{};
    while ((found = consumer.poll(event)) == Poll::event) take(event, history);
    ASSERT_EQ(found, Poll::empty);
  }

  void take_until(Consumer& consumer, HistoryWriter& history, std::uint64_t sequence) {
    while (last_ < sequence) take(take_event(consumer), history);
  }

  std::uint64_t last_ = 0;
  std::size_t log_read_ = 0;
};

double milliseconds_at(const std::vector<std::int64_t>& sorted, std::size_t percent) {
  const std::size_t index = std::min(sorted.size() - 1, sorted.size() * percent / 100);
  return static_cast<double>(sorted[index]) / static_cast<double>(internal::kNanosPerMilli);
}

TEST_F(TakeOver, ALiveConsumerSeesAPauseAndNothingElse) {
  const std::uint64_t count = scaled(number_from_environment("LEAT_TAKEOVERS", 20, 1, kMostTakeovers));
  start();
  const std::uint64_t epoch = status().epoch;
  add("publisher", "p0", {"pause_us=100", "max=512"});
  add("publisher", "p1", {"pause_us=100", "max=512"});
  auto consumer = Consumer::connect({.address = broker_->address(), .start = Start::earliest()});
  ASSERT_TRUE(consumer.ok()) << consumer.error().message;
  history_files_.push_back((histories() / "live").string());
  HistoryWriter history(history_files_.back(), "live");
  history.tell({.kind = history::FactKind::start, .has_after = true});
  for (std::size_t i = 0; i < clients_.size(); ++i) start_client(i);
  Prng prng(test_seed());
  std::vector<std::int64_t> gaps_ns;
  while (gaps_ns.size() < count) {
    auto standby = broker_->start_standby();
    // Until it waits: its own start is not part of the gap.
    const std::string waits = "standby: another broker serves";
    while (broker_->log().find(waits, log_read_) == std::string::npos) take_until(*consumer, history, last_ + 20);
    take_until(*consumer, history, last_ + 1 + prng.below(400));
    const std::int64_t killed_ns = internal::monotonic_ns();
    broker_->kill9();
    tell_broker("killed");
    take_what_is_left(*consumer, history);
    if (HasFatalFailure()) return;
    const EventView next = take_event(*consumer);
    gaps_ns.push_back(internal::monotonic_ns() - killed_ns);
    take(next, history);
    broker_->replace_by(std::move(standby));
    log_read_ = broker_->log().size();
  }
  finish_clients();
  const std::uint64_t total = (*page_)[kTotalWord].load();
  take_until(*consumer, history, total);
  history.tell({.kind = history::FactKind::end, .latest = total});
  EXPECT_EQ(status().epoch, epoch);
  std::ranges::sort(gaps_ns);
  std::printf(
      "takeover: seed %llu, %zu take-overs, %llu events; kill -9 to the next event: p50 %.1f ms, p90 %.1f, p99 %.1f, "
      "max %.1f\n",
      static_cast<unsigned long long>(test_seed()), gaps_ns.size(), static_cast<unsigned long long>(total),
      milliseconds_at(gaps_ns, 50), milliseconds_at(gaps_ns, 90), milliseconds_at(gaps_ns, 99),
      milliseconds_at(gaps_ns, 100));
  judge({.resets_allowed = false});
}

}  // namespace
}  // namespace leat::test
