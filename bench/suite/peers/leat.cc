// Leat: a real leatd with a real journal. One at a time, and in batches.
#include <algorithm>
#include <deque>
#include <optional>

#include <leat/consumer.h>
#include <leat/producer.h>

#include "bench/suite/driver.h"
#include "bench/suite/peers/peers.h"
#include "tools/leat/bench_broker.h"

namespace leat::bench {
namespace {

constexpr std::size_t kBatchEvents = 64;
constexpr std::size_t kMostBatchBytes = 256 * 1024;  // well below half an arena
constexpr std::chrono::milliseconds kTurn{100};
constexpr std::chrono::seconds kPatience{10};
/// Four segments, and no more: then they are recycled, as in a feed that has run for a while. A consumer that falls so
/// far behind is reported, and the measurement fails.
constexpr const char* kRetain = "256M";
constexpr std::uint64_t kWarmUpBytes = 512 << 20;

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}

/// What becomes of the journal while a measurement runs. Durable measurements sync always, whatever this says.
enum class Journal {
  cached,    ///< --sync none, segments recycled: written to disk when the kernel likes, as the peers' files are
  synced,    ///< the default, fdatasync every 50 ms, segments recycled: goes as fast as the disk takes it
  keep_all,  ///< --sync none, nothing pruned: to be replayed
};

template <std::size_t kBatch, Journal kJournal>
class Leat {
  static constexpr bool kKeepAll = kJournal == Journal::keep_all;

 public:
  static Traits traits() {
    Traits traits{.name = "leat",
                  .note = "publish, a call an event; journal in the page cache (--sync none), segments recycled",
                  .brokered = true,
                  .journaled = true,
                  .acknowledges = kBatch == 1,
                  .replays = kKeepAll};
    if (kBatch > 1) traits.name += "-batch", traits.note = "as leat, publish_batch of 64";
    if (kJournal == Journal::synced)
      traits.name += "-synced", traits.note = "as leat, fdatasync every 50 ms (the default)";
    if (kKeepAll) traits.name = "leat-journal", traits.note = "as leat-batch, nothing pruned; replay with Consumer";
    return traits;
  }
  static std::string missing() { return {}; }

  void start(const Setup& setup) {
    std::vector<std::string> options = {"--idle", std::string(to_string(setup.idle)), "--retain-bytes",
                                        kKeepAll ? "64G" : kRetain};
    const char* sync = setup.durable ? "always" : kJournal == Journal::synced ? "interval" : "none";
    options.insert(options.end(), {"--sync", sync});
    broker_.emplace(must(tool::PrivateBroker::start(setup.scratch, options)));
    if (!kKeepAll && setup.rate == 0 && !setup.durable) warm_up(setup.payload_bytes);
  }
  void stop() { broker_.reset(); }

  struct Sender {
    Sender(Leat& leat, const Setup& setup, unsigned, unsigned)
        : producer(must(Producer::connect(
              {.address = leat.broker_->address(), .name = "leat-bench", .idle = idle_of(setup.idle)}))),
          payloads(std::clamp<std::size_t>(kMostBatchBytes / setup.payload_bytes, 1, kBatch),
                   std::string(setup.payload_bytes, 'x')),
          keep_receipts(setup.durable) {
      for (const std::string& payload : payloads) events.push_back({.topic = "bench.event", .payload = payload});
    }
    std::byte* room() { return reinterpret_cast<std::byte*>(payloads[filled].data()); }
    void post() {
      if (++filled == payloads.size()) flush();
    }
    void flush() {
      if (filled == 0) return;
      auto receipt =
          filled == 1 ? producer.publish(events[0]) : producer.publish_batch(std::span(events).first(filled));
      filled = 0;
      if (!receipt) throw std::runtime_error(receipt.error().message);
      if (keep_receipts) receipts.push_back(*receipt);
    }
    void finish() { flush(); }
    void acknowledge() {
      if (receipts.empty()) throw std::runtime_error("nothing to acknowledge");
      must(producer.wait(receipts.front(), Ack::durable, kPatience));
      receipts.pop_front();
    }

    Producer producer;
    std::vector<std::string> payloads;
    std::vector<Event> events;
    bool keep_receipts;
    std::size_t filled = 0;
    std::deque<Receipt> receipts;
  };

  struct Receiver {
    Receiver(Leat& leat, const Setup& setup, unsigned, unsigned, bool from_start)
        : consumer(must(Consumer::connect({.address = leat.broker_->address(),
                                           .name = "leat-bench",
                                           .start = from_start ? Start::earliest() : Start::latest(),
                                           .level = setup.durable ? Level::durable : Level::live,
                                           .idle = idle_of(setup.idle)}))) {}
    const std::byte* take() {
      const Poll found = consumer.wait(view, kTurn);
      if (found == Poll::event) return reinterpret_cast<const std::byte*>(view.payload.data());
      if (found == Poll::error) throw std::runtime_error(consumer.last_error().message);
      if (found == Poll::reset) throw std::runtime_error(consumer.last_reset().to_string());
      return nullptr;
    }

    Consumer consumer;
    EventView view;
  };

 private:
  static leat::Idle idle_of(Idle idle) {
    return idle == Idle::spin ? leat::Idle::spin : idle == Idle::block ? leat::Idle::block : leat::Idle::adaptive;
  }

  // Fills all that is retained and a little more, so that what is measured afterwards goes into recycled segments.
  void warm_up(std::size_t payload_bytes) {
    auto producer = must(Producer::connect({.address = broker_->address(), .name = "warm-up"}));
    const std::string payload(payload_bytes, 'x');
    const std::vector<Event> batch(payload_bytes > 4096 ? 4 : kBatchEvents,
                                   {.topic = "bench.event", .payload = payload});
    for (std::uint64_t bytes = 0; bytes < kWarmUpBytes; bytes += batch.size() * (payload_bytes + 64)) {
      must(producer.publish_batch(batch));
    }
    must(producer.publish_and_wait({.topic = "bench.warm"}, Ack::committed, kPatience));
  }

  std::optional<tool::PrivateBroker> broker_;
};

}  // namespace

std::unique_ptr<Transport> make_leat() { return std::make_unique<Driver<Leat<1, Journal::cached>>>(); }
std::unique_ptr<Transport> make_leat_batch() { return std::make_unique<Driver<Leat<kBatchEvents, Journal::cached>>>(); }
std::unique_ptr<Transport> make_leat_synced() { return std::make_unique<Driver<Leat<1, Journal::synced>>>(); }
std::unique_ptr<Transport> make_leat_journal() {
  return std::make_unique<Driver<Leat<kBatchEvents, Journal::keep_all>>>();
}

}  // namespace leat::bench
