// A whole feed in simulated memory: the real producers' path (client-lib/publish), the real sequencer (broker/sequence)
// with its journal, readers over the real broadcast ring and doorbell. Small capacities; one seed decides everything.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/interleave/memory_model.h"

namespace leat::sim {

/// What runs have done, for the report.
struct Totals {
  std::uint64_t runs = 0;
  std::uint64_t steps = 0;
  std::uint64_t switches = 0;
  std::uint64_t stale_loads = 0;
  std::uint64_t events = 0;
  std::uint64_t received = 0;
  std::uint64_t lapped = 0;
  std::uint64_t skipped = 0;
  std::uint64_t retried = 0;
  std::uint64_t ring_laps = 0;
  std::uint64_t sleeps = 0;
  std::uint64_t stopped = 0;
  std::uint64_t killed = 0;
  std::uint64_t late = 0;  ///< sleeps that a time-out had to end: somebody was killed between publishing and waking

  [[nodiscard]] std::string describe() const;
};

class FeedWorld {
 public:
  FeedWorld();
  ~FeedWorld();

  /// Empty if all promises held, else what broke.
  std::string run(std::uint64_t seed, Removed removed, Totals& totals, bool trace = false);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace leat::sim
