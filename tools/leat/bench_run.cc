#include "tools/leat/bench_run.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <optional>
#include <thread>
#include <utility>

#include "client-lib/publish/outcome.h"
#include "client-lib/read/reset_text.h"

namespace leat::tool {
namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::chrono::seconds kPatience{10};
constexpr std::size_t kBlockBytes = 4096;
constexpr std::uint64_t kWarmUpDivisor = 10;

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

double per_second(std::uint64_t events, std::int64_t ns) {
  return ns > 0 ? static_cast<double>(events) * 1e9 / static_cast<double>(ns) : 0;
}

Error gave_up(const char* doing) {
  return {ErrorCode::timed_out, std::string("gave up after ten seconds without progress while ") + doing,
          "see what else needs the cores; a broker that sleeps (--idle block) needs none of its own"};
}

// One code for every outcome but ok: the exit status of leat depends on the code.
Error refused(Publish outcome) {
  Error error = client::error_of(outcome);
  error.code = ErrorCode::refused;
  return error;
}

// Publishes `events` events as fast as they are taken.
Result<void> publish_all(Producer& producer, const Load& load, const std::string& payload) {
  const Event event{.topic = "bench.event", .payload = payload};
  const std::vector<Event> batch(load.batch, event);
  std::int64_t stuck_since = 0;
  for (std::uint64_t sent = 0; sent < load.events;) {
    const Publish outcome = load.batch == 1 ? producer.try_publish(event) : producer.try_publish_batch(batch);
    if (outcome == Publish::ok) {
      sent += load.batch;
      stuck_since = 0;
      continue;
    }
    if (outcome != Publish::would_block) return refused(outcome);
    const std::int64_t now = now_ns();
    if (stuck_since == 0) stuck_since = now;
    if (now - stuck_since > std::chrono::nanoseconds(kPatience).count()) return gave_up("publishing");
    ::sched_yield();  // full: whoever drains us may need this core
  }
  return {};
}

Result<void> consume_all(Consumer& consumer, std::uint64_t events) {
  EventView event;
  for (std::uint64_t got = 0; got < events; ++got) {
    const Poll found = consumer.wait(event, kPatience);
    if (found == Poll::event) continue;
    if (found == Poll::empty) return gave_up("consuming");
    if (found == Poll::error) return consumer.last_error();
    const Reset& reset = consumer.last_reset();
    return Error{ErrorCode::io_error, client::what_of(reset), client::advice_of(reset)};
  }
  return {};
}

Result<Producer> producer_for(const Load& load) {
  return Producer::connect({.address = load.address, .name = "leat-bench"});
}

}  // namespace

Latencies::Latencies(std::vector<std::int64_t> samples_ns) : samples_ns_(std::move(samples_ns)) {
  std::ranges::sort(samples_ns_);
}

std::int64_t Latencies::at(double fraction) const noexcept {
  if (samples_ns_.empty()) return 0;
  const auto rank = static_cast<std::size_t>(fraction * static_cast<double>(samples_ns_.size()));
  return samples_ns_[std::min(rank, samples_ns_.size() - 1)];
}

Latencies cache_line_round_trip(std::uint64_t rounds) {
  struct alignas(2 * kLineBytes) Line {
    std::atomic<std::uint64_t> value{0};
  };
  Line ping;
  Line pong;
  std::thread other([&] {
    for (std::uint64_t i = 1; i <= rounds; ++i) {
      while (ping.value.load(std::memory_order_acquire) < i) {
      }
      pong.value.store(i, std::memory_order_release);
    }
  });
  std::vector<std::int64_t> samples;
  samples.reserve(rounds);
  for (std::uint64_t i = 1; i <= rounds; ++i) {
    const std::int64_t begin = now_ns();
    ping.value.store(i, std::memory_order_release);
    while (pong.value.load(std::memory_order_acquire) < i) {
    }
    samples.push_back(now_ns() - begin);
  }
  other.join();
  return Latencies(std::move(samples));
}

