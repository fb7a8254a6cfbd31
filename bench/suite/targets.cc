#include "targets.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>

namespace leat::bench {
namespace {

constexpr double kRecordBytes = 128;  // 64 bytes of payload: header 48, topic 11, padded

std::string number(double value, const char* pattern = "%.2f") {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

class Judge {
 public:
  explicit Judge(const Results& results) : results_(results) {}

  std::vector<Target> all() {
    latency();
    latency_floor();
    throughput();
    durable();
    replay();
    alone();
    return std::move(targets_);
  }

 private:
  using Figure = std::function<double(const Outcome&)>;

  [[nodiscard]] std::optional<double> median(const std::string& transport, Kind kind, const Figure& figure) const {
    std::vector<double> values;
    for (const Outcome& outcome : results_.rows) {
      const Row& row = outcome.row;
      if (row.chart == "targets" && row.transport == transport && row.kind == kind &&
          row.setup.idle == Idle::adaptive && outcome.error.empty()) {
        values.push_back(figure(outcome));
      }
    }
    if (values.empty()) return std::nullopt;
    std::ranges::sort(values);
    return values[values.size() / 2];
  }
  /// As users run it: rows of another idle strategy than the default are for the pictures.
  [[nodiscard]] std::optional<double> rate(const std::string& transport, Kind kind) const {
    return median(transport, kind, [](const Outcome& outcome) { return outcome.events_per_second; });
  }

  void add(std::string what, bool at_most, double limit, std::optional<double> measured, std::string basis) {
    Target target{.what = std::move(what),
                  .wanted = (at_most ? "at most " : "at least ") + number(limit),
                  .basis = std::move(basis)};
    if (measured) {
      target.known = true;
      target.measured = *measured;
      target.met = at_most ? *measured <= limit : *measured >= limit;
    }
    targets_.push_back(std::move(target));
  }

  static std::optional<double> over(std::optional<double> value, std::optional<double> base) {
    if (!value || !base || *base <= 0) return std::nullopt;
    return *value / *base;
  }
  static std::string millions(std::optional<double> value) { return value ? number(*value / 1e6, "%.3f M/s") : "?"; }

  void latency() {
    if (!results_.latency) return;
    for (const double p : {0.5, 0.99}) {
      paired("publish to delivery, " + number(100 * p, "p%.0f") + " / cache line round trip, p50", p == 0.5 ? 1.25 : 3,
             static_cast<double>(results_.latency->ours.at(p)), static_cast<double>(results_.latency->floor.at(0.5)),
             "ns", 1);
    }
  }

  void latency_floor() {
    if (!results_.latency) return;
    paired("(floor) publish to delivery / bare relay of the same bytes, p50", 1.25,
           static_cast<double>(results_.latency->ours.at(0.5)), static_cast<double>(results_.latency->relay.at(0.5)),
           "ns", 1);
    paired("(floor) bare relay / cache line round trip, p50", 1.25,
           static_cast<double>(results_.latency->relay.at(0.5)), static_cast<double>(results_.latency->floor.at(0.5)),
           "ns", 1);
  }

  void paired(std::string what, double limit, double ours, double floor, const char* unit, double ns_per_unit) {
    add(std::move(what), true, limit, over(ours, floor),
        number(ours / ns_per_unit, "%.1f ") + unit + "; " + number(floor / ns_per_unit, "%.1f ") + unit);
  }

  void throughput() {
    const auto ours = rate("leat", Kind::throughput);
    const auto against = [&](const char* peer, double limit) {
      const auto theirs = rate(peer, Kind::throughput);
      add(std::string("throughput / ") + peer, false, limit, over(ours, theirs),
          millions(ours) + "; " + millions(theirs));
    };
    against("message_queue", 4);
    against("zeromq", 8);
    against("redis-pipelined", 40);
    against("nats-async", 100);
    const auto batch = rate("leat-batch", Kind::throughput);
    add("throughput, publish_batch of 64 / single", false, 2, over(batch, ours),
        millions(batch) + "; " + millions(ours));
    const auto beside_sequencer = [&](const char* what, std::optional<double> value, double ns) {
      const auto bound = ns > 0 ? std::optional<double>(1e9 / ns) : std::nullopt;
      add(std::string("(floor) ") + what + " / the sequencer alone, entries in its caches", false, 0.5,
          over(value, bound), millions(value) + "; " + millions(bound));
    };
    beside_sequencer("throughput", ours, results_.sequencer_alone_ns);
    beside_sequencer("throughput in batches", batch, results_.sequencer_alone_batch_ns);
  }

  void durable() {
    if (results_.durable) {
      paired("durable publish, one at a time / fdatasync", 1.3, static_cast<double>(results_.durable->ours.at(0.5)),
             static_cast<double>(results_.durable->floor.at(0.5)), "us", 1e3);
    }
    const auto ours = rate("leat", Kind::acknowledge_window);
    const auto redis = rate("redis-pipelined", Kind::acknowledge_window);
    add("durable, 64 outstanding / Redis always, pipelined", false, 10, over(ours, redis),
        millions(ours) + "; " + millions(redis));
    const double bound = 64e9 / static_cast<double>(results_.floors.fdatasync.at(0.5));
    add("(floor) durable, 64 outstanding / 64 per bare fdatasync", false, 0.8, over(ours, bound),
        millions(ours) + "; " + millions(bound));
  }

  void replay() {
    const auto ours = rate("leat-journal", Kind::replay);
    const auto nats = rate("nats-async", Kind::replay);
    add("replay / JetStream ordered replay", false, 25, over(ours, nats), millions(ours) + "; " + millions(nats));
    const double copy = results_.floors.memcpy_bytes_per_second;
    const auto bytes = ours ? std::optional<double>(*ours * kRecordBytes) : std::nullopt;
    add("replay, record bytes / memcpy bandwidth", false, 1.0 / 3, over(bytes, copy),
        number(bytes.value_or(0) / 1e9, "%.2f GB/s; ") + number(copy / 1e9, "%.2f GB/s"));
  }

  void alone() {
    const auto cost = results_.publish_cost_ns > 0 ? std::optional<double>(results_.publish_cost_ns) : std::nullopt;
    add("publish in the producer, ns", true, 25, cost, number(cost.value_or(0), "%.1f ns"));
    if (results_.instructions.contains("step_64_consumers")) {
      const double one = results_.instructions["step_1_consumer"];
      const double many = results_.instructions["step_64_consumers"];
      add("sequencer's instructions an event, 64 consumers / 1", true, 1.02, over(many, one),
          number(many, "%.0f; ") + number(one, "%.0f"));
    } else {
      add("sequencer's instructions an event, 64 consumers / 1", true, 1.02, std::nullopt,
          "bench/instructions/check did not run");
    }
    if (results_.starts.size() == 2) {
      const JournalStart& empty = results_.starts.front();
      const JournalStart& large = results_.starts.back();
      const std::string size = number(static_cast<double>(large.journal_bytes) / 1e9, "%.1f GB journal: ");
      add("start of the broker on a large journal / an empty one", true, 1.25, over(large.broker_ms, empty.broker_ms),
          size + number(large.broker_ms, "%.1f ms; ") + number(empty.broker_ms, "%.1f ms"));
      add("start of a consumer at a sequence / in an empty one", true, 1.25, over(large.consumer_ms, empty.consumer_ms),
          size + number(large.consumer_ms, "%.2f ms; ") + number(empty.consumer_ms, "%.2f ms"));
      add("memory of the broker on it / on an empty one", true, 1.05,
          over(static_cast<double>(large.broker_rss_bytes), static_cast<double>(empty.broker_rss_bytes)),
          number(static_cast<double>(large.broker_rss_bytes) / 1e6, "%.2f MB; ") +
              number(static_cast<double>(empty.broker_rss_bytes) / 1e6, "%.2f MB"));
    }
    if (results_.idle) {
      add("idle broker, percent of a core", true, 1, results_.idle->cpu_percent,
          number(results_.idle->cpu_percent, "%.2f %%"));
      paired("wake of an idle broker until delivery / futex wake", 2,
             static_cast<double>(results_.idle->wake.ours.at(0.5)),
             static_cast<double>(results_.idle->wake.floor.at(0.5)), "us", 1e3);
    }
  }

  const Results& results_;
  std::vector<Target> targets_;
};

}  // namespace

std::vector<Target> judge(const Results& results) { return Judge(results).all(); }

}  // namespace leat::bench
