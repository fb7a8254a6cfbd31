// What the sequencer does about tickets that were never filled, overwritten or moved: every producer can write all of
// the inbound ring, and any producer can die between two instructions.
#pragma once

#include <cstdint>

#include "broker/log_gate.h"
#include "broker/options.h"
#include "broker/sequence/feed_condition.h"
#include "broker/sequence/lanes.h"
#include "broker/sequence/round.h"
#include "shm/ingest/inbound_ring.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// One thread. Everything here looks at lines that producers are writing to: now and then only.
class InboundRepair {
 public:
  InboundRepair(const Options& options, internal::InboundConsumer& inbound, internal::SequencerCounters& counters,
                Lanes& lanes, Round& round, FeedCondition& condition) noexcept;

  /// Gives up tickets that a producer has taken and not filled for skip_wait_us. True: the head has moved.
  bool try_skip();

  /// True every few milliseconds: time for repair().
  [[nodiscard]] bool is_due() noexcept;
  /// Shows the right head again, and takes entries whose tickets are lost. True: entries were dealt with.
  bool repair();

  /// Takes entries of which their producers say, in their own arenas, that they are published, and whose tickets never
  /// came: another producer has overwritten them. There may be no next entry that such an entry could be taken along
  /// with. Looks at 256 producers a call, in turn. True: entries were dealt with.
  bool take_lost_tickets();

 private:
  void repair_tail();
  [[nodiscard]] bool ticket_is_lost(Lane& lane) noexcept;

  const Options& options_;
  internal::InboundConsumer& inbound_;
  internal::SequencerCounters& counters_;
  Lanes& lanes_;
  Round& round_;
  FeedCondition& condition_;
  LogGate gate_;
  std::int64_t next_repair_ns_ = 0;
  std::uint32_t next_lane_ = 0;        // that take_lost_tickets() looks at
  std::uint64_t skip_ticket_ = ~0ULL;  // the first open ticket that is waited for
  std::uint64_t skip_count_ = 0;       // tickets from that one on that were taken when the wait began
  std::int64_t skip_since_ns_ = 0;
};

}  // namespace leat::broker
