// leat bench: what a feed does on this machine, end to end, beside the floors of the machine itself.
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>

#include "tools/leat/bench_broker.h"
#include "tools/leat/bench_run.h"
#include "tools/leat/commands.h"
#include "tools/leat/exit_code.h"
#include "tools/leat/options.h"
#include "tools/leat/output.h"
#include "text/json_writer.h"
#include "text/table.h"

namespace leat::tool {
namespace {

struct BenchOptions {
  std::uint64_t payload_bytes = 64;
  std::uint64_t samples = 200'000;
  std::uint64_t durable_samples = 500;
  std::uint64_t events = 5'000'000;
  std::uint64_t batch = 64;
  std::string idle = "spin";
  std::string directory;
  std::string format = "text";
};

constexpr double kPercentiles[] = {0.5, 0.9, 0.99, 0.999, 0.9999};
constexpr const char* kPercentileNames[] = {"p50", "p90", "p99", "p99.9", "p99.99"};

std::string decimal(double value, const char* pattern = "%.2f") {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

class Bench {
 public:
  explicit Bench(const BenchOptions& options) : options_(options) {}

  int run() {
    if (options_.directory.empty()) options_.directory = std::filesystem::temp_directory_path().string();
    note("floors of this machine");
    auto floor = cache_line_round_trip(options_.samples);
    add_latency("cache line, two cores, round trip", floor, 0);
    live_floor_ns_ = floor.at(0.5);
    auto synced = bare_fdatasync(options_.directory, options_.durable_samples);
    if (!synced) return fail(synced.error());
    add_latency("write and fdatasync of 4 KiB", *synced, 0);
    durable_floor_ns_ = synced->at(0.5);
    if (auto done = live(); !done) return fail(done.error());
    if (auto done = throughputs(); !done) return fail(done.error());
    if (auto done = durable(); !done) return fail(done.error());
    return print();
  }

 private:
  Load load(const PrivateBroker& broker, std::uint64_t events, std::uint64_t batch = 1) const {
    return {.address = broker.address(), .payload_bytes = options_.payload_bytes, .events = events, .batch = batch};
  }

  // Enough to fill all that is retained once, so that segments are recycled from then on.
  static constexpr std::uint64_t kWarmUpEvents = 2'500'000;

  void note(const char* what) const {
    if (::isatty(STDERR_FILENO) == 1) std::fprintf(stderr, "leat bench: %s ...\n", what);
  }

  Result<void> live() {
    auto broker = PrivateBroker::start(options_.directory, {"--idle", options_.idle});
    if (!broker) return broker.error();
    note("publish to delivery, live");
    auto latency = delivery_latency(load(*broker, options_.samples), Level::live);
    if (!latency) return latency.error();
    add_latency("publish to delivery, live", *latency, live_floor_ns_);
    return {};
  }

  // Twice: with the journal in the page cache, its segments recycled, which shows what Leat itself takes; and synced
  // every 50 ms into new segments, which on most machines shows what the disk takes.
  Result<void> throughputs() {
    if (auto done = throughput_rows("page cache", {"--sync", "none", "--retain-bytes", "192M"}); !done) return done;
    return throughput_rows("synced", {"--sync", "interval", "--retain-bytes", "4G"});
  }

  Result<void> throughput_rows(const char* journal, const std::vector<std::string>& extra) {
    std::vector<std::string> arguments = {"--idle", options_.idle};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    auto broker = PrivateBroker::start(options_.directory, arguments);
    if (!broker) return broker.error();
    note("warming up");
    if (auto warm = into_the_ring(load(*broker, kWarmUpEvents, options_.batch)); !warm) return warm.error();
    struct Row {
      const char* name;
      std::uint64_t batch;
      Result<Throughput> (*measure)(const Load&);
    };
    for (const Row& row :
         {Row{"into the ring", 1, into_the_ring}, Row{"into the ring, batches", options_.batch, into_the_ring},
          Row{"to one consumer", 1, throughput}, Row{"to one consumer, batches", options_.batch, throughput}}) {
      const std::string name = std::string(row.name) + ", " + journal;
      note(name.c_str());
      auto measured = row.measure(load(*broker, options_.events, row.batch));
      if (!measured) return measured.error();
      throughputs_.push_back({name, *measured});
    }
    return {};
  }

  Result<void> durable() {
    auto broker = PrivateBroker::start(options_.directory, {"--idle", options_.idle, "--sync", "always"});
    if (!broker) return broker.error();
    note("durable");
    auto acknowledged = durable_acknowledgement(load(*broker, options_.durable_samples));
    if (!acknowledged) return acknowledged.error();
    add_latency("publish to durable receipt", *acknowledged, durable_floor_ns_);
    auto delivered = delivery_latency(load(*broker, options_.durable_samples), Level::durable);
    if (!delivered) return delivered.error();
    add_latency("publish to delivery, durable", *delivered, durable_floor_ns_);
    return {};
  }

  void add_latency(const char* name, const Latencies& latencies, std::int64_t floor_ns) {
    latencies_.push_back({name, latencies, floor_ns});
  }

  int print() const {
    Output output;
    output.buffer() += options_.format == "json" ? json() : text();
    output.end_line();
    output.flush();
    return output.status(kExitOk);
  }

  std::string text() const {
    std::vector<std::string> lines;
    using enum Table::Align;
    Table latency({left, right, right, right, right, right, right});
    latency.add({"latency, us (" + std::to_string(options_.payload_bytes) + " B)", "p50", "p90", "p99", "p99.9",
                 "p99.99", "p50 / floor"});
    for (const auto& row : latencies_) {
      std::vector<std::string> cells = {row.name};
      for (const double fraction : kPercentiles) {
        cells.push_back(decimal(static_cast<double>(row.latencies.at(fraction)) / 1e3));
      }
      cells.push_back(row.floor_ns > 0 ? ratio(row) : "");
      latency.add(cells);
    }
    latency.append_to(lines);
    lines.emplace_back();
    Table rate({left, right, right, right, right});
    rate.add({"throughput, million events a second", "published", "committed", "delivered", "lapped"});
    for (const auto& [name, measured] : throughputs_) {
      rate.add({name, decimal(measured.published_per_second / 1e6), decimal(measured.committed_per_second / 1e6),
                decimal(measured.delivered_per_second / 1e6), std::to_string(measured.lapped)});
    }
    rate.append_to(lines);
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
  }

  std::string json() const {
    JsonArray latency;
    for (const auto& row : latencies_) {
      JsonObject entry(JsonOrder::by_name);
      entry.add("name", row.name).add("samples", row.latencies.count());
      for (std::size_t i = 0; i < std::size(kPercentiles); ++i) {
        entry.add(std::string(kPercentileNames[i]) + "_ns", row.latencies.at(kPercentiles[i]));
      }
      if (row.floor_ns > 0) {
        entry.add("p50_over_floor", static_cast<double>(row.latencies.at(0.5)) / static_cast<double>(row.floor_ns));
      }
      latency.add(entry);
    }
    JsonArray throughput;
    for (const auto& [name, measured] : throughputs_) {
      throughput.add(JsonObject(JsonOrder::by_name)
                         .add("name", name)
                         .add("published_per_second", measured.published_per_second)
                         .add("committed_per_second", measured.committed_per_second)
                         .add("delivered_per_second", measured.delivered_per_second)
                         .add("lapped", measured.lapped));
    }
    JsonObject root(JsonOrder::by_name);
    root.add("payload_bytes", options_.payload_bytes).add("latency", latency).add("throughput", throughput);
    return root.json().text + "\n";
  }

  struct LatencyRow {
    const char* name;
    Latencies latencies;
    std::int64_t floor_ns;
  };
  static std::string ratio(const LatencyRow& row) {
    return decimal(static_cast<double>(row.latencies.at(0.5)) / static_cast<double>(row.floor_ns));
  }

  BenchOptions options_;
  std::int64_t live_floor_ns_ = 0;
  std::int64_t durable_floor_ns_ = 0;
  std::vector<LatencyRow> latencies_;
  std::vector<std::pair<std::string, Throughput>> throughputs_;
};

}  // namespace

void register_bench(cmdline::Command& app, Commands& commands) {
  cmdline::Command* bench = app.add_subcommand(
      "bench",
      "Measure this machine end to end: starts a leatd of its own in temporary directories, measures latency "
      "and throughput through it, live and durable, beside the machine's floors.");
  auto options = std::make_shared<BenchOptions>();
  add_integer(*bench, "--payload", options->payload_bytes, 0, 65536, "payload bytes of an event", "64");
  add_integer(*bench, "--samples", options->samples, 1000, 100'000'000, "samples of live latency", "200000");
  add_integer(*bench, "--durable-samples", options->durable_samples, 10, 10'000'000, "samples of durable latency",
              "500");
  add_integer(*bench, "--events", options->events, 1000, 1'000'000'000, "events of a throughput run", "5000000");
  add_integer(*bench, "--batch", options->batch, 2, 4096, "events of a batch", "64");
  add_choice(*bench, "--idle", options->idle, {"spin", "adaptive", "block"}, "the broker's idle strategy");
  bench->add_option("--dir", options->directory,
                    "where the journal is written: the file system to be measured (default: the directory for "
                    "temporary files)");
  add_choice(*bench, "--format", options->format, {"text", "json"}, "how to print");
  commands.push_back({bench, [options] { return Bench(*options).run(); }, {"leat bench", "leat bench --format json"}});
}

}  // namespace leat::tool
