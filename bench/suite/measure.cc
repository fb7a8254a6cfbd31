#include "measure.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

namespace leat::bench {
namespace {

constexpr std::uint64_t kProbeEvents = 2'000;
constexpr std::uint64_t kFewestEvents = 200;
constexpr std::uint64_t kMostEvents = 20'000'000;
constexpr double kProbeLongEnough_s = 0.02;

bool is_latency(Kind kind) { return kind == Kind::ping || kind == Kind::paced || kind == Kind::acknowledge_each; }

// Stops the transport however a measurement ends.
class Started {
 public:
  Started(Transport& transport, const Setup& setup) : transport_(transport) {
    try {
      transport_.start(setup);
    } catch (...) {
      transport_.stop();
      throw;
    }
  }
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;
  ~Started() { transport_.stop(); }

 private:
  Transport& transport_;
};

void add_workers(Crew& crew, Transport& transport, Kind kind, const Setup& setup) {
  switch (kind) {
    case Kind::ping:
      if (!transport.traits().brokered) crew.add_servant([&](Worker& worker) { transport.echo(setup, worker); });
      crew.add([&](Worker& worker) { transport.ping(setup, worker); });
      return;
    case Kind::paced:
    case Kind::throughput:
      for (unsigned i = 0; i < setup.receivers; ++i) {
        crew.add([&, i, kind](Worker& worker) {
          kind == Kind::paced ? transport.receive_timed(setup, i, worker) : transport.receive_all(setup, i, worker);
        });
      }
      crew.await_ready();
      for (unsigned i = 0; i < setup.senders; ++i) {
        crew.add([&, i, kind](Worker& worker) {
          kind == Kind::paced ? transport.send_paced(setup, i, worker) : transport.send_all(setup, i, worker);
        });
      }
      return;
    case Kind::acknowledge_each: crew.add([&](Worker& worker) { transport.acknowledge_each(setup, worker); }); return;
    case Kind::acknowledge_window:
      crew.add([&](Worker& worker) { transport.acknowledge_window(setup, worker); });
      return;
    case Kind::replay: {
      Crew before(1);
      before.add([&](Worker& worker) { transport.send_all(setup, 0, worker); });
      before.run();
      crew.add([&](Worker& worker) { transport.replay(setup, worker); });
      return;
    }
  }
}

void run_once(Transport& transport, Outcome& outcome, const std::string& scratch_parent) {
  const Scratch scratch(scratch_parent);
  Setup& setup = outcome.row.setup;
  setup.scratch = scratch.path();
  const Started started(transport, setup);
  Crew crew(setup.senders + setup.receivers + 1);
  add_workers(crew, transport, outcome.row.kind, setup);
  crew.run();
  const auto elapsed_ns = static_cast<double>(crew.elapsed_ns());
  outcome.events_per_second = elapsed_ns > 0 ? static_cast<double>(setup.events) * 1e9 / elapsed_ns : 0;
  outcome.lost = 0;
  outcome.latency.reset();
  for (std::size_t i = 0; i < crew.size(); ++i) {
    outcome.lost += crew.page(i).lost;
    if (!is_latency(outcome.row.kind)) continue;
    if (!outcome.latency) outcome.latency.emplace();
    outcome.latency->merge(crew.page(i).latency);
  }
}

// How many events fill the time: found with short runs that grow until one is long enough to tell.
std::uint64_t events_for(Transport& transport, const Outcome& wanted, const std::string& scratch_parent) {
  const Row& row = wanted.row;
  if (row.kind == Kind::paced) return static_cast<std::uint64_t>(static_cast<double>(row.setup.rate) * row.seconds);
  Outcome probe = wanted;
  probe.row.setup.events = row.kind == Kind::acknowledge_each && row.setup.durable ? kFewestEvents / 4 : kProbeEvents;
  for (;;) {
    run_once(transport, probe, scratch_parent);
    const double took_s = static_cast<double>(probe.row.setup.events) / std::max(probe.events_per_second, 1.0);
    if (took_s >= kProbeLongEnough_s) break;
    probe.row.setup.events *= 16;
  }
  const double events = probe.events_per_second * row.seconds;
  return std::clamp(static_cast<std::uint64_t>(events), kFewestEvents, kMostEvents);
}

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::ping: return "ping";
    case Kind::paced: return "paced";
    case Kind::throughput: return "throughput";
    case Kind::acknowledge_each: return "acknowledge_each";
    case Kind::acknowledge_window: return "acknowledge_window";
    case Kind::replay: return "replay";
  }
  return "?";
}

Outcome measure(Transport& transport, Row row, const std::string& scratch_parent) {
  Outcome outcome;
  outcome.row = std::move(row);
  outcome.error = transport.missing();
  if (!outcome.error.empty()) return outcome;
  try {
    if (outcome.row.setup.events == 0) outcome.row.setup.events = events_for(transport, outcome, scratch_parent);
    run_once(transport, outcome, scratch_parent);
  } catch (const std::exception& error) {
    outcome.error = error.what();
  }
  return outcome;
}

nlohmann::json latency_json(const Histogram& latency) {
  return {{"count", latency.count()},   {"p50_ns", latency.at(0.5)},     {"p90_ns", latency.at(0.9)},
          {"p99_ns", latency.at(0.99)}, {"p99.9_ns", latency.at(0.999)}, {"p99.99_ns", latency.at(0.9999)},
          {"max_ns", latency.max()}};
}

nlohmann::json to_json(const Outcome& outcome) {
  const Setup& setup = outcome.row.setup;
  nlohmann::json json = {{"transport", outcome.row.transport},   {"kind", to_string(outcome.row.kind)},
                         {"chart", outcome.row.chart},           {"round", outcome.round},
                         {"payload_bytes", setup.payload_bytes}, {"events", setup.events},
                         {"producers", setup.senders},           {"consumers", setup.receivers},
                         {"idle", to_string(setup.idle)},        {"level", setup.durable ? "durable" : "live"}};
  if (outcome.row.kind == Kind::paced) json["rate_per_second"] = setup.rate;
  if (!outcome.error.empty()) {
    json["error"] = outcome.error;
    return json;
  }
  if (outcome.lost > 0) json["lost"] = outcome.lost;
  if (!outcome.floor.empty()) json["floor"] = outcome.floor, json["over_floor"] = outcome.over_floor;
  if (!outcome.latency) {
    json["events_per_second"] = outcome.events_per_second;
    return json;
  }
  json["latency"] = latency_json(*outcome.latency);
  return json;
}

Scratch::Scratch(const std::string& parent) : path_(parent + "/leat-suite-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("cannot make a directory in " + parent);
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace leat::bench
