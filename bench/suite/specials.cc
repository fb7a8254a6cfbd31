#include "specials.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include <leat/consumer.h>
#include <leat/producer.h>

#include "clock.h"
#include "floors.h"
#include "measure.h"
#include "tools/leat/bench_broker.h"

namespace leat::bench {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr int kRepeats = 7;

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}
void must(Result<void> result) {
  if (!result) throw std::runtime_error(result.error().message);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

// User and system time of all threads, in clock ticks.
std::uint64_t cpu_ticks(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  text.erase(0, text.rfind(')') + 2);  // the name may hold anything
  std::istringstream fields(text);
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  fields >> user >> system;
  return user + system;
}

std::uint64_t anonymous_bytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) * 1024;
  }
  return 0;
}

}  // namespace

double publish_cost_ns(const std::string& scratch) {
  constexpr int kBursts = 200;
  constexpr int kBurstEvents = 3000;  // less than the arena holds
  auto broker =
      must(tool::PrivateBroker::start(scratch, {"--idle", "spin", "--sync", "none", "--retain-bytes", "256M"}));
  auto producer = must(Producer::connect({.address = broker.address(), .name = "publish-cost"}));
  const std::string payload(64, 'x');
  const Event event{.topic = "bench.event", .payload = payload};
  std::vector<double> costs;
  for (int burst = 0; burst < kBursts; ++burst) {
    must(producer.publish_and_wait(event, Ack::committed, kPatience));
    ::kill(broker.pid(), SIGSTOP);
    ::usleep(200);  // it stops at its next return to user mode
    const std::int64_t begin = now_ns();
    bool ok = true;
    for (int i = 0; i < kBurstEvents; ++i) ok = producer.try_publish(event) == Publish::ok && ok;
    const std::int64_t took = now_ns() - begin;
    ::kill(broker.pid(), SIGCONT);
    if (!ok) throw std::runtime_error("the arena was full while publishing was timed");
    costs.push_back(static_cast<double>(took) / kBurstEvents);
  }
  return median(costs);
}

IdleBroker idle_broker(const std::string& scratch, double seconds) {
  constexpr int kWakes = 300;
  constexpr useconds_t kAsleepUs = 3000;
  Sleeper sleeper;
  auto broker = must(tool::PrivateBroker::start(scratch, {}));
  auto producer = must(Producer::connect({.address = broker.address(), .name = "idle"}));
  auto consumer = must(Consumer::connect({.address = broker.address(), .name = "idle", .idle = leat::Idle::spin}));
  must(producer.publish_and_wait({.topic = "bench.event"}, Ack::durable, kPatience));
  ::usleep(300'000);
  IdleBroker result;
  const std::uint64_t before = cpu_ticks(broker.pid());
  ::usleep(static_cast<useconds_t>(seconds * 1e6));
  const auto ticks = static_cast<double>(cpu_ticks(broker.pid()) - before);
  result.cpu_percent = 100 * ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)) / seconds;
  EventView view;
  while (consumer.poll(view) == Poll::event) {
  }
  for (int i = 0; i < kWakes; ++i) {
    ::usleep(kAsleepUs);
    result.wake.floor.record(sleeper.wake_ns());
    ::usleep(kAsleepUs);
    const std::int64_t begin = now_ns();
    must(producer.publish({.topic = "bench.event"}));
    Poll found = Poll::empty;
    while ((found = consumer.poll(view)) == Poll::empty) {
    }
    if (found != Poll::event) throw std::runtime_error("the idle broker's consumer lost its place");
    result.wake.ours.record(now_ns() - begin);
  }
  return result;
}

DeliveryLatency latency_beside_cache_line(const std::string& scratch, int bursts) {
  constexpr int kBurst = 3000;
  constexpr int kWarmUp = 300;
  auto broker =
      must(tool::PrivateBroker::start(scratch, {"--idle", "spin", "--sync", "none", "--retain-bytes", "256M"}));
  auto producer = must(Producer::connect({.address = broker.address(), .name = "latency"}));
  auto consumer = must(Consumer::connect({.address = broker.address(), .name = "latency", .idle = leat::Idle::spin}));
  const std::string payload(64, 'x');
  const Event event{.topic = "bench.event", .payload = payload};
  DeliveryLatency result;
  EventView view;
  for (int burst = 0; burst < bursts; ++burst) {
    ::kill(broker.pid(), SIGSTOP);
    ::usleep(500);
    measure_cache_line(result.floor, kBurst);
    measure_bare_relay(result.relay, kBurst);
    ::kill(broker.pid(), SIGCONT);
    for (int i = -kWarmUp; i < kBurst; ++i) {
      const std::int64_t begin = now_ns();
      if (producer.try_publish(event) != Publish::ok) throw std::runtime_error("publish refused");
      Poll found = Poll::empty;
      while ((found = consumer.poll(view)) == Poll::empty) {
      }
      if (found != Poll::event) throw std::runtime_error("the consumer lost its place");
      if (i >= 0) result.ours.record(now_ns() - begin);
    }
  }
  return result;
}

