#include "process/kill/victim.h"

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace leat::test {

namespace {

// A slot is free again a moment after its last owner's death.
Producer connect_patiently(const FeedAddress& address, ChildReport& report) {
  for (;;) {
    auto producer = Producer::connect({.address = address, .name = "victim"});
    if (producer.ok()) return std::move(*producer);
    if (producer.error().code != ErrorCode::busy) give_up(report, "connect: " + producer.error().message);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

struct Victim {
  Generated generated[kVictimBefore + kVictimBatch];
  std::vector<Event> events;
  std::optional<Producer> producer;
};

}  // namespace

ChildPart make_victim(AttackedFeed& feed, std::uint32_t index, const VictimCall& call, ChildReport& report) {
  auto victim = std::make_shared<Victim>();
  ChildPart part;
  part.before = [&feed, &report, &call, victim, index] {
    for (std::uint64_t i = 0; i < kVictimBefore + call.events; ++i) {
      victim->events.push_back(victim->generated[i].make(feed.seed(), index, i, kSmallEvents));
    }
    victim->producer.emplace(connect_patiently(feed.broker().address(), report));
    for (std::uint64_t i = 0; i < kVictimBefore; ++i) {
      if (auto sent = victim->producer->publish(victim->events[i]); !sent) give_up(report, sent.error().message);
      report.accepted.fetch_add(1);
    }
  };
  part.call = [victim, &call] {
    return static_cast<std::uint64_t>(call.make(*victim->producer, std::span(victim->events).subspan(kVictimBefore)));
  };
  part.after = [victim, &call, &report] {
    auto outcome = static_cast<Publish>(report.outcome.load() - 1);
    while (outcome == Publish::would_block) {  // it was overtaken for so long that it is asked to try again
      victim->producer->abandon();
      outcome = call.make(*victim->producer, std::span(victim->events).subspan(kVictimBefore));
    }
    if (outcome != Publish::ok) give_up(report, std::string("the call: ") + std::string(to_string(outcome)));
    report.accepted.fetch_add(call.events);
  };
  return part;
}

std::uint32_t next_victim_index() {
  static std::uint32_t last = 10000;
  return ++last;
}

}  // namespace leat::test
