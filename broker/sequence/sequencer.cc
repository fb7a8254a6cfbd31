#include "broker/sequence/sequencer.h"

#include <sys/prctl.h>

#include <algorithm>

#include "broker/log.h"
#include "base/clock.h"
#include "shm/broadcast/doorbell.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr std::uint64_t kMaxRoundTickets = 512;
constexpr std::size_t kMaxRoundEntries = 4096;
constexpr std::uint64_t kMaxRoundBytes = 256 * 1024;
constexpr std::uint64_t kMaxIntentStep = 16 * 1024;
constexpr std::uint32_t kLooksPerTailCheck = 64;
constexpr std::uint32_t kRoundsPerCheck = 64;
constexpr std::uint32_t kMaxDeferredWakes = 3;
constexpr std::uint64_t kPrefetchTickets = 6;
constexpr std::uint64_t kPreparedBytes = 4 * kCacheLineBytes;  // a small event, wherever it begins
constexpr std::int64_t kMaxSleepNs = 100 * kNanosPerMilli;

}  // namespace

Sequencer::Sequencer(const Options& options, SequencerParts parts, SequencerStart start)
    : options_(options),
      parts_(std::move(parts)),
      position_(start.position),
      sequence_(start.sequence),
      stamps_(start.last_timestamp_ns),
      timestamp_ns_(start.last_timestamp_ns),
      feed_seed_(start.feed_seed),
      tail_(std::move(start.tail)),
      appended_(start.position),
      committed_(start.position),
      committed_sequence_(start.sequence),
      stamper_(start.feed_seed),
      max_batch_bytes_(broker::max_batch_bytes(options)),
      max_round_bytes_(std::min(kMaxRoundBytes, options.ring_bytes / 4)),
      intent_step_(std::min(kMaxIntentStep, options.ring_bytes / 16)),
      lanes_(parts_.producer_slots),
      recent_lane_(lanes_.data()) {
  pending_mark_ = {.position = position_, .sequence = sequence_};
  done_.reserve(kMaxRoundTickets);
  touched_.reserve(kMaxRoundTickets);
}

Sequencer::~Sequencer() {
  if (thread_.joinable()) stop();
}

void Sequencer::start() {
  thread_ = std::thread([this] { run(); });
}

void Sequencer::stop() {
  stopping_.store(true, std::memory_order_release);
  parts_.inbound->wake();
  thread_.join();
}

void Sequencer::run() {
  ::prctl(PR_SET_NAME, "sequencer");  // as `top -H` and a debugger show it
  IdleSpinner spinner(options_.idle, options_.idle_spin_us * kNanosPerMicro);
  while (!stopping_.load(std::memory_order_acquire)) {
    if (!step()) {
      idle(spinner);
      continue;
    }
    spinner.reset();
    if (++rounds_ % kRoundsPerCheck == 0) {  // a feed that is never idle gets its chores done too
      take_commands();
      write_pending_mark();
      mend_ring();
    }
  }
  // What was published up to now is served; producers that go on meanwhile are the next broker's.
  const std::uint64_t until = parts_.inbound->tail();
  const std::int64_t give_up_ns = monotonic_ns() + kNanosPerSecond;
  while (static_cast<std::int64_t>(until - parts_.inbound->head()) > 0 && monotonic_ns() < give_up_ns) {
    if (!step() && !try_skip()) take_commands();
  }
  (void)take_lost_tickets();  // notices them
  while (take_lost_tickets()) {
  }
  wake_waiters(true);
  take_commands();  // whoever has left until now is let go
}

void Sequencer::idle(IdleSpinner& spinner) {
  if (++empty_looks_ % kLooksPerTailCheck == 0) {
    take_commands();
    write_pending_mark();
    if (try_skip() || mend_ring()) return;
  }
  // Tickets that cannot be taken are nothing to look for: whatever the strategy, there is nothing to do until somebody
  // wakes us.
  const bool closed = parts_.handover->is_closed();
  const bool held_back = stalled_ || closed;
  if (!held_back && spinner.keep_spinning()) return;
  take_commands();
  write_pending_mark();
  if (try_skip() || mend_ring()) return;
  parts_.inbound->prepare_sleep();
  const bool empty = parts_.inbound->still_empty();
  if (!(empty || held_back) || parts_.lanes->commands.read_available() > 0 ||
      parts_.handover->marks.read_available() > 0 ||
      (stalled_ && !closed && !round_held_ && next_segment_ == nullptr &&
       parts_.handover->prepared.read_available() > 0) ||
      stopping_.load(std::memory_order_seq_cst)) {
    parts_.inbound->cancel_sleep();
    return;
  }
  bump(parts_.counters->sleeps);
  // While a ticket is taken but not filled, sleep no longer than it may stay so: its producer needs the core. Looked at
  // after prepare_sleep(): a producer behind that ticket which saw no need to wake us has taken its own before, so we
  // see both as taken, and nobody waits out our sleep because somebody else has died (I5).
  const bool ticket_open = empty && parts_.inbound->taken(parts_.inbound->head());
  parts_.inbound->sleep(ticket_open ? options_.skip_wait_us * kNanosPerMicro : kMaxSleepNs);
}

