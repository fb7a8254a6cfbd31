// Helpers that publish generated events, and that check what they receive.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include <leat/leat.h>

#include "process/helpers/words.h"
#include "support/event_checker.h"
#include "support/helper_main.h"

namespace leat::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

int complain(const std::string& who, const std::string& what) {
  std::fprintf(stderr, "%s (pid %d): %s\n", who.c_str(), ::getpid(), what.c_str());
  return 1;
}

// index, count (0: until the stop word), seed, max (payload bytes), arena, pause_us (after each event)
int run_producer(const HelperArguments& arguments) {
  const SharedPage page(arguments.page());
  const auto index = static_cast<std::uint32_t>(arguments.number("index"));
  const std::uint64_t count = arguments.number("count");
  const SizeMix mix{.max_bytes = arguments.number("max", 512)};
  const auto pause = std::chrono::microseconds(arguments.number("pause_us"));
  auto producer = Producer::connect({.address = arguments.address(), .arena_bytes = arguments.number("arena")});
  if (!producer) return complain("producer", producer.error().message);
  page[kReadyWord].fetch_add(1);
  Generated generated;
  for (std::uint64_t number = 0; count == 0 ? page[kStopWord].load() == 0 : number < count; ++number) {
    const Event event = generated.make(arguments.number("seed"), index, number, mix);
    if (auto sent = producer->publish(event); !sent) {
      return complain("producer", "event " + std::to_string(number) + ": " + sent.error().message);
    }
    page[kAcceptedWord + index].store(number + 1);
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
  }
  return 0;
}
const HelperRegistration kProducer("producer", &run_producer);

Idle idle_named(const std::string& name) {
  if (name == "spin") return Idle::spin;
  return name == "block" ? Idle::block : Idle::adaptive;
}

// index, seed, max, level (live or durable), idle, sleep_after (events, then never again), delay_us (in each handler)
int run_consumer(const HelperArguments& arguments) {
  const SharedPage page(arguments.page());
  const std::size_t delivered = kDeliveredWord + arguments.number("index");
  auto consumer = Consumer::connect({.address = arguments.address(),
                                     .start = Start::earliest(),
                                     .level = arguments.text("level") == "durable" ? Level::durable : Level::live,
                                     .idle = idle_named(arguments.text("idle"))});
  if (!consumer) return complain("consumer", consumer.error().message);
  page[kReadyWord].fetch_add(1);
  EventChecker checker(arguments.number("seed"), {.max_bytes = arguments.number("max", 512)});
  checker.expect_sequence(1);
  const auto delay = std::chrono::microseconds(arguments.number("delay_us"));
  for (;;) {
    const std::uint64_t total = page[kTotalWord].load();
    const bool all = total != 0 && checker.count() >= total;
    EventView event;
    switch (consumer->wait(event, all ? milliseconds(200) : milliseconds(50))) {
      case Poll::event: break;
      case Poll::empty:
        if (all) return checker.count() == total ? 0 : complain("consumer", "more events than were accepted");
        continue;
      case Poll::reset: return complain("consumer", consumer->last_reset().to_string());
      case Poll::error: return complain("consumer", consumer->last_error().message);
    }
    if (!checker.take(event)) return complain("consumer", checker.error());
    page[delivered].store(checker.count());
    if (delay.count() > 0) std::this_thread::sleep_for(delay);
    if (checker.count() == arguments.number("sleep_after")) std::this_thread::sleep_for(seconds(3600));
  }
}
const HelperRegistration kConsumer("consumer", &run_consumer);

// Dies with a claim half filled.
int run_claimer(const HelperArguments& arguments) {
  auto producer = Producer::connect({.address = arguments.address()});
  if (!producer) return complain("claimer", producer.error().message);
  std::span<std::byte> room;
  if (producer->claim({.topic = "claimed"}, 1000, room) != Publish::ok) return 1;
  std::ranges::fill(room.first(500), std::byte{0x5a});
  std::raise(SIGKILL);
  return 0;
}
const HelperRegistration kClaimer("claimer", &run_claimer);

}  // namespace
}  // namespace leat::test
