#include "broker/sequence/inbound_repair.h"

#include <algorithm>

#include "base/clock.h"
#include "broker/log.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr std::int64_t kRepairNs = 5 * kNanosPerMilli;
constexpr std::uint32_t kLanesAtOnce = 256;
constexpr std::uint64_t kMaxSkippedAtOnce = 4096;

}  // namespace

InboundRepair::InboundRepair(const Options& options, InboundConsumer& inbound, SequencerCounters& counters,
                             Lanes& lanes, Round& round, FeedCondition& condition) noexcept
    : options_(options), inbound_(inbound), counters_(counters), lanes_(lanes), round_(round), condition_(condition) {}

void InboundRepair::repair_tail() {
  if (!inbound_.repair_tail()) return;
  bump(counters_.ring_repairs);
  if (gate_.pass()) {
    log::warn("the inbound ring's tail made no sense and was set right at ticket {}: a producer scribbles over it{}",
              inbound_.head(), gate_.left_out());
  }
}

// No guess about liveness: a producer that only was slow finds its ticket gone and takes a new one. All tickets that
// were taken when the wait began have had their wait: a producer that forges a tail far ahead costs the others one
// wait, not one for each ticket that nobody has.
bool InboundRepair::try_skip() {
  if (round_.is_held()) return false;  // its tickets are not done with
  repair_tail();
  const std::uint64_t head = inbound_.head();
  if (!inbound_.taken(head)) {
    skip_ticket_ = ~0ULL;
    return false;
  }
  const std::int64_t now = monotonic_ns();
  if (skip_ticket_ != head) {
    skip_ticket_ = head;
    skip_count_ = std::min(inbound_.tail() - head, kMaxSkippedAtOnce);
    skip_since_ns_ = now;
    return false;
  }
  if (now - skip_since_ns_ < options_.skip_wait_us * kNanosPerMicro) return false;
  LEAT_ASSERT(skip_count_ > 0 && skip_count_ <= inbound_.slots());
  skip_ticket_ = ~0ULL;
  std::uint64_t next = head;
  while (next - head < skip_count_ && inbound_.peek(next) == inbound_.unfilled(next) && inbound_.skip(next)) ++next;
  if (next == head) return false;
  bump(counters_.skipped_tickets, next - head);
  round_.pass_tickets(next);
  lanes_.release_leavers();
  return true;
}

bool InboundRepair::is_due() noexcept {
  const std::int64_t now = monotonic_ns();
  if (now < next_repair_ns_) return false;
  next_repair_ns_ = now + kRepairNs;
  return true;
}

bool InboundRepair::repair() {
  if (inbound_.repair_head()) bump(counters_.ring_repairs);
  return take_lost_tickets();
}

// No guess about time: a producer stores its arena's tail after it has filled its ticket. So once the head has passed
// what was the ring's tail when the entry was first noticed, that ticket lies behind the head, or is gone.
bool InboundRepair::ticket_is_lost(Lane& lane) noexcept {
  // A producer that has left fills no ticket any more.
  const bool has_left = lane.leaving && static_cast<std::int64_t>(lane.leave_at_ticket - inbound_.head()) <= 0;
  if (has_left) return true;
  if (lane.suspect_position != lane.next_position) {
    lane.suspect_position = lane.next_position;
    lane.suspect_until = inbound_.tail();
    return false;
  }
  return static_cast<std::int64_t>(lane.suspect_until - inbound_.head()) <= 0;
}

bool InboundRepair::take_lost_tickets() {
  if (round_.is_held() || condition_.is_closed()) return false;
  LEAT_ASSERT(round_.is_empty());
  bool begun = false;
  // Each costs a line that its producer writes to: with thousands of producers a look at all would hold up a round.
  for (std::uint32_t looks = std::min(lanes_.slots(), kLanesAtOnce); looks > 0; --looks) {
    Lane& lane = lanes_.at(next_lane_);
    next_lane_ = next_lane_ + 1 < lanes_.slots() ? next_lane_ + 1 : 0;
    // What may have been sealed again can be judged only while all that was taken before is completed.
    if (lane.live && !lane.revoked && round_.is_reported()) (void)round_.go_back(lane);
    const std::uint64_t owed = lane.owed_bytes();
    if (owed == 0 || round_.is_full() || !ticket_is_lost(lane)) continue;
    if (!begun) round_.begin();
    begun = true;
    round_.take_published(lane, owed);
  }
  if (!begun) return false;
  const bool progress = !round_.is_empty();
  bump(counters_.ring_repairs);
  if (gate_.pass()) {
    log::warn(
        "tickets in the inbound ring were written over, and their entries taken without them: a producer "
        "scribbles over the ring{}",
        gate_.left_out());
  }
  round_.finish(inbound_.head());
  return progress;
}

}  // namespace leat::broker