Result<Latencies> bare_fdatasync(const std::string& directory, std::uint64_t rounds) {
  const std::string path = directory + "/leat-bench-sync.tmp";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return system_error(errno, "creating " + path);
  std::vector<char> block(kBlockBytes, 'x');
  std::vector<std::int64_t> samples;
  int failed = 0;
  for (std::uint64_t i = 0; i <= rounds && failed == 0; ++i) {
    block[0] = static_cast<char>(i);
    const std::int64_t begin = now_ns();
    if (::pwrite(fd, block.data(), block.size(), 0) < 0 || ::fdatasync(fd) != 0) failed = errno;
    if (i > 0) samples.push_back(now_ns() - begin);  // the first one allocates the block
  }
  ::close(fd);
  ::unlink(path.c_str());
  if (failed != 0) return system_error(failed, "syncing " + path);
  return Latencies(std::move(samples));
}

Result<Latencies> delivery_latency(const Load& load, Level level) {
  auto producer = producer_for(load);
  if (!producer) return producer.error();
  auto consumer =
      Consumer::connect({.address = load.address, .name = "leat-bench", .level = level, .idle = Idle::spin});
  if (!consumer) return consumer.error();
  const std::string payload(load.payload_bytes, 'x');
  const Event event{.topic = "bench.event", .payload = payload};
  const std::uint64_t warm_up = load.events / kWarmUpDivisor;
  std::vector<std::int64_t> samples;
  samples.reserve(load.events);
  EventView view;
  for (std::uint64_t i = 0; i < load.events + warm_up; ++i) {
    const std::int64_t begin = now_ns();
    if (auto published = producer->publish(event); !published) return published.error();
    const Poll found = consumer->wait(view, kPatience);
    if (found == Poll::empty) return gave_up("waiting for delivery");
    if (found != Poll::event) return consumer->last_error();
    if (i >= warm_up) samples.push_back(now_ns() - begin);
  }
  return Latencies(std::move(samples));
}

Result<Latencies> durable_acknowledgement(const Load& load) {
  auto producer = producer_for(load);
  if (!producer) return producer.error();
  const std::string payload(load.payload_bytes, 'x');
  std::vector<std::int64_t> samples;
  for (std::uint64_t i = 0; i < load.events; ++i) {
    const std::int64_t begin = now_ns();
    auto done = producer->publish_and_wait({.topic = "bench.event", .payload = payload}, Ack::durable, kPatience);
    if (!done) return done.error();
    samples.push_back(now_ns() - begin);
  }
  return Latencies(std::move(samples));
}

Result<Throughput> throughput(const Load& load) {
  auto producer = producer_for(load);
  if (!producer) return producer.error();
  auto consumer = Consumer::connect({.address = load.address, .name = "leat-bench"});
  if (!consumer) return consumer.error();
  const std::string payload(load.payload_bytes, 'x');
  Throughput result;
  std::optional<Error> failed;
  const std::uint64_t events = load.events / load.batch * load.batch;
  const std::int64_t begin = now_ns();
  std::thread publishing([&] {
    auto done = publish_all(*producer, load, payload);
    if (!done) failed = done.error();
    result.published_per_second = per_second(events, now_ns() - begin);
  });
  auto consumed = consume_all(*consumer, events);
  result.delivered_per_second = per_second(events, now_ns() - begin);
  publishing.join();
  if (failed) return *failed;
  if (!consumed) return consumed.error();
  result.lapped = consumer->stats().lapped;
  return result;
}

Result<Throughput> into_the_ring(const Load& load) {
  auto producer = producer_for(load);
  if (!producer) return producer.error();
  const std::string payload(load.payload_bytes, 'x');
  const std::int64_t begin = now_ns();
  if (auto done = publish_all(*producer, load, payload); !done) return done.error();
  Throughput result{.published_per_second = per_second(load.events, now_ns() - begin)};
  auto last = producer->publish_and_wait({.topic = "bench.end"}, Ack::committed, kPatience);
  if (!last) return last.error();
  result.committed_per_second = per_second(load.events, now_ns() - begin);
  return result;
}

}  // namespace leat::tool