// The way of a ticket, innermost first: take_entry, take_entries_up_to, take_ticket, step. Inline, because together
// they are the cost of a small event (bench/instructions counts it).

inline void Sequencer::finish_entry(const Lane& lane, const Entry& entry, CompletionStatus status,
                                    std::uint64_t value) {
  done_.push_back({.completion = &lane.arena.completion(entry.position), .value = pack_completion(status, value)});
}

void Sequencer::refuse(Lane& lane, const Entry& entry, Refusal reason) {
  bump(parts_.counters->refused_entries);
  bump(lane.row->refused);
  lane.arena.count_refused(entry, reason);
  log_refusal(lane, entry, reason);
  lane.last_producer_sequence = std::max(lane.last_producer_sequence, entry.producer_sequence + entry.count - 1);
  finish_entry(lane, entry, CompletionStatus::refused, static_cast<std::uint64_t>(reason));
}

// An entry with a producer_sequence that was taken before: after a restart, when it is in the journal but its
// completion was never written.
void Sequencer::finish_known_entry(Lane& lane, const Entry& entry) {
  std::uint64_t sequence = 0;
  if (const auto producer = tail_.find(lane.producer_id); producer != tail_.end()) {
    if (const auto found = producer->second.find(entry.producer_sequence); found != producer->second.end()) {
      sequence = found->second;
    }
  }
  if (sequence == 0) {
    refuse(lane, entry, Refusal::bad_sequence);
    return;
  }
  bump(parts_.counters->duplicates);
  finish_entry(lane, entry, CompletionStatus::committed, sequence);
}

