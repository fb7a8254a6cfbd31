#include "broker/sequence/round.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "broker/log.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr std::uint64_t kMaxTickets = 512;
constexpr std::size_t kMaxEntries = 4096;
constexpr std::uint64_t kMaxBytes = 256 * 1024;
constexpr std::uint64_t kPrefetchTickets = 6;
constexpr std::int64_t kAppendRetryNs = 20 * kNanosPerMilli;

}  // namespace

Round::Round(const Options& options, RoundParts parts, std::uint64_t feed_seed, JournaledTail journaled)
    : inbound_(parts.inbound),
      registry_(parts.registry),
      counters_(parts.counters),
      lanes_(parts.lanes),
      log_(parts.log),
      condition_(parts.condition),
      receipts_(kMaxTickets),
      wakeups_(parts.doorbell, parts.handover, parts.counters, receipts_, options.sync == SyncPolicy::always,
               std::move(parts.wake_control)),
      max_batch_bytes_(max_batch_bytes(options)),
      max_bytes_(std::min(kMaxBytes, options.ring_bytes / 4)),
      max_tickets_(std::min(kMaxTickets, parts.inbound.slots())),
      stamper_(feed_seed),
      refusals_(parts.counters, max_batch_bytes_),
      journaled_(std::move(journaled)) {}

// The way of a ticket, innermost first: take_entry, take_entries_up_to, take_ticket, run. Inline, because together
// they are the cost of a small event (bench/instructions counts it).

void Round::refuse(Lane& lane, const Entry& entry, Refusal reason) {
  refusals_.note_entry(lane, entry, reason);
  lane.last_producer_sequence = std::max(lane.last_producer_sequence, entry.producer_sequence + entry.count - 1);
  receipts_.finish(lane, entry, CompletionStatus::refused, static_cast<std::uint64_t>(reason));
}

// An entry with a producer_sequence that was taken before: after a restart, when the entry is in the journal but its
// completion was never written.
void Round::complete_known_entry(Lane& lane, const Entry& entry) {
  std::uint64_t sequence = 0;
  if (const auto producer = journaled_.find(lane.producer_id); producer != journaled_.end()) {
    if (const auto found = producer->second.find(entry.producer_sequence); found != producer->second.end()) {
      sequence = found->second;
    }
  }
  if (sequence == 0) {
    refuse(lane, entry, Refusal::bad_sequence);
    return;
  }
  bump(counters_.duplicates);
  receipts_.finish(lane, entry, CompletionStatus::committed, sequence);
}

inline bool Round::take_entry(Lane& lane, const Entry& entry) {
  const std::uint64_t last = entry.producer_sequence + entry.count - 1;
  if (last <= lane.last_producer_sequence) {
    complete_known_entry(lane, entry);
    return true;
  }
  if (entry.producer_sequence != lane.last_producer_sequence + 1) {
    refuse(lane, entry, Refusal::bad_sequence);
    return true;
  }
  const std::uint64_t bytes = entry.record_bytes;
  if (bytes > max_batch_bytes_) {
    refuse(lane, entry, Refusal::too_large);
    return true;
  }
  if (!log_.make_room(bytes)) return false;
  const Refusal reason = stamper_.take(log_.stage(bytes), entry,
                                       {.position = log_.position(),
                                        .first_sequence = log_.sequence() + 1,
                                        .timestamp_ns = log_.timestamp_ns(),
                                        .producer_id = lane.producer_id,
                                        .max_record_bytes = lane.max_record_bytes});
  if (reason != Refusal::none) {
    refuse(lane, entry, reason);
    return true;
  }
  const std::uint64_t first_sequence = log_.take(bytes, entry.count);
  receipts_.finish(lane, entry, CompletionStatus::committed, first_sequence);
  lane.last_producer_sequence = last;
  lane.events_in_round += entry.count;
  return true;
}

// Entries of one producer lie in its arena in order, so an entry whose ticket was overwritten by somebody else is taken
// along with the next. False: stalled, or the round is full; what is left is for the next round.
inline bool Round::take_entries_up_to(Lane& lane, std::uint64_t position) {
  receipts_.touch(lane);
  for (;;) {
    const Entry entry = lane.arena.load(lane.next_position);
    const bool readable = lane.arena.accepts(entry, lane.next_position);
    // A ticket speaks for the entry that it names, and for earlier ones that lost theirs. An entry that is only sealed
    // may yet be taken back by its producer: a ticket that does not name that entry is not by the producer's own hand.
    if (!(readable && lane.next_position == position) && !lane.arena.published(lane.next_position)) {
      refusals_.note_bad_ticket();
      return true;
    }
    if (!readable) {
      if (!receipts_.empty()) return false;  // what was taken last can be judged only once it is completed
      if (go_back(lane)) continue;
      refusals_.count(lane);
      // Where the next entry would begin is unknown from here on.
      lanes_.revoke(lane, Refusal::bad_entry);
      return true;
    }
    if (!take_entry(lane, entry)) return false;
    lane.newest_position = lane.next_position;
    lane.move_to(lane.next_position + entry_bytes(entry.record_bytes));
    if (lane.next_position > position) return true;
    // One ticket may stand for as much as the arena holds; the ring holds less.
    if (is_full() || receipts_.size() >= kMaxEntries) return false;
  }
}

void Round::take_published(Lane& lane, std::uint64_t owed) {
  LEAT_ASSERT(owed > 0 && owed % kEntryAlignment == 0 && !held_);
  (void)take_entries_up_to(lane, lane.next_position + owed - kEntryAlignment);
}

