// Living with dead, slow and hostile producers: tickets that were never filled, and a ring that somebody scribbles
// over.
#include <algorithm>

#include "broker/log.h"
#include "broker/sequence/sequencer.h"
#include "base/clock.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr std::int64_t kMendNs = 5 * kNanosPerMilli;
constexpr std::uint64_t kMaxSkippedAtOnce = 4096;

}  // namespace

void Sequencer::mend_tail() {
  if (!parts_.inbound->repair_tail()) return;
  bump(parts_.counters->ring_repairs);
  if (ring_gate_.pass()) {
    log::warn("the inbound ring's tail made no sense and was set right at ticket {}: a producer scribbles over it{}",
              parts_.inbound->head(), ring_gate_.left_out());
  }
}

// Gives up tickets that somebody has taken and not filled for skip_wait_us. No guess about liveness: if a producer only
// was slow, it finds its ticket gone and takes a new one. All that were taken when the wait began have had it: a
// scribbler that moves the tail ahead costs the others one wait, not one for each ticket that nobody has.
bool Sequencer::try_skip() {
  if (round_held_) return false;  // its tickets are not done with
  InboundConsumer& inbound = *parts_.inbound;
  mend_tail();
  const std::uint64_t head = inbound.head();
  if (!inbound.taken(head)) {
    skip_ticket_ = ~0ULL;
    return false;
  }
  const std::int64_t now = monotonic_ns();
  if (skip_ticket_ != head) {
    skip_ticket_ = head;
    skip_count_ = std::min(inbound.tail() - head, kMaxSkippedAtOnce);
    skip_since_ns_ = now;
    return false;
  }
  if (now - skip_since_ns_ < options_.skip_wait_us * kNanosPerMicro) return false;
  skip_ticket_ = ~0ULL;
  std::uint64_t next = head;
  while (next - head < skip_count_ && inbound.peek(next) == inbound.unfilled(next) && inbound.skip(next)) ++next;
  if (next == head) return false;
  bump(parts_.counters->skipped_tickets, next - head);
  // A kill before this leaves slots that read as freed by a predecessor: step() passes them.
  parts_.registry->inbound_head.store(next, std::memory_order_release);
  inbound.publish_head(next);
  if (leaving_ > 0) release_leavers();
  return true;
}

// Everything here lies in lines that others are writing to: looked at now and then only.
bool Sequencer::mend_ring() {
  const std::int64_t now = monotonic_ns();
  if (now < next_mend_ns_) return false;
  next_mend_ns_ = now + kMendNs;
  stamps_.look();
  if (parts_.inbound->repair_head()) bump(parts_.counters->ring_repairs);
  return take_lost_tickets();
}

// A ticket forged in the moment in which its producer had sealed an entry, and then got no ticket of its own, has had
// that entry taken. Its producer was told that nothing is published, and seals the next one in the same place, with the
// same number. So what was taken last is published, and not completed: we go back and take it once more, to refuse it
// for its number. Its producer is told, and we stand where it stands, however long either was. Asked while done_ is
// empty.
bool Sequencer::go_back(Lane& lane) {
  const std::uint64_t position = lane.newest_position;
  if (position == lane.retaken_position || !lane.arena.sealed_again(position)) return false;
  lane.retaken_position = position;
  lane.move_to(position);
  return true;
}

// An entry of which its producer says, in its own arena, that it is published, and whose ticket never came: another
// producer has written over it. Its producer may have no next one that it could be taken along with.
//
// No guess about time: a producer stores its arena's tail after it has filled its ticket. So once the head has passed
// what was the ring's tail when the entry was first noticed, that ticket lies behind us, or is gone.
bool Sequencer::take_lost_tickets() {
  if (round_held_ || parts_.handover->is_closed()) return false;
  InboundConsumer& inbound = *parts_.inbound;
  bool taken = false;
  for (Lane& lane : lanes_) {
    if (lane.live && !lane.revoked && done_.empty()) (void)go_back(lane);
    const std::uint64_t owed = lane.owed_bytes();
    if (owed == 0 || position_ - committed_ >= max_round_bytes_) continue;
    // One that has left fills no ticket any more.
    const bool has_left = lane.leaving && static_cast<std::int64_t>(lane.leave_at_ticket - inbound.head()) <= 0;
    if (!has_left && lane.suspect_position != lane.next_position) {
      lane.suspect_position = lane.next_position;
      lane.suspect_until = inbound.tail();
      continue;
    }
    if (!has_left && static_cast<std::int64_t>(lane.suspect_until - inbound.head()) > 0) continue;
    if (!taken) begin_round();
    taken = true;
    (void)take_owed_entries(lane, lane.next_position + owed - kEntryAlignment);
  }
  if (!taken) return false;
  const bool progress = position_ != committed_ || !done_.empty();
  bump(parts_.counters->ring_repairs);
  if (ring_gate_.pass()) {
    log::warn(
        "tickets in the inbound ring were written over, and their entries taken without them: a producer "
        "scribbles over the ring{}",
        ring_gate_.left_out());
  }
  finish_round(inbound.head());
  return progress;
}

}  // namespace leat::broker
