// Hostile clients: they get real descriptors, as a producer and as a consumer, and write over all that they may; and
// the honest ones that must not notice.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include <leat/leat.h>

#include "process/helpers/words.h"
#include "process/helpers/scribbler.h"
#include "shm/broadcast/broadcast_layout.h"
#include "shm/ingest/inbound_layout.h"
#include "support/event_checker.h"
#include "support/helper_main.h"

namespace leat::test {
namespace {

using namespace internal;
using std::chrono::milliseconds;

int complain(const char* who, const std::string& what) {
  std::fprintf(stderr, "%s (pid %d): %s\n", who, ::getpid(), what.c_str());
  return 1;
}

client::Connection must_connect(const FeedAddress& address, Role role) {
  auto connected = client::connect_to_broker({.address = address, .role = role, .name = "hostile"});
  if (connected) return std::move(*connected);
  std::exit(complain("scribbler", connected.error().message));
}

// Writes go out by whole words and by single bytes, at random places, of random values and of plausible ones.
class Scribbler {
 public:
  Scribbler(std::uint64_t seed, const FeedAddress& address)
      : random_(seed),
        producer_(must_connect(address, Role::producer)),
        consumer_(must_connect(address, Role::consumer)),
        ring_(map(producer_.fds.at(0).get())),
        arena_(map(producer_.fds.at(1).get())),
        bell_(map(consumer_.fds.at(1).get())) {}

  void scribble() {
    switch (random_.below(8)) {
      case 0: word(ring_, random_.below(kPageBytes / 8), odd()); break;  // header: magic, tail, head, states, ...
      case 1: word(ring_, 8 * (1 + random_.below(4)), odd()); break;     // its hot words
      case 2: slot(odd()); break;
      case 3: slot(empty_slot(random_.below(1 << 16))); break;
      case 4:  // a ticket in anybody's name
        slot(full_slot(static_cast<std::uint32_t>(random_.below(16)), static_cast<std::uint32_t>(random_.below(4)),
                       64 * random_.below(1024)));
        break;
      case 5: word(arena_, random_.below(arena_.bytes / 8), odd()); break;
      case 6: word(bell_, random_.below(bell_.bytes / 8), odd()); break;
      default: arena_.at[random_.below(arena_.bytes)] = static_cast<std::byte>(random_.next());
    }
  }
  // A burst over the whole ring, so that tickets of others go too.
  void sweep() {
    for (std::uint64_t i = kInboundSlotsOffset / 8; i < ring_.bytes / 8; ++i) word(ring_, i, odd());
  }
  void cut() {
    for (const int fd : {producer_.fds.at(0).get(), producer_.fds.at(1).get(), consumer_.fds.at(1).get()}) {
      if (::ftruncate(fd, 0) != 0) std::exit(complain("scribbler", "cannot cut"));
    }
  }

 private:
  struct Area {
    std::byte* at;
    std::size_t bytes;
  };
  static Area map(int fd) {
    const off_t size = ::lseek(fd, 0, SEEK_END);
    void* const at = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) std::exit(complain("scribbler", "cannot map"));
    return {static_cast<std::byte*>(at), static_cast<std::size_t>(size)};
  }
  void word(const Area& area, std::uint64_t index, std::uint64_t value) { store_word(area.at + 8 * index, value); }
  void slot(std::uint64_t value) {
    const std::uint64_t first = kInboundSlotsOffset / 8;
    word(ring_, first + random_.below(ring_.bytes / 8 - first), value);
  }
  std::uint64_t odd() {
    switch (random_.below(6)) {
      case 0: return 0;
      case 1: return ~0ULL;
      case 2: return random_.below(4);  // states
      case 3: return random_.below(1 << 20);
      default: return random_.next();
    }
  }

