// Does one kind of work N times and nothing else that is counted: run by bench/instructions/check under callgrind,
// which counts the instructions of the function that is measured. The stages of the broker are stepped in this process
// and thread (bench/micro/pipeline.h); publish and poll go through the public API, to a broker outside of valgrind.
// Prints how many events went through the function.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <leat/consumer.h>
#include <leat/producer.h>

#include "bench/micro/pipeline.h"
#include "base/quantity.h"
#include "shm/broadcast/broadcast_ring.h"
#include "shm/broadcast/doorbell.h"

namespace {

using namespace leat;

constexpr std::uint64_t kEvents = 20'000;
constexpr std::uint64_t kBurstEvents = 500;
constexpr std::size_t kBatchEvents = 64;
constexpr std::chrono::seconds kPatience{60};

const std::string& payload() {
  static const std::string bytes(64, 'x');
  return bytes;
}
Event event() { return {.topic = "bench.event", .payload = payload()}; }

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "leat-count-work: %s\n", what.c_str());
  std::exit(1);
}

template <typename T>
T must(Result<T> result) {
  if (!result) die(result.error().message);
  return std::move(result).value();
}

// In bursts, each waited for, so that neither the arena nor the ring is ever full.
std::uint64_t publish(const FeedAddress& address) {
  auto producer = must(Producer::connect({.address = address, .name = "count-work"}));
  for (std::uint64_t sent = 0; sent < kEvents; sent += kBurstEvents) {
    Receipt receipt;
    for (std::uint64_t i = 0; i < kBurstEvents; ++i) {
      if (producer.try_publish(event(), &receipt) != Publish::ok) die("publish refused");
    }
    must(producer.wait(receipt, Ack::committed, kPatience));
  }
  return kEvents;
}

std::uint64_t publish_batch(const FeedAddress& address) {
  auto producer = must(Producer::connect({.address = address, .name = "count-work"}));
  const std::vector<Event> batch(kBatchEvents, event());
  std::uint64_t sent = 0;
  for (; sent < kEvents; sent += kBatchEvents) {
    Receipt receipt;
    if (producer.try_publish_batch(batch, &receipt) != Publish::ok) die("publish_batch refused");
    must(producer.wait(receipt, Ack::committed, kPatience));
  }
  return sent;
}

// All is there before the first look, so every poll finds an event.
std::uint64_t poll(const FeedAddress& address) {
  auto producer = must(Producer::connect({.address = address, .name = "count-work"}));
  auto consumer = must(Consumer::connect({.address = address, .name = "count-work"}));
  const std::vector<Event> batch(kBatchEvents, event());
  for (std::uint64_t sent = 0; sent < kEvents; sent += kBatchEvents) must(producer.publish_batch(batch));
  must(producer.publish_and_wait(event(), Ack::committed, kPatience));
  EventView view;
  for (std::uint64_t got = 0; got < kEvents; ++got) {
    if (consumer.poll(view) != Poll::event) die("nothing to poll");
  }
  return kEvents;
}

// Rounds of `round` events in batches of `batch`. Before each, all `consumers` have read all there is and gone to
// sleep.
std::uint64_t step(std::uint32_t round, std::uint32_t batch, std::uint32_t consumers) {
  bench::Pipeline pipeline(8 << 20);
  std::vector<internal::BroadcastReader> readers(consumers, {pipeline.ring_base(), pipeline.options().ring_bytes});
  std::vector<std::uint64_t> places(consumers, 0);
  std::vector<std::byte> copy(pipeline.options().ring_bytes);
  std::uint64_t events = 0;
  while (events < kEvents) {
    pipeline.segments();
    for (std::uint32_t i = 0; i < round / batch; ++i) {
      if (!pipeline.publish_batch(event(), batch)) die("the pipeline is full");
      events += batch;
    }
    while (pipeline.step()) {
    }
    for (std::uint32_t i = 0; i < consumers; ++i) {
      const std::uint64_t end = readers[i].committed();
      if (!readers[i].copy(places[i], end - places[i], copy.data())) die("a reader was lapped");
      places[i] = end;
      internal::sleep_on(pipeline.doorbell().live_sleepers, readers[i].header().committed, end, 1);
    }
  }
  return events;
}

std::uint64_t with_feed(const std::string& work, const FeedAddress& address) {
  if (work == "publish") return publish(address);
  if (work == "publish-batch") return publish_batch(address);
  if (work == "poll") return poll(address);
  die("unknown work '" + work + "'");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2)
    die("usage: leat-count-work step ROUND BATCH CONSUMERS, or publish|publish-batch|poll RUNTIME_DIR DATA_DIR (of "
        "feed bench)");
  const std::string work = argv[1];
  std::uint64_t events = 0;
  if (argc != (work == "step" ? 5 : 4)) die("wrong number of arguments");
  if (work == "step") {
    const auto number = [&](int at) {
      const auto parsed = internal::parse_quantity("step", argv[at], internal::QuantityRule::count(0, 1 << 20));
      if (!parsed) die(parsed.error().message);
      return static_cast<std::uint32_t>(*parsed);
    };
    events = step(number(2), number(3), number(4));
  } else {
    events = with_feed(work, {.feed = "bench", .runtime_dir = argv[2], .data_dir = argv[3]});
  }
  std::printf("%llu\n", static_cast<unsigned long long>(events));
}