// A ticket that was forged in the moment in which its producer had sealed an entry, and then got no ticket of its own,
// has had that entry taken. The producer was answered that nothing is published, and seals its next entry in the same
// place, with the same number. That entry shows as one that is published where the last one was taken, and that is not
// completed. So the sequencer goes back and takes it once more, to refuse it for its number. Its producer learns of the
// refusal, and the sequencer stands where the producer stands, however long either entry was.
bool Round::go_back(Lane& lane) {
  LEAT_DCHECK(receipts_.empty());
  const std::uint64_t position = lane.newest_position;
  if (position == lane.retaken_position || !lane.arena.sealed_again(position)) return false;
  lane.retaken_position = position;
  lane.move_to(position);
  return true;
}

Lane* Round::find_lane(const Ticket& ticket) {
  if (Lane* lane = lanes_.find(ticket)) return lane;
  lanes_.take_commands();  // a new producer's first ticket may come before the sequencer has heard of the producer
  return lanes_.find(ticket);
}

// False: the ticket's turn comes again, in the next round.
bool Round::take_ticket(const Ticket& ticket) {
  Lane* lane = find_lane(ticket);
  if (lane == nullptr) {
    refusals_.note_stray_ticket(ticket);
    return true;
  }
  const std::uint64_t position = expand_position(ticket.position_units, lane->next_position);
  if (position < lane->next_position) {  // done before the last broker died, or along with a later entry
    if (position != lane->newest_position || position == lane->retaken_position) return true;
    if (!receipts_.empty()) return false;
    if (!go_back(*lane)) return true;
  }
  if (position - lane->next_position >= lane->arena.capacity()) {
    refusals_.note_bad_ticket();
    return true;
  }
  lanes_.set_recent(*lane);
  return take_entries_up_to(*lane, position);
}

// Most tickets are the ones that come next on the lane of the ticket before.
inline bool Round::take_slot(std::uint64_t slot) {
  Lane& recent = lanes_.recent();
  if (slot == recent.expected_slot) return take_entries_up_to(recent, recent.next_position);
  return take_ticket(parse_full_slot(slot));
}

bool Round::run() {
  LEAT_DCHECK(!held_ && is_empty());
  InboundConsumer& inbound = inbound_;
  const std::uint64_t head = inbound.head();
  std::uint64_t ticket = head;
  const std::uint64_t limit = head + max_tickets_;
  while (ticket != limit && !is_full()) {
    const std::uint64_t slot = inbound.peek(ticket);
    if (slot == inbound.unfilled(ticket)) break;
    if (ticket == head) {
      lanes_.prefetch(slot);  // on its way while the clock is read
      begin();
    }
    // The entry of a ticket a few places on is on its way from its producer's core while we work on this one.
    lanes_.prefetch(inbound.peek(ticket + kPrefetchTickets));
    if (internal::is_full(slot)) {
      if (!take_slot(slot)) break;  // this ticket's turn comes again
    } else if (slot != inbound.unfilled(ticket + inbound.slots())) {
      refusals_.note_bad_ticket();  // neither filled nor freed by a predecessor: somebody scribbles
    }
    ++ticket;
  }
  if (ticket == head) {
    // A stalled round, or a full one, may have taken part of what one ticket stands for.
    const bool taken = !is_empty();
    if (taken) finish(head);
    wakeups_.wake_deferred();
    return taken && !condition_.is_stalled();
  }
  finish(ticket);
  return true;
}

void Round::begin() {
  LEAT_DCHECK(!held_ && is_empty());
  settle_journaled();
  log_.begin_round();
}

void Round::finish(std::uint64_t end_ticket) {
  if (!log_.append()) [[unlikely]]
    return hold(end_ticket);
  log_.commit_round();
  receipts_.report();
  InboundConsumer& inbound = inbound_;
  for (std::uint64_t ticket = inbound.head(); ticket != end_ticket; ++ticket) inbound.release(ticket);
  pass_tickets(end_ticket);
  wakeups_.round_is_over(!internal::is_full(inbound.peek(end_ticket)));
  lanes_.release_leavers();
  log_.prepare_next_round();
  LEAT_DCHECK(!held_ && is_empty());
}

void Round::hold(std::uint64_t end_ticket) {
  const Error error = log_.append_error();
  next_append_ns_ = monotonic_ns() + kAppendRetryNs;
  const bool first = !held_;
  LEAT_ASSERT(!log_.is_committed() && (first || held_ticket_ == end_ticket));
  held_ = true;
  held_ticket_ = end_ticket;
  if (error.code != ErrorCode::no_space) return condition_.fail(error);
  condition_.stall();
  if (first)
    log::error("the journal cannot be written: {}; the feed holds its producers back and tries again", error.message);
}

bool Round::finish_held(bool at_once) {
  LEAT_ASSERT(held_);
  if (!at_once && monotonic_ns() < next_append_ns_) return false;
  if (!log_.append()) {
    hold(held_ticket_);
    return false;
  }
  held_ = false;
  condition_.go_on();
  log::info("the journal could be written again");
  finish(held_ticket_);
  LEAT_ASSERT(!held_);
  return true;
}

// What was journaled and not completed is known by a scan from round_position on, and the new round is about to move
// that past it. A kill in here leaves round_position where it was.
void Round::settle() {
  lanes_.take_commands();
  for (Lane& lane : lanes_) {
    const std::uint64_t begin = lane.next_position;
    Entry entry;
    while (lane.live && !lane.revoked && lane.next_position - begin < lane.arena.capacity() &&
           lane.arena.read(lane.next_position, entry) &&
           entry.producer_sequence + entry.count - 1 <= lane.last_producer_sequence) {
      receipts_.touch(lane);
      complete_known_entry(lane, entry);
      lane.move_to(lane.next_position + entry_bytes(entry.record_bytes));
    }
  }
  receipts_.report();
  wakeups_.defer();
  journaled_.clear();
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace leat::broker
