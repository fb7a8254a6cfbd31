// Does one kind of work N times and nothing else that is counted: run by bench/instructions/check under callgrind, which
// counts the instructions of the function that is measured. The stages of the broker are stepped in this process and
// thread (bench/micro/pipeline.h); publish and poll go through the public API, to a broker outside of valgrind.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <leat/consumer.h>
#include <leat/producer.h>

#include "bench/micro/pipeline.h"

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
void publish(const FeedAddress& address) {
  auto producer = must(Producer::connect({.address = address, .name = "count-work"}));
  for (std::uint64_t sent = 0; sent < kEvents;) {
    for (std::uint64_t i = 0; i < kBurstEvents; ++i, ++sent) {
      if (producer.try_publish(event()) != Publish::ok) die("publish refused");
    }
    must(producer.publish_and_wait(event(), Ack::committed, kPatience));
  }
}

void publish_batch(const FeedAddress& address) {
  auto producer = must(Producer::connect({.address = address, .name = "count-work"}));
  const std::vector<Event> batch(kBatchEvents, event());
  for (std::uint64_t sent = 0; sent < kEvents; sent += kBatchEvents) {
    Receipt receipt;
    if (producer.try_publish_batch(batch, &receipt) != Publish::ok) die("publish_batch refused");
    must(producer.wait(receipt, Ack::committed, kPatience));
  }
}

// All is there before the first look, so every poll finds an event.
void poll(const FeedAddress& address) {
  auto producer = must(Producer::connect({.address = address, .name = "count-work"}));
  auto consumer = must(Consumer::connect({.address = address, .name = "count-work"}));
  const std::vector<Event> batch(kBatchEvents, event());
  for (std::uint64_t sent = 0; sent < kEvents; sent += kBatchEvents) must(producer.publish_batch(batch));
  must(producer.publish_and_wait(event(), Ack::committed, kPatience));
  EventView view;
  for (std::uint64_t got = 0; got < kEvents; ++got) {
    if (consumer.poll(view) != Poll::event) die("nothing to poll");
  }
}

void step(std::uint32_t batch) {
  bench::Pipeline pipeline(8 << 20);
  for (std::uint64_t events = 0; events < kEvents;) {
    pipeline.segments();
    for (std::uint32_t i = 0; i < 256 / batch; ++i) {
      if (!pipeline.publish_batch(event(), batch)) die("the pipeline is full");
      events += batch;
    }
    while (pipeline.step()) {
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) die("usage: leat-count-work publish|publish-batch|poll|step|step-batch [RUNTIME_DIR DATA_DIR]");
  const std::string work = argv[1];
  if (work == "events") return std::printf("%llu\n", static_cast<unsigned long long>(kEvents)), 0;
  if (work == "step") return step(1), 0;
  if (work == "step-batch") return step(kBatchEvents), 0;
  if (argc != 4) die(work + " needs the directories of a feed named bench");
  const FeedAddress address{.feed = "bench", .runtime_dir = argv[2], .data_dir = argv[3]};
  if (work == "publish") return publish(address), 0;
  if (work == "publish-batch") return publish_batch(address), 0;
  if (work == "poll") return poll(address), 0;
  die("unknown work '" + work + "'");
}
