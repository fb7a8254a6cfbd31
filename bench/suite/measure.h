// One measurement: one transport, one kind of work, one set of parameters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "peer.h"

namespace leat::bench {

enum class Kind : std::uint8_t {
  ping,                ///< one event in flight: latency of its delivery
  paced,               ///< open loop at a steady rate: latency from the time an event was due
  throughput,          ///< as fast as it goes, until the last receiver has the last event
  acknowledge_each,    ///< latency until one event is acknowledged (durable where the transport knows that)
  acknowledge_window,  ///< the same, with a window of events outstanding: events a second
  replay,              ///< events a second of a receiver that starts at the first of what is stored
};
std::string_view to_string(Kind kind);

struct Row {
  std::string transport;
  Kind kind = Kind::throughput;
  Setup setup;
  std::string chart;   ///< which picture of the report it belongs to
  double seconds = 1;  ///< how long it should take; setup.events is made to fit when it is 0
};

struct Outcome {
  Row row;
  unsigned round = 0;
  double events_per_second = 0;           ///< throughput and its like
  std::optional<Histogram> latency = {};  ///< the others
  std::uint64_t lost = 0;
  std::string error = {};  ///< empty: it worked
  std::string floor = {};  ///< which floor this figure is compared with, if any
  double over_floor = 0;

  [[nodiscard]] double p(double fraction) const { return latency ? static_cast<double>(latency->at(fraction)) : 0; }
};

/// Runs it, in a fresh scratch directory under `scratch_parent`. Never throws: what goes wrong is the outcome's error.
Outcome measure(Transport& transport, Row row, const std::string& scratch_parent);

nlohmann::json to_json(const Outcome& outcome);
/// Percentiles in nanoseconds, count and maximum.
nlohmann::json latency_json(const Histogram& latency);

/// A temporary directory, removed with all that is in it.
class Scratch {
 public:
  explicit Scratch(const std::string& parent);
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace leat::bench
