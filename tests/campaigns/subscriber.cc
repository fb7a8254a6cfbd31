// A consumer that writes down all it is told.
#include <unistd.h>

#include <cstdio>
#include <thread>

#include <leat/consumer.h>

#include "campaigns/client.h"
#include "campaigns/words.h"
#include "support/broker_test.h"
#include "support/helper_main.h"
#include "support/history_writer.h"

namespace leat::test {
namespace {

using history::FactKind;

class Subscriber : public CampaignClient {
 public:
  explicit Subscriber(const HelperArguments& arguments)
      : CampaignClient(arguments), cursor_(arguments.text("cursor")) {}

  int run() {
    if (!connect()) return status_;
    const auto delay = std::chrono::microseconds(arguments_.number("delay_us"));
    const std::uint64_t count = arguments_.number("count", UINT64_MAX);
    for (std::uint64_t taken = 0; status_ == 0 && taken < count;) {
      EventView event;
      switch (consumer_->wait(event, milliseconds(20))) {
        case Poll::event:
          take(event);
          if (++taken % kSavePeriod == 0 && !cursor_.empty()) save();
          if (delay.count() > 0 && page_[kStopWord].load() == 0) std::this_thread::sleep_for(delay);
          break;
        case Poll::empty:
          if (at_the_end()) return 0;
          history_.tell({.kind = FactKind::tick});
          break;
        case Poll::reset: tell_reset(); break;
        case Poll::error: complain("poll", consumer_->last_error()); break;
      }
    }
    return status_;
  }

 private:
  static constexpr std::uint64_t kSavePeriod = 64;

  bool connect() {
    page_[kWaitingWord + client_].store(1);
    const std::string from = arguments_.text("from", "earliest");
    Start start = from == "latest" ? Start::latest() : Start::earliest();
    const std::uint64_t after = page_[kDeliveredWord + client_].load();
    if (from == "after" && after != 0) start = Start::after({.epoch = arguments_.number("epoch"), .sequence = after});
    const bool durable = arguments_.text("level") == "durable";
    history_.tell({.kind = FactKind::start,
                   .durable_level = durable,
                   .has_after = from == "after" && cursor_.empty(),
                   .after = after,
                   .cursor = cursor_});
    while (page_[kTotalWord].load() == 0 || page_[kTotalWord].load() > after) {
      auto connected = Consumer::connect({.address = arguments_.address(),
                                          .start = start,
                                          .cursor_name = cursor_,
                                          .level = durable ? Level::durable : Level::live});
      if (connected) {
        consumer_.emplace(std::move(*connected));
        last_ = consumer_->cursor().sequence;
        page_[kWaitingWord + client_].store(0);
        return true;
      }
      if (!may_come(connected.error().code)) return complain("connect", connected.error()), false;
      history_.tell({.kind = FactKind::tick});
      std::this_thread::sleep_for(milliseconds(2));
    }
    page_[kWaitingWord + client_].store(0);
    history_.tell({.kind = FactKind::end, .latest = after});
    return false;
  }

  void take(const EventView& event) {
    history_.tell(received(event));
    last_ = event.sequence;
    page_[kDeliveredWord + client_].store(last_);
  }

  // That it is refused while no broker serves is no fault: it was an attempt.
  void save() {
    history_.tell({.kind = FactKind::saving, .sequence = last_});
    if (consumer_->save_cursor().ok()) page_[kSavedWord].fetch_add(1);
  }

  void tell_reset() {
    const Reset& reset = consumer_->last_reset();
    history_.tell({.kind = FactKind::reset,
                   .what = to_string(reset.reason),
                   .wanted = reset.wanted_sequence,
                   .earliest = reset.earliest_sequence,
                   .latest = reset.latest_sequence});
    last_ = reset.earliest_sequence - 1;
  }

  bool at_the_end() {
    const std::uint64_t total = page_[kTotalWord].load();
    if (total == 0 || last_ < total) return false;
    history_.tell({.kind = FactKind::end, .latest = total});
    return true;
  }

  std::string cursor_;
  std::optional<Consumer> consumer_;
  std::uint64_t last_ = 0;
};

int run_subscriber(const HelperArguments& arguments) { return Subscriber(arguments).run(); }
const HelperRegistration kSubscriber("subscriber", &run_subscriber);

}  // namespace
}  // namespace leat::test