  Prng random_;
  client::Connection producer_;
  client::Connection consumer_;
  Area ring_;
  Area arena_;
  Area bell_;
};

// seed, pause_us (after a burst of writes), sweeps (1: now and then over the whole ring), cut (1: cuts the files, and
// ends)
int run_scribbler(const HelperArguments& arguments) {
  const SharedPage page(arguments.page());
  Scribbler scribbler(arguments.number("seed"), arguments.address());
  page[kReadyWord].fetch_add(1);
  if (arguments.number("cut") != 0) {
    scribbler.cut();
    return 0;
  }
  const auto pause = std::chrono::microseconds(arguments.number("pause_us", 100));
  constexpr int kBurst = 32;
  for (std::uint64_t bursts = 1; page[kHostileStopWord].load() == 0; ++bursts) {
    for (int i = 0; i < kBurst; ++i) scribbler.scribble();
    if (arguments.number("sweeps") != 0 && bursts % 64 == 0) scribbler.sweep();
    page[kScribbledWord].fetch_add(kBurst);
    std::this_thread::sleep_for(pause);
  }
  return 0;
}
const HelperRegistration kScribbler("scribbler", &run_scribbler);

// index, seed, max, count, each: publishes all of its events, each until it is accepted, and waits until the last is
// committed (each=1: every one, so that none has a next one that it could be taken along with).
int run_patient(const HelperArguments& arguments) {
  const SharedPage page(arguments.page());
  const auto index = static_cast<std::uint32_t>(arguments.number("index"));
  auto producer = Producer::connect({.address = arguments.address(), .publish_timeout = milliseconds(200)});
  if (!producer) return complain("patient producer", producer.error().message);
  page[kReadyWord].fetch_add(1);
  page.wait_for(kGoWord, 1);
  Generated generated;
  Receipt last;
  const std::uint64_t count = arguments.number("count");
  for (std::uint64_t number = 0; number < count;) {
    const Event event =
        generated.make(arguments.number("seed"), index, number, {.max_bytes = arguments.number("max", 512)});
    auto sent = producer->publish(event);
    if (!sent && sent.error().code != ErrorCode::timed_out) return complain("patient producer", sent.error().message);
    if (!sent) {
      page[kResultWord].fetch_add(1);  // held up
      continue;
    }
    last = *sent;
    page[kAcceptedWord + index].store(++number);
    if (arguments.number("each") == 0) continue;
    const auto committed = producer->wait(last, Ack::committed, std::chrono::seconds(30));
    if (committed) continue;
    return complain("patient producer", "event " + std::to_string(number) + ": " + committed.error().message);
  }
  const auto committed = producer->wait(last, Ack::committed, std::chrono::seconds(60));
  if (!committed) return complain("patient producer", "the last event: " + committed.error().message);
  return 0;
}
const HelperRegistration kPatient("patient_producer", &run_patient);

// index, seed, max: like the consumer helper, but events that are not generated ones may come in between. Sequences
// must follow each other all the same.
int run_watcher(const HelperArguments& arguments) {
  const SharedPage page(arguments.page());
  const std::size_t index = arguments.number("index");
  auto consumer = Consumer::connect({.address = arguments.address(), .start = Start::earliest()});
  if (!consumer) return complain("watcher", consumer.error().message);
  page[kReadyWord].fetch_add(1);
  EventChecker checker(arguments.number("seed"), {.max_bytes = arguments.number("max", 512)});
  std::uint64_t expected = 1;
  for (;;) {
    const std::uint64_t total = page[kTotalWord].load();
    if (total != 0 && checker.count() == total) return 0;
    EventView event;
    const Poll found = consumer->wait(event, milliseconds(50));
    if (found == Poll::reset) return complain("watcher", consumer->last_reset().to_string());
    if (found == Poll::error) return complain("watcher", consumer->last_error().message);
    if (found == Poll::empty) continue;
    if (event.sequence != expected++) return complain("watcher", "a hole before " + std::to_string(event.sequence));
    if (!event.topic.starts_with("stress.")) continue;
    checker.expect_sequence(event.sequence);
    if (!checker.take(event)) return complain("watcher", checker.error());
    page[kDeliveredWord + index].store(checker.count());
  }
}
const HelperRegistration kWatcher("watcher", &run_watcher);

}  // namespace
}  // namespace leat::test
