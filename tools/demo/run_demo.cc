#include "tools/demo/run_demo.h"

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <thread>
#include <utility>

#include <leat/consumer.h>
#include <leat/feed_status.h>

#include "tools/demo/input.h"
#include "tools/demo/ledger.h"
#include "tools/demo/producer_processes.h"

namespace leat::demo {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kConnectTimeout{10};
constexpr milliseconds kConnectPause{100};
constexpr milliseconds kReapInterval{20};
constexpr seconds kStallTimeout{60};  // neither an event nor a producer's end: something hangs

int complain(const Error& error) {
  std::fprintf(stderr, "leat-demo: %s\n", error.message.c_str());
  return 1;
}

// The broker may still be starting.
Result<Consumer> subscribe(const FeedAddress& address) {
  const Clock::time_point deadline = Clock::now() + kConnectTimeout;
  while (true) {
    auto consumer =
        Consumer::connect({.address = address, .name = "leat-demo", .start = Start::latest(), .allow_offline = false});
    if (consumer) return consumer;
    const ErrorCode code = consumer.error().code;
    const bool may_come = code == ErrorCode::no_broker || code == ErrorCode::unknown_feed;
    if (!may_come || Clock::now() >= deadline) return consumer;
    std::this_thread::sleep_for(kConnectPause);
  }
}

void print_event(const EventView& event, bool own) {
  std::printf("%10" PRIu64 "  %-28.*s  %.*s%s\n", event.sequence, static_cast<int>(event.topic.size()),
              event.topic.data(), static_cast<int>(event.key.size()), event.key.data(),
              own ? "" : "  (another producer's)");
}

// One poll's outcome into the books. False when the consumer cannot go on.
bool take(Consumer& consumer, Poll outcome, const EventView& event, Ledger& ledger, bool quiet) {
  switch (outcome) {
    case Poll::event: {
      const bool own = ledger.record(event);
      if (!quiet) print_event(event, own);
      return true;
    }
    case Poll::empty: return true;
    case Poll::reset: ledger.note_trouble("the consumer was reset: " + consumer.last_reset().to_string()); return true;
    case Poll::error: ledger.note_trouble("the consumer failed: " + consumer.last_error().message); return false;
  }
  return false;
}

// Receives until all producers have ended and all they published has come. Returns the time of this run's last event.
Clock::time_point receive(Consumer& consumer, ProducerProcesses& producers, Ledger& ledger, bool quiet) {
  Clock::time_point last_event = Clock::now();
  Clock::time_point next_reap = last_event;
  while (true) {
    EventView event;
    const std::uint64_t before = ledger.received();
    const Poll outcome = consumer.wait(event, kReapInterval);
    const Clock::time_point now = Clock::now();
    if (!take(consumer, outcome, event, ledger, quiet)) return last_event;
    if (ledger.received() != before) last_event = now;
    if (now >= last_event + kStallTimeout) {
      ledger.note_trouble("no event for " + std::to_string(kStallTimeout.count()) + " s while producers still run");
      return last_event;
    }
    if (outcome != Poll::empty && now < next_reap) continue;
    if (producers.reap()) break;
    next_reap = now + kReapInterval;
  }
  // Each producer ended after the commit of its last event, so all of them lie at or before what is newest now.
  const std::uint64_t newest = consumer.latest_sequence();
  while (consumer.cursor().sequence < newest) {
    EventView event;
    const std::uint64_t before = ledger.received();
    const Poll outcome = consumer.poll(event);
    if (!take(consumer, outcome, event, ledger, quiet) || outcome == Poll::empty) break;
    if (ledger.received() != before) last_event = Clock::now();
  }
  return last_event;
}

void print_topics(const Ledger& ledger) {
  std::vector<std::pair<std::string_view, std::uint64_t>> rows(ledger.topics().begin(), ledger.topics().end());
  std::ranges::stable_sort(rows, std::greater<>(), [](const auto& row) { return row.second; });
  std::printf("\n  %-36s %10s\n", "topic", "events");
  for (const auto& [topic, count] : rows) {
    std::printf("  %-36.*s %10" PRIu64 "\n", static_cast<int>(topic.size()), topic.data(), count);
  }
  std::printf("  %-36s %10" PRIu64 "\n", "total", ledger.received());
}

void print_producers(const ProducerProcesses& producers) {
  std::printf("\n  %8s %12s %10s %14s\n", "pid", "producer_id", "events", "last sequence");
  for (const ProducerProcess& process : producers.all()) {
    std::printf("  %8d %12" PRIu32 " %10" PRIu64 " %14" PRIu64 "\n", static_cast<int>(process.pid), process.producer_id,
                process.events, process.last_sequence);
  }
}

// Returns whether all checks passed.
bool print_checks(const Ledger& ledger) {
  std::printf("\n");
  bool all_passed = true;
  for (const Check& check : ledger.checks()) {
    all_passed = all_passed && check.passed;
    std::printf("  %s  %-32s  %s\n", check.passed ? "PASS" : "FAIL", check.name.c_str(), check.detail.c_str());
  }
  if (ledger.foreign() > 0) {
    std::printf("  note  %" PRIu64 " events of other producers came in between; they count for the sequences only\n",
                ledger.foreign());
  }
  return all_passed;
}

void print_throughput(const Ledger& ledger, Clock::duration elapsed, bool quiet) {
  const double elapsed_s = std::max(std::chrono::duration<double>(elapsed).count(), 1e-9);
  std::printf("\n  %.0f events/s, %.1f MB/s of payload, from the start signal to the last event received (%.1f ms%s)\n",
              static_cast<double>(ledger.received()) / elapsed_s,
              static_cast<double>(ledger.payload_bytes()) / elapsed_s / 1e6, elapsed_s * 1e3,
              quiet ? "" : ", printing included");
}

}  // namespace

int run_demo(const DemoOptions& options) {
  auto input = Input::snapshot(options.input);
  if (!input) return complain(input.error());
  const std::size_t line_count = input->lines().size();
  const std::size_t count = std::min(options.producers, line_count);

  auto consumer = subscribe(options.address);
  if (!consumer) return complain(consumer.error());
  auto producers = ProducerProcesses::start(options.address, count, input->fd());
  if (!producers) return complain(producers.error());
  std::printf("feed %s: %zu lines of %s, published by %zu processes\n", options.address.feed.c_str(), line_count,
              options.input.c_str(), count);

  Ledger ledger(input->lines(), producers->all());
  const Clock::time_point started = Clock::now();
  if (auto released = producers->release(); !released) return complain(released.error());
  const Clock::time_point last_event = receive(*consumer, *producers, ledger, options.quiet);

  print_topics(ledger);
  print_producers(*producers);
  const bool passed = print_checks(ledger);
  print_throughput(ledger, last_event - started, options.quiet);
  std::printf("\n%s\n", passed ? "PASS: what went in came out, once, in order." : "FAIL: see the checks above.");
  std::fflush(stdout);
  return passed ? 0 : 1;
}

int probe(const FeedAddress& address, pid_t pid) {
  auto observer = FeedObserver::connect(address);
  if (!observer) return complain(observer.error());
  auto status = observer->read();
  if (!status) return complain(status.error());
  if (status->broker_pid == pid) return 0;
  std::fprintf(stderr, "leat-demo: feed '%s' is served by process %d, not by %d\n", address.feed.c_str(),
               static_cast<int>(status->broker_pid), static_cast<int>(pid));
  return 1;
}

}  // namespace leat::demo
