// The standard life of a feed, with one system call of leatd failing somewhere in it. No GoogleTest in here.
//
//   start on a new directory, clients connect, events over several rolls with recycling and pruning, a named cursor
//   kill -9, events into the arena while nobody is there, restart, more events, a producer that comes and goes
//   clean stop; and then, without the fault: start, the cursor's place, every byte once more, clean stop
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <leat/leat.h>

#include "support/broker_process.h"
#include "support/event_checker.h"
#include "support/fault_plan.h"

namespace leat::test {

struct Fault {
  Call call = Call::none;
  int error = 0;            ///< errno, or kShortCount
  std::uint64_t first = 0;  ///< the how-manieth call fails
  std::uint64_t times = 1;
  [[nodiscard]] std::string to_string() const;
};

struct ScenarioOptions {
  Fault fault;
  std::uint64_t seed = 0;
  std::string shim;                      ///< path of leat_fault_shim
  std::map<std::string, int> most_open;  ///< by kind: descriptors that leatd may hold; empty: not checked
};

/// What came of it.
struct Outcome {
  std::uint64_t hits = 0;
  std::string where;               ///< what the failed call was about
  std::vector<std::string> wrong;  ///< broken promises; empty: all held
  std::uint64_t failed_starts = 0;
  std::uint64_t ended = 0;                         ///< leatd ended by itself while it served
  std::uint64_t feed_failures = 0;                 ///< stopped accepting, and said so
  std::array<std::uint64_t, kCallCount> counts{};  ///< calls of each kind in all
  std::map<std::string, int> open;                 ///< descriptors of leatd at the end, by kind
  std::string files;                               ///< where they are kept, if anything is wrong
};

/// Runs it once. Thread-safe: several may run at a time.
Outcome run_scenario(const ScenarioOptions& options);

}  // namespace leat::test
