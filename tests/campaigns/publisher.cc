// A producer that writes down each step before and after it takes it.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include <leat/producer.h>

#include "campaigns/client.h"
#include "campaigns/words.h"
#include "history/content_hash.h"
#include "support/broker_test.h"
#include "support/helper_main.h"
#include "support/history_writer.h"
#include "support/payload.h"

namespace leat::test {
namespace {

using history::Fact;
using history::FactKind;

constexpr std::uint64_t kMostInBatch = 8;

/// An event with its own strings.
struct OwnedEvent {
  std::string topic;
  std::string key;
  std::string message_id;
  std::string payload;
  [[nodiscard]] Event view() const {
    return {.topic = topic, .key = key, .message_id = message_id, .payload = payload};
  }
};

class Publisher : public CampaignClient {
 public:
  explicit Publisher(const HelperArguments& arguments) : CampaignClient(arguments), prng_(arguments.number("seed")) {}

  int run() {
    if (!connect()) return status_;
    const std::uint64_t count = arguments_.number("count", UINT64_MAX);
    while (status_ == 0 && page_[kStopWord].load() == 0 && next_ < count) {
      constexpr std::uint64_t kWays = 10;
      const std::uint64_t way = prng_.below(kWays);
      if (way < 2) {
        publish_batch();
      } else if (way == 2) {
        publish_in_place();
      } else {
        publish_one();
      }
      ask_for_the_last();
      pause();
    }
    return status_;
  }

 private:
  // Mostly one event after the other; now and then a burst, for rounds with many tickets.
  void pause() {
    constexpr std::uint64_t kOneIn = 64;
    constexpr std::uint64_t kBurst = 48;
    const std::uint64_t pause_us = arguments_.number("pause_us");
    if (burst_ > 0) {
      --burst_;
    } else if (prng_.below(kOneIn) == 0) {
      burst_ = kBurst;
    } else if (pause_us > 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(prng_.below(2 * pause_us)));
    }
  }

  // While no broker serves, one is waited for: that is the campaign's doing.
  bool connect() {
    page_[kWaitingWord + client_].store(1);
    while (page_[kStopWord].load() == 0) {
      auto connected = Producer::connect({.address = arguments_.address()});
      if (connected) {
        producer_.emplace(std::move(*connected));
        page_[kWaitingWord + client_].store(0);
        return true;
      }
      if (!may_come(connected.error().code)) return complain("connect", connected.error()), false;
      history_.tell({.kind = FactKind::tick});
      std::this_thread::sleep_for(milliseconds(2));
    }
    page_[kWaitingWord + client_].store(0);
    return false;
  }

  void begin(std::uint64_t events) {
    events_.resize(events);
    for (std::uint64_t i = 0; i < events; ++i) {
      OwnedEvent& event = events_[i];
      event.topic = "campaign." + history_.who();
      event.key = history_.who();
      event.message_id = std::to_string(next_ + i);
      (void)make_payload(arguments_.number("seed"), 0, next_ + i, {.max_bytes = arguments_.number("max", 4096)},
                         event.payload);
      history_.gather({.kind = FactKind::invoke,
                       .number = next_ + i,
                       .hash = history::content_hash(event.view()),
                       .place = static_cast<std::uint32_t>(i),
                       .batch = static_cast<std::uint32_t>(events)});
    }
    history_.tell_gathered();
    page_[kBegunWord].fetch_add(1);
  }

  // Tells the same of each event that was begun.
  void tell(FactKind kind, std::uint64_t first, std::uint64_t events, std::uint64_t sequence = 0) {
    for (std::uint64_t i = 0; i < events; ++i) {
      history_.gather({.kind = kind, .number = first + i, .sequence = sequence == 0 ? 0 : sequence + i});
    }
    history_.tell_gathered();
  }

  void end(const Result<Receipt>& receipt) {
    const std::uint64_t events = events_.size();
    if (receipt) {
      tell(FactKind::accepted, next_, events);
      last_ = *receipt;
      last_number_ = next_;
      page_[kAcceptedWord + client_].fetch_add(events);
    } else {
      tell(FactKind::refused, next_, events);
      const ErrorCode code = receipt.error().code;
      const bool too_many = code == ErrorCode::too_large && events > 1;  // for a small arena
      const bool full = code == ErrorCode::timed_out || code == ErrorCode::would_block;
      if (!too_many && !full) complain("publish", receipt.error());
      return;
    }
    next_ += events;
  }

  void publish_one() {
    begin(1);
    end(producer_->publish(events_[0].view()));
  }

  void publish_batch() {
    begin(2 + prng_.below(kMostInBatch - 1));
    std::vector<Event> views;
    for (const OwnedEvent& event : events_) views.push_back(event.view());
    end(producer_->publish_batch(views));
  }

  void publish_in_place() {
    begin(1);
    const OwnedEvent& event = events_[0];
    std::span<std::byte> room;
    Receipt receipt;
    Publish outcome = Publish::would_block;
    for (int tries = 0; outcome == Publish::would_block && tries < 1000; ++tries) {
      outcome = producer_->claim(event.view(), event.payload.size(), room);
      if (outcome == Publish::ok) {
        if (!room.empty()) std::memcpy(room.data(), event.payload.data(), room.size());
        outcome = producer_->commit(&receipt);
        if (outcome != Publish::ok) producer_->abandon();
      }
      if (outcome == Publish::would_block) std::this_thread::sleep_for(milliseconds(1));
    }
    if (outcome == Publish::ok) return end(receipt);
    end(Error{outcome == Publish::would_block ? ErrorCode::would_block : ErrorCode::refused,
              std::string(to_string(outcome))});
  }

  // Now and then: what has become of the last entry?
  void ask_for_the_last() {
    constexpr std::uint64_t kOneIn = 8;
    const std::uint64_t chance = prng_.below(4 * kOneIn);
    if (chance >= 5 || !last_) return;
    const Ack level = chance == 0 ? Ack::durable : Ack::committed;
    const Receipt receipt = *std::exchange(last_, std::nullopt);
    auto sequence = producer_->wait(receipt, level, kPatience);
    if (!sequence) return complain("wait", sequence.error());
    tell(level == Ack::durable ? FactKind::durable : FactKind::committed, last_number_, receipt.events, *sequence);
  }

  Prng prng_;
  std::optional<Producer> producer_;
  std::vector<OwnedEvent> events_;
  std::uint64_t next_ = 0;
  std::uint64_t burst_ = 0;
  std::optional<Receipt> last_;
  std::uint64_t last_number_ = 0;
};

int run_publisher(const HelperArguments& arguments) { return Publisher(arguments).run(); }
const HelperRegistration kPublisher("publisher", &run_publisher);

}  // namespace
}  // namespace leat::test
