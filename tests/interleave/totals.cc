#include <sstream>

#include "tests/interleave/feed_world.h"

namespace leat::sim {

std::string Totals::describe() const {
  std::ostringstream text;
  text << runs << " runs: " << steps << " steps, " << switches << " switches, " << stale_loads << " old values read, "
       << events << " events, " << received << " received, " << lapped << " copies lapped, " << ring_laps
       << " laps of the inbound ring, " << skipped << " tickets skipped, " << retried << " retried, " << sleeps
       << " sleeps, " << stopped << " stopped or killed (" << killed << " producers killed), " << late
       << " sleeps ended by time-out after a kill";
  return text.str();
}

}  // namespace leat::sim
