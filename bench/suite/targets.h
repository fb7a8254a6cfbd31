// The targets of this project, as ratios within one run: medians of several measurements that took turns.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "floors.h"
#include "measure.h"
#include "specials.h"

namespace leat::bench {

/// All that one run has measured.
struct Results {
  nlohmann::json machine;
  nlohmann::json transports;
  Floors floors{};
  std::vector<Outcome> rows;
  double publish_cost_ns = 0;
  double sequencer_alone_ns = 0;        ///< an event, each in an entry of its own
  double sequencer_alone_batch_ns = 0;  ///< in entries of 64
  std::optional<IdleBroker> idle;
  std::optional<DeliveryLatency> latency;
  std::optional<Paired> durable;
  std::vector<JournalStart> starts;   ///< empty journal first
  nlohmann::json instructions;        ///< what bench/instructions/check printed; null if it did not run
  std::vector<std::string> failures;  ///< what could not be measured, besides rows that carry their own error
};

struct Target {
  std::string what;
  std::string wanted;  ///< "at most 1.25"
  double measured = 0;
  bool known = false;  ///< false: one of its figures is missing
  bool met = false;
  std::string basis;  ///< the figures it was made of
};

std::vector<Target> judge(const Results& results);

}  // namespace leat::bench
