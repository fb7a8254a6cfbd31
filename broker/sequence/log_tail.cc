// The sequencer's own records (marks, segment ends), rolling to the next segment, and producers' comings and goings:
// everything that does not happen at every event.
#include "broker/log.h"
#include "broker/sequence/sequencer.h"
#include "base/clock.h"
#include "record/own_record.h"

namespace leat::broker {

using namespace internal;

namespace {
constexpr std::int64_t kAppendRetryNs = 20 * kNanosPerMilli;
}

// Builds one of our own records in the ring at position_ and appends it. The caller has made sure of the room.
void Sequencer::stage(RecordType type, std::uint16_t flags, const void* payload, std::size_t payload_bytes) {
  alignas(kWordBytes) std::byte record[kMarkRecordBytes] = {};
  const std::size_t length = kRecordHeaderBytes + payload_bytes;
  LEAT_ASSERT(length <= sizeof record);
  build_own_record(record,
                   {.type = type,
                    .flags = flags,
                    .sequence = sequence_,
                    .timestamp_ns = timestamp_ns_,
                    .body = payload,
                    .body_bytes = payload_bytes},
                   feed_seed_, position_);
  const std::size_t padded = padded_record_bytes(length);
  parts_.ring->raise_intent(align_up(position_ + padded, intent_step_));
  copy_words_in(parts_.ring->place(position_), record, padded);
  position_ += padded;
  (void)append_staged();  // what fails stays staged: see hold_round
}

// False: no prepared segment is at hand. Nothing more is taken until there is one: back-pressure, not loss.
bool Sequencer::roll() {
  if (next_segment_ == nullptr) {
    MappedSegment* next = nullptr;
    if (parts_.handover->rolled.write_available() == 0 || !parts_.handover->prepared.pop(next)) {
      if (!stalled_) bump(parts_.counters->stalls);
      set_stalled(true);
      parts_.handover->syncer_wake.notify();
      return false;
    }
    next_segment_.reset(next);
    if (!end_is_staged_) {
      stage(RecordType::segment_end, 0, nullptr, 0);
      parts_.journal->seal();
      end_is_staged_ = true;
    }
  }
  if (!append_staged()) return false;  // all of the old one's first; the round is held
  if (auto named = parts_.journal->name(*next_segment_, sequence_ + 1, position_); !named) {
    cannot_name(named.error());
    return false;
  }
  set_stalled(false);
  end_is_staged_ = false;
  std::unique_ptr<MappedSegment> sealed = parts_.journal->replace(std::move(next_segment_));
  const MappedSegment& current = parts_.journal->current();
  parts_.handover->rolled.push({.sealed = sealed.release(), .current_fd = current.fd.get(), .current = current.name});
  parts_.handover->syncer_wake.notify();  // the next one must be ready before this one is full
  // A segment says by itself what came before it, so that recovery needs to read no other.
  write_mark(0, pending_mark_.position, pending_mark_.sequence);
  return true;
}

// The new name may need a block of the directory, so a full disk can show here too: then it is tried again, as with any
// segment that cannot be had.
void Sequencer::cannot_name(const Error& error) {
  // Made ahead of need it may lie about for weeks: what cleaners like to remove. The syncer makes another one.
  if (error.code == ErrorCode::closed) {
    if (!stalled_)
      log::warn("{}: a segment made ahead of need was removed by somebody else; another one is made", error.message);
    next_segment_.reset();
    if (!stalled_) bump(parts_.counters->stalls);
    set_stalled(true);
    parts_.handover->syncer_wake.notify();
    return;
  }
  if (error.code != ErrorCode::no_space) {
    parts_.handover->state.store(FeedState::failed, std::memory_order_release);
    parts_.failed(error);
    return;
  }
  if (stalled_) return;
  bump(parts_.counters->stalls);
  set_stalled(true);
  log::error("the next segment cannot be named: {}; the feed holds its producers back and tries again", error.message);
}

void Sequencer::set_stalled(bool stalled) {
  if (stalled_ == stalled) return;
  stalled_ = stalled;
  const FeedState state = stalled ? FeedState::stalled : FeedState::running;
  FeedState expected = stalled ? FeedState::running : FeedState::stalled;
  if (!parts_.handover->state.compare_exchange_strong(expected, state)) return;
  parts_.inbound->set_feed_state(state);
  parts_.ring->header().feed_state.store(state, std::memory_order_release);
}

// Called in any state but running. False: nothing may be taken.
bool Sequencer::may_go_on() {
  if (parts_.handover->is_closed()) {
    if (deferred_wakes_ > 0) wake_waiters(true);
    return false;
  }
  return !round_held_ || finish_held_round();
}

// The journal has no room for a round that is numbered and staged: nobody has seen anything of it, its tickets and
// entries are still its producers'. It stays as it is and is tried again; a broker that dies meanwhile leaves what one
// leaves that was killed before its append.
void Sequencer::hold_round(std::uint64_t end_ticket) {
  const Error error = parts_.journal->append_error();
  next_append_ns_ = monotonic_ns() + kAppendRetryNs;
  const bool first = !round_held_;
  round_held_ = true;
  held_ticket_ = end_ticket;
  if (error.code != ErrorCode::no_space) {
    parts_.handover->state.store(FeedState::failed, std::memory_order_release);
    parts_.failed(error);
    return;
  }
  if (!stalled_) bump(parts_.counters->stalls);
  set_stalled(true);
  if (first) {
    log::error("the journal cannot be written: {}; the feed holds its producers back and tries again", error.message);
  }
}

bool Sequencer::finish_held_round() {
  if (monotonic_ns() < next_append_ns_) return false;
  if (!append_staged()) {
    hold_round(held_ticket_);
    return false;
  }
  round_held_ = false;
  set_stalled(false);
  log::info("the journal could be written again");
  finish_round(held_ticket_);
  return true;
}

bool Sequencer::write_mark(std::uint16_t flags, std::uint64_t durable_position, std::uint64_t durable_sequence) {
  if (!parts_.journal->has_reserve(kMarkRecordBytes)) return false;
  const MarkBody body{.durable_position = durable_position,
                      .durable_sequence = durable_sequence,
                      .next_producer_id = parts_.next_producer_id->load(std::memory_order_relaxed),
                      .reserved = 0};
  stage(RecordType::mark, flags, &body, sizeof body);
  return true;
}

// A mark is committed like an event, but wakes nobody: it is no news.
void Sequencer::write_pending_mark() {
  MarkRequest request{};
  while (parts_.handover->marks.pop(request)) {
    pending_mark_ = request;
    mark_pending_ = true;
  }
  if (!mark_pending_ || round_held_ || parts_.handover->state.load(std::memory_order_relaxed) == FeedState::failed)
    return;
  if (!tail_.empty()) settle_tail();
  parts_.registry->round_position.store(position_, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (!write_mark(0, pending_mark_.position, pending_mark_.sequence)) return;  // after the next roll
  mark_pending_ = false;
  if (appended_ != position_) return hold_round(parts_.inbound->head());
  bump(parts_.counters->bytes, position_ - committed_);
  parts_.ring->commit(position_, sequence_);
  committed_ = position_;
}

Result<std::uint64_t> Sequencer::append_clean_mark() {
  LEAT_ASSERT(!thread_.joinable());
  next_append_ns_ = 0;  // there is no later
  if (round_held_ && !finish_held_round()) return parts_.journal->append_error();
  if (write_mark(kFlagCleanClose, position_, sequence_)) {
    if (appended_ != position_) return parts_.journal->append_error();
    parts_.ring->commit(position_, sequence_);
    committed_ = position_;
  }
  return position_;
}

void Sequencer::take_commands() {
  parts_.lanes->commands.consume_all([&](const LaneCommand& command) {
    Lane& lane = lanes_[command.slot];
    if (command.kind == LaneCommand::Kind::leave) {
      if (!lane.live || lane.leaving || lane.generation != command.generation) return;
      lane.leaving = true;
      lane.leave_at_ticket = parts_.inbound->tail();
      ++leaving_;
      return;
    }
    lane = Lane{};
    lane.arena = ArenaReader(command.arena_base, command.arena_bytes);
    lane.registry = command.registry;
    lane.row = command.row;
    lane.slot = command.slot;
    lane.generation = command.generation;
    lane.producer_id = command.producer_id;
    lane.max_record_bytes = command.max_record_bytes;
    lane.last_producer_sequence = command.last_producer_sequence;
    lane.live = true;
    lane.row->events.store(0, std::memory_order_relaxed);
    lane.row->refused.store(0, std::memory_order_relaxed);
    lane.revoked = command.registry->revoked.load(std::memory_order_relaxed) != 0;
    lane.move_to(command.registry->consumed.load(std::memory_order_relaxed));
  });
  if (leaving_ > 0) release_leavers();
}

// What the last broker had journaled and not completed is completed before anything new is begun: it is known by a scan
// from round_position on, which is about to move past it. A kill in here leaves that where it was.
void Sequencer::settle_tail() {
  take_commands();
  for (Lane& lane : lanes_) {
    const std::uint64_t begin = lane.next_position;
    Entry entry;
    while (lane.live && !lane.revoked && lane.next_position - begin < lane.arena.capacity() &&
           lane.arena.read(lane.next_position, entry) &&
           entry.producer_sequence + entry.count - 1 <= lane.last_producer_sequence) {
      touch(lane);
      finish_known_entry(lane, entry);
      lane.move_to(lane.next_position + entry_bytes(entry.record_bytes));
    }
  }
  complete_entries();
  deferred_wakes_ = 1;  // their producers are woken with the next round, or when there is none
  tail_.clear();
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

// A producer that has left is let go once every ticket that was taken before has been dealt with.
void Sequencer::release_leavers() {
  const std::uint64_t head = parts_.inbound->head();
  for (Lane& lane : lanes_) {
    if (!lane.leaving || lane.touched || static_cast<std::int64_t>(lane.leave_at_ticket - head) > 0) continue;
    if (lane.owed_bytes() > 0) continue;  // its ticket is lost: see take_lost_tickets
    lane.live = lane.leaving = false;
    lane.expected_slot = 0;
    --leaving_;
    parts_.lanes->notices.push(
        {.kind = LaneNotice::Kind::released, .slot = lane.slot, .generation = lane.generation, .reason = {}});
    parts_.wake_control();
  }
}

}  // namespace leat::broker