inline bool Sequencer::take_entry(Lane& lane, const Entry& entry) {
  const std::uint64_t last = entry.producer_sequence + entry.count - 1;
  if (last <= lane.last_producer_sequence) {
    finish_known_entry(lane, entry);
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
  if (!parts_.journal->has_room(position_ - appended_ + bytes) && !roll()) return false;
  // Raised in steps, so that not every event moves the line that all readers check.
  parts_.ring->raise_intent(align_up(position_ + bytes, intent_step_));
  const Refusal reason = stamper_.take(parts_.ring->place(position_), entry,
                                       {.position = position_,
                                        .first_sequence = sequence_ + 1,
                                        .timestamp_ns = timestamp_ns_,
                                        .producer_id = lane.producer_id,
                                        .max_record_bytes = lane.max_record_bytes});
  if (reason != Refusal::none) {
    refuse(lane, entry, reason);
    return true;
  }
  parts_.journal->index(position_, sequence_ + 1, timestamp_ns_);
  finish_entry(lane, entry, CompletionStatus::committed, sequence_ + 1);
  lane.last_producer_sequence = last;
  lane.events_in_round += entry.count;
  sequence_ += entry.count;
  position_ += bytes;
  return true;
}

void Sequencer::revoke(Lane& lane, Refusal reason) {
  lane.revoked = true;
  lane.expected_slot = 0;
  lane.arena.revoke();
  lane.registry->revoked.store(1, std::memory_order_release);
  parts_.lanes->notices.push(
      {.kind = LaneNotice::Kind::revoked, .slot = lane.slot, .generation = lane.generation, .reason = reason});
  parts_.wake_control();
}

// Entries of one producer lie in its arena in order, so one whose ticket was scribbled over by somebody else is taken
// along with the next.
inline bool Sequencer::take_entries_up_to(Lane& lane, std::uint64_t position) {
  touch(lane);
  for (;;) {
    Entry entry;
    const bool readable = lane.arena.read(lane.next_position, entry);
    // A ticket speaks for the entry that it names, and for earlier ones that lost theirs. One that is only sealed may
    // yet be taken back: a ticket that does not name it is not by its producer's own hand.
    if (!(readable && lane.next_position == position) && !lane.arena.published(lane.next_position)) {
      bump(parts_.counters->bad_tickets);
      return true;
    }
    if (!readable) {
      if (!done_.empty()) return false;  // what was taken last can be judged only once it is completed
      if (go_back(lane)) continue;
      bump(parts_.counters->refused_entries);
      bump(lane.row->refused);
      // Where the next entry would begin is unknown from here on.
      revoke(lane, Refusal::bad_entry);
      return true;
    }
    if (!take_entry(lane, entry)) return false;
    lane.newest_position = lane.next_position;
    lane.move_to(lane.next_position + entry_bytes(entry.record_bytes));
    if (lane.next_position > position) return true;
    // One ticket may stand for as much as the arena holds; the ring holds less.
    if (position_ - committed_ >= max_round_bytes_ || done_.size() >= kMaxRoundEntries) return false;
  }
}

bool Sequencer::take_owed_entries(Lane& lane, std::uint64_t position) { return take_entries_up_to(lane, position); }

Lane* Sequencer::find_lane(const Ticket& ticket) {
  const auto look = [&]() -> Lane* {
    if (ticket.producer_slot >= lanes_.size()) return nullptr;
    Lane& lane = lanes_[ticket.producer_slot];
    return lane.takes(ticket) ? &lane : nullptr;
  };
  if (Lane* lane = look()) return lane;
  take_commands();  // a new producer's first ticket may come before we have heard of it
  return look();
}

// False: stalled, or the round is full, and the ticket must be taken again.
bool Sequencer::take_ticket(const Ticket& ticket) {
  Lane* lane = find_lane(ticket);
  if (lane == nullptr) {
    note_bad_ticket(ticket);
    return true;
  }
  const std::uint64_t position = expand_position(ticket.position_units, lane->next_position);
  if (position < lane->next_position) {  // done before the last broker died, or along with a later one
    if (position != lane->newest_position || position == lane->retaken_position) return true;
    if (!done_.empty()) return false;
    if (!go_back(*lane)) return true;
  }
  if (position - lane->next_position >= lane->arena.capacity()) {
    bump(parts_.counters->bad_tickets);
    return true;
  }
  recent_lane_ = lane;
  return take_entries_up_to(*lane, position);
}

// Most tickets are the ones that come next on the lane of the one before.
inline bool Sequencer::take_full_slot(std::uint64_t slot) {
  if (slot == recent_lane_->expected_slot) return take_entries_up_to(*recent_lane_, recent_lane_->next_position);
  return take_ticket(parse_full_slot(slot));
}

// The entry of a ticket a few places on is on its way from its producer's core while we work on this one.
inline void Sequencer::prefetch(std::uint64_t slot) const noexcept {
  if (!is_full(slot)) return;
  const Ticket ahead = parse_full_slot(slot);
  if (ahead.producer_slot >= lanes_.size()) return;
  const Lane& lane = lanes_[ahead.producer_slot];
  if (lane.live) lane.arena.prefetch(ahead.position_units * kPositionUnit);
}

bool Sequencer::step() {
  if (parts_.handover->state.load(std::memory_order_relaxed) != FeedState::running ||
      parts_.handover->held.load(std::memory_order_relaxed)) [[unlikely]] {
    if (!may_go_on()) return false;
  }
  InboundConsumer& inbound = *parts_.inbound;
  const std::uint64_t head = inbound.head();
  std::uint64_t ticket = head;
  while (ticket - head < kMaxRoundTickets && position_ - committed_ < max_round_bytes_) {
    const std::uint64_t slot = inbound.peek(ticket);
    if (slot == inbound.unfilled(ticket)) break;
    if (ticket == head) {
      prefetch(slot);  // on its way while the clock is read
      begin_round();
    }
    prefetch(inbound.peek(ticket + kPrefetchTickets));
    if (is_full(slot)) {
      if (!take_full_slot(slot)) break;  // this ticket's turn comes again
    } else if (slot != inbound.unfilled(ticket + inbound.slots())) {
      bump(parts_.counters->bad_tickets);  // neither filled nor freed by a predecessor: somebody scribbles
    }
    ++ticket;
  }
  if (ticket == head) {
    // A stalled round, or a full one, may have taken part of what one ticket stands for.
    const bool taken = position_ != committed_ || !done_.empty();
    if (taken) finish_round(head);
    if (deferred_wakes_ > 0) wake_waiters(true);
    return taken && !stalled_;
  }
  finish_round(ticket);
  empty_looks_ = 0;
  return true;
}

void Sequencer::begin_round() {
  if (!tail_.empty()) [[unlikely]]
    settle_tail();
  parts_.registry->round_position.store(position_, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // a kill sees stores in program order
  timestamp_ns_ = stamps_.now();
}

void Sequencer::finish_round(std::uint64_t end_ticket) {
  InboundConsumer& inbound = *parts_.inbound;
  if (!append_staged()) [[unlikely]]
    return hold_round(end_ticket);
  if (position_ != committed_) {
    SequencerCounters& counters = *parts_.counters;
    bump(counters.events, sequence_ - committed_sequence_);
    bump(counters.bytes, position_ - committed_);
    bump(counters.rounds);
    parts_.ring->commit(position_, sequence_);
    committed_ = position_;
    committed_sequence_ = sequence_;
  }
  complete_entries();
  for (std::uint64_t ticket = inbound.head(); ticket != end_ticket; ++ticket) inbound.release(ticket);
  parts_.registry->inbound_head.store(end_ticket, std::memory_order_release);
  inbound.publish_head(end_ticket);
  wake_or_defer(end_ticket);
  if (leaving_ > 0) release_leavers();
  prepare_next_round();
}

// `committed` becomes visible after all stores before it: those of the next round shall find their lines and their page
// in place. Off the critical path: whoever waits for this round has been served.
void Sequencer::prepare_next_round() noexcept {
  std::byte* const next = parts_.ring->place(position_);
  for (std::uint64_t line = 0; line < kPreparedBytes; line += kCacheLineBytes) prefetch_for_write(next + line);
  parts_.journal->prepare(kPreparedBytes);
}

// The ring holds the round's records as the journal will: one append, which appears whole or not at all.
bool Sequencer::append_staged() noexcept {
  if (appended_ == position_) return true;
  if (!parts_.journal->append(parts_.ring->place(appended_), position_ - appended_)) [[unlikely]]
    return false;
  appended_ = position_;
  return true;
}

void Sequencer::complete_entries() {
  // All of the round is in the journal (or refused) by now, so the newest number stands for all below it.
  for (Lane* lane : touched_) {
    lane->registry->last_producer_sequence.store(lane->last_producer_sequence, std::memory_order_release);
  }
  for (const Done& done : done_) done.completion->store(done.value, std::memory_order_release);
  done_.clear();
  for (Lane* lane : touched_) {
    lane->registry->consumed.store(lane->next_position, std::memory_order_release);
    lane->arena.release(lane->next_position);
    bump(lane->row->events, lane->events_in_round);
    lane->events_in_round = 0;
  }
}

// While there is more to do, sleepers are woken every few rounds only: each wake-up is a system call here and two
// switches there, and whoever was woken would find the next round's events a moment later anyway.
void Sequencer::wake_or_defer(std::uint64_t next_ticket) {
  const bool drained = !is_full(parts_.inbound->peek(next_ticket));
  if (!drained && ++deferred_wakes_ <= kMaxDeferredWakes) return;
  wake_waiters(drained);
}

void Sequencer::wake_waiters(bool drained) {
  deferred_wakes_ = 0;
  // The one full fence of a round; it serves the consumers' doorbell, armed eventfds and the producers' receipts alike.
  if (ring_doorbell(parts_.doorbell->live_sleepers)) bump(parts_.counters->wakeups);
  if (parts_.doorbell->armed_events.load(std::memory_order_relaxed) != 0) {
    parts_.doorbell->armed_events.store(0, std::memory_order_seq_cst);
    parts_.wake_control();
  }
  for (Lane* lane : touched_) {
    // Who waits for room is best woken when there is a good deal of it. A stuck one looks by itself within a
    // millisecond.
    const bool room = drained || lane->arena.half_empty(lane->next_position);
    lane->arena.wake(room ? kWaitCommitted | kWaitRoom : kWaitCommitted);
    lane->touched = false;
  }
  touched_.clear();
  if (options_.sync == SyncPolicy::always) parts_.handover->syncer_wake.notify();
}

}  // namespace leat::broker