Paired durable_beside_fdatasync(const std::string& scratch, int rounds) {
  auto broker = must(tool::PrivateBroker::start(scratch, {"--idle", "spin", "--sync", "always"}));
  auto producer = must(Producer::connect({.address = broker.address(), .name = "durable", .idle = leat::Idle::spin}));
  const std::string payload(64, 'x');
  const Event event{.topic = "bench.event", .payload = payload};
  BlockSync block(scratch);
  ::usleep(500'000);  // the broker prepares a segment
  Paired result;
  for (int i = 0; i < rounds; ++i) {
    result.floor.record(block.sync_ns());
    const std::int64_t begin = now_ns();
    must(producer.publish_and_wait(event, Ack::durable, kPatience));
    result.ours.record(now_ns() - begin);
  }
  return result;
}

JournalStart start_on_journal(const std::string& scratch, std::uint64_t bytes) {
  constexpr std::size_t kPayloadBytes = 16 * 1024;
  constexpr std::size_t kBatchEvents = 16;
  constexpr std::uint64_t kSmallBatches = 3000;
  const std::vector<std::string> options = {"--sync", "none", "--retain-bytes", "0"};
  auto broker = must(tool::PrivateBroker::start(scratch, options));
  {
    auto producer = must(Producer::connect({.address = broker.address(), .name = "filler", .arena_bytes = 8 << 20}));
    const std::string payload(kPayloadBytes, 'x');
    const std::vector<Event> batch(kBatchEvents, {.topic = "bench.event", .payload = payload});
    std::uint64_t written = 0;
    do {
      must(producer.publish_batch(batch));
      written += kBatchEvents * (kPayloadBytes + 64);
    } while (written < bytes);
    // Small ones at the end: what a start does for each event of the last segment would show.
    const std::vector<Event> small(64, {.topic = "bench.event", .payload = std::string_view(payload).substr(0, 64)});
    for (std::uint64_t i = 0; bytes > 0 && i < kSmallBatches; ++i) must(producer.publish_batch(small));
    must(producer.publish_and_wait({.topic = "bench.end"}, Ack::committed, kPatience));
  }
  JournalStart result{.journal_bytes = bytes};
  std::vector<double> broker_ms;
  std::vector<double> consumer_ms;
  for (int i = 0; i < kRepeats; ++i) {
    broker.stop();
    std::int64_t begin = now_ns();
    must(broker.start_again(options));
    broker_ms.push_back(static_cast<double>(now_ns() - begin) / 1e6);
    begin = now_ns();
    const std::uint64_t events = bytes / (kPayloadBytes + 64);
    auto consumer = must(Consumer::connect(
        {.address = broker.address(), .name = "starter", .start = Start::at(std::max<std::uint64_t>(1, events / 2))}));
    EventView view;
    if (consumer.wait(view, kPatience) != Poll::event) throw std::runtime_error("no event at the sequence asked for");
    consumer_ms.push_back(static_cast<double>(now_ns() - begin) / 1e6);
    result.broker_rss_bytes = anonymous_bytes(broker.pid());
  }
  result.broker_ms = median(broker_ms);
  result.consumer_ms = median(consumer_ms);
  return result;
}

nlohmann::json to_json(const Paired& paired) {
  return {{"ours", latency_json(paired.ours)}, {"floor", latency_json(paired.floor)}};
}

nlohmann::json to_json(const IdleBroker& idle) {
  return {{"cpu_percent", idle.cpu_percent}, {"wake", to_json(idle.wake)}};
}

nlohmann::json to_json(const JournalStart& start) {
  return {{"journal_bytes", start.journal_bytes},
          {"broker_ms", start.broker_ms},
          {"consumer_ms", start.consumer_ms},
          {"broker_anonymous_bytes", start.broker_rss_bytes}};
}

}  // namespace leat::bench
