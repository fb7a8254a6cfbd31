#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include <leat/producer.h>

#include "process/stress/roles.h"
#include "support/event_checker.h"
#include "support/shared_page.h"

namespace leat::stress {
namespace {

constexpr std::uint64_t kBatch = 5;

// Publishes one after the other in the three ways that there are, and always waits for room.
class StressProducer {
 public:
  StressProducer(const Plan& plan, std::uint32_t index, Producer producer)
      : plan_(plan), index_(index), mix_{.max_bytes = plan.max_payload_bytes}, producer_(std::move(producer)) {}

  /// Publishes from event `number` on; returns how many it published, 0 on an error.
  std::uint64_t step(std::uint64_t number) {
    if (number % 61 == 0 && number + kBatch <= plan_.events) {
      if (const std::uint64_t done = batch(number); done != 0) return done;
    }
    const Event event = generated_[0].make(plan_.seed, index_, number, mix_);
    if (number % 7 == 0) {
      if (const int done = in_place(event); done >= 0) return static_cast<std::uint64_t>(done);
    }
    if (auto sent = producer_.publish(event); !sent) return fail(number, sent.error().message);
    bytes += event.payload.size();
    return 1;
  }

  std::uint64_t bytes = 0;

 private:
  std::uint64_t fail(std::uint64_t number, const std::string& what) const {
    std::fprintf(stderr, "producer %u: event %llu: %s\n", index_, static_cast<unsigned long long>(number),
                 what.c_str());
    return 0;
  }

  // 0: too large together, to be sent one by one.
  std::uint64_t batch(std::uint64_t number) {
    std::array<Event, kBatch> events;
    for (std::uint64_t i = 0; i < kBatch; ++i) events[i] = generated_[i].make(plan_.seed, index_, number + i, mix_);
    auto sent = producer_.publish_batch(events);
    if (!sent) return sent.error().code == ErrorCode::too_large ? 0 : fail(number, sent.error().message);
    for (const Event& event : events) bytes += event.payload.size();
    return kBatch;
  }

  // -1: no room right now.
  int in_place(const Event& event) {
    std::span<std::byte> room;
    if (producer_.claim(event, event.payload.size(), room) != Publish::ok) return -1;
    std::ranges::copy(std::as_bytes(std::span(event.payload)), room.begin());
    if (producer_.commit() != Publish::ok) {
      producer_.abandon();
      return -1;
    }
    bytes += event.payload.size();
    return 1;
  }

  const Plan& plan_;
  std::uint32_t index_;
  test::SizeMix mix_;
  Producer producer_;
  std::array<test::Generated, kBatch> generated_;
};

}  // namespace

int run_producer(const Plan& plan, std::uint32_t index) {
  const test::SharedPage page(plan.page);
  auto connected = Producer::connect({.address = plan.address,
                                      .name = "stress-producer-" + std::to_string(index),
                                      .publish_timeout = std::chrono::minutes(2)});
  if (!connected) {
    std::fprintf(stderr, "producer %u: %s\n", index, connected.error().message.c_str());
    return 1;
  }
  page.wait_for(kReadyWord, plan.consumers);
  StressProducer producer(plan, index, std::move(*connected));
  for (std::uint64_t number = 0; number < plan.events;) {
    const std::uint64_t done = producer.step(number);
    if (done == 0) return 1;
    number += done;
    page[kProducedWord + index].store(number);
    page[kBytesWord + index].store(producer.bytes);
  }
  return 0;
}

}  // namespace leat::stress
