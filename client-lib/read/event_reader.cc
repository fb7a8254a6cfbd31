#include "client-lib/read/event_reader.h"

#include <algorithm>
#include <string>
#include <utility>

namespace leat::client {

using namespace internal;

namespace {

// Where `start` lies in what the files of `stream` hold, which learns how far they go.
Result<StartPlace> find_place_in_files(RecordStream& stream, const Start& start) {
  auto stored = stored_window(stream.files());
  if (!stored) return stored.error();
  if (stored->verified_end) stream.set_verified_end(*stored->verified_end);
  auto place = resolve_start(stream.files(), start, stored->window);
  // A place beyond damage may well have been there: it is no future, and nobody is to begin anew because of it.
  if (place && place->reset && place->why.reason == Reset::Reason::future && stored->damage) return *stored->damage;
  return place;
}

}  // namespace

EventReader::EventReader(TopicFilter filter) : filter_(std::move(filter)) {}

Result<void> EventReader::check_owner() const {
  if (owner_.is_here()) return {};
  return Error{ErrorCode::used_after_fork, "this reader belongs to the process that this one was forked from",
               "connect (or open) anew in this one"};
}

EventReader::Found EventReader::fail(Found found, Error error) {
  error_ = std::move(error);
  return found;
}

void EventReader::report(Error error) {
  error_ = std::move(error);
  set(kErrorPending, true);
}

void EventReader::mind_selection() noexcept { set(kSelective, not_before_ns_.has_value() || !filter_.matches_all()); }

// False: the filter, or the time that is waited for, leaves the event out.
inline bool EventReader::is_wanted(const EventView& event) noexcept {
  if (not_before_ns_ && event.timestamp_ns >= *not_before_ns_) {
    not_before_ns_.reset();  // from here on all events are wanted, whatever the clock does
    first_wanted_ = event.sequence;
    mind_selection();
  }
  if (not_before_ns_ || (!filter_.matches_all() && !filter_.matches(event.topic))) {
    ++stats_.filtered;
    return false;
  }
  ++stats_.delivered;
  last_wanted_ = event.sequence;
  return true;
}

const Ended& EventReader::end_at(Poll found) {
  ended_ = {};
  switch (found) {
    case Poll::event: ended_.why = Ended::Why::stopped; break;
    case Poll::empty: ended_.why = Ended::Why::idle; break;
    case Poll::reset:
      ended_.why = Ended::Why::reset;
      ended_.reset = reset_;
      break;
    case Poll::error:
      ended_.why = Ended::Why::error;
      ended_.error = error_;
      break;
  }
  return ended_;
}

// A fork's child finds no event in the buffer (WipedMemory), and so looks beyond it, where the owner is asked for.
// Where no memory can be wiped, each look asks first.
EventReader::Found EventReader::look(EventView& out) {
  LEAT_ASSERT(stream_.has_value());
  if (has(kNotWiped)) {
    if (auto ours = check_owner(); !ours) return fail(Found::error, ours.error());
  }
  for (;;) {
    if (stats_.filtered - filtered_before_ >= kMaxFilteredPerPoll) {  // the caller's deadline counts too
      return Found::left_out;
    }
    if (has(kErrorPending) || has(kResetPending)) return take_pending();
    if (const std::byte* const record = stream_->next_event(next_sequence_)) {
      count_event(record, out);
      if (is_wanted(out)) return Found::event;
      continue;
    }
    bool again = false;
    const Found found = look_beyond_buffer(out, again);
    if (!again) return found;
  }
}

EventReader::Found EventReader::take_pending() {
  if (auto ours = check_owner(); !ours) return fail(Found::error, ours.error());
  if (has(kErrorPending)) {
    set(kErrorPending, false);
    return Found::error;
  }
  set(kResetPending, false);
  ++stats_.resets;
  report_place();
  return Found::reset;
}

// The buffer holds no event that comes next. `again`: look anew.
EventReader::Found EventReader::look_beyond_buffer(EventView& out, bool& again) {
  if (auto ours = check_owner(); !ours) return fail(Found::error, ours.error());
  RecordView record;
  switch (stream_->next(record)) {
    case RecordStream::Next::record: return take_record(record, out, again);
    case RecordStream::Next::empty:
      report_place();
      blocked_ = false;
      return Found::end;
    case RecordStream::Next::waiting: blocked_ = true; return Found::blocked;
    case RecordStream::Next::expired: return take_expiry(again);
    case RecordStream::Next::failed: break;
  }
  return fail(Found::unreadable, stream_->error());
}

EventReader::Found EventReader::take_record(const RecordView& record, EventView& out, bool& again) {
  if (record.header.type == static_cast<std::uint16_t>(RecordType::gap)) return take_gap(record);
  if (record.header.type != static_cast<std::uint16_t>(RecordType::event) || record.header.sequence != next_sequence_) {
    return wrong_record(record);
  }
  last_record_ = {.position = stream_->position() - padded_record_bytes(record.header.length),
                  .checksum = record.header.checksum};
  count_event(record.bytes, out);
  again = !is_wanted(out);
  return Found::event;
}

// Goes back to the beginning of `record`, which was read last.
void EventReader::step_back(const RecordView& record) {
  LEAT_ASSERT(stream_->position() >= padded_record_bytes(record.header.length));
  stream_->seek(stream_->position() - padded_record_bytes(record.header.length));
}

EventReader::Found EventReader::wrong_record(const RecordView& record) {
  const std::uint64_t found = record.header.sequence;
  const std::uint16_t type = record.header.type;
  step_back(record);
  return fail(Found::error, {ErrorCode::corrupt,
                             "the journal's string holds a record of type " + std::to_string(type) + " with sequence " +
                                 std::to_string(found) + " at position " + std::to_string(stream_->position()) +
                                 ", expected the event of sequence " + std::to_string(next_sequence_),
                             "stop the broker and check the disk"});
}

// What is there now. Without a ring the files are left at another segment than the one that is read.
Result<Window> EventReader::window() {
  if (const BroadcastReader* live = ring()) return window_of(*live, stream_->files());
  auto stored = stored_window(stream_->files());
  if (!stored) return stored.error();
  if (stored->verified_end) stream_->set_verified_end(*stored->verified_end);
  return stored->window;
}

// `leat repair` puts a gap where it gives events up. All around it is retained, so the reader goes on just behind it.
EventReader::Found EventReader::take_gap(const RecordView& record) {
  const GapBody gap = gap_of(record.header, record.payload);
  // A reader that was told to begin within the gap stands on it too.
  if (gap.first_missing > next_sequence_ || gap.last_missing < next_sequence_) return wrong_record(record);
  const auto now = window();
  if (!now) {
    step_back(record);
    return fail(Found::error, now.error());
  }
  if (ring() == nullptr) read_afresh();
  reset_ = {.reason = Reset::Reason::gap,
            .wanted_sequence = next_sequence_,
            .earliest_sequence = now->earliest_sequence,
            .latest_sequence = now->latest_sequence,
            .resume = {.epoch = epoch_, .sequence = gap.last_missing}};
  next_sequence_ = gap.last_missing + 1;
  ++stats_.resets;
  LEAT_ASSERT(cursor() == reset_.resume);
  return Found::reset;
}

// The place has left what is retained. `again`: with it nothing went that was still to be read.
EventReader::Found EventReader::take_expiry(bool& again) {
  if (auto done = stream_->files().refresh(); !done) {
    if (done.error().code != ErrorCode::no_broker) return fail(Found::unreadable, done.error());
    blocked_ = true;
    return Found::blocked;
  }
  const auto found = window();
  if (!found) return fail(Found::error, found.error());
  Window now = *found;
  // The ring of a broker that is gone says no more what is retained; the files do.
  const auto& segments = stream_->files().segments();
  if (!segments.empty() && segments.front().first_position > now.earliest_position) {
    now.earliest_position = segments.front().first_position;
    now.earliest_sequence = segments.front().first_sequence;
    now.latest_sequence = std::max(now.latest_sequence, now.earliest_sequence - 1);
  }
  if (next_sequence_ == now.earliest_sequence && stream_->position() < now.earliest_position) {
    // What was pruned ends with the last event that we had: only marks and a segment's end lay between.
    stream_->seek(now.earliest_position);
    again = true;
    return Found::end;
  }
  take_place(reset_to_earliest(stream_->files(), Reset::Reason::expired, next_sequence_, now));
  set(kResetPending, false);
  ++stats_.resets;
  report_place();
  return Found::reset;
}

// A hint for `leat stat`, on a line of our own that nobody polls.
void EventReader::report_place() noexcept {
  stats_.lapped = stream_->lapped;
  stats_.ring_bytes = stream_->ring_bytes;
  stats_.journal_bytes = stream_->journal_bytes;
  if (slot_ == nullptr) return;
  slot_->position.store(stream_->position(), std::memory_order_relaxed);
  slot_->sequence.store(next_sequence_ - 1, std::memory_order_relaxed);
  slot_->lapped.store(stats_.lapped, std::memory_order_relaxed);
  slot_->resets.store(stats_.resets, std::memory_order_relaxed);
}

Result<void> EventReader::open(JournalFiles files, const Start& start) {
  RecordStream fresh(std::move(files));
  auto place = find_place_in_files(fresh, start);
  if (!place) return place.error();
  read_on(std::move(fresh), *place);
  LEAT_ASSERT(is_open() && ring() == nullptr);
  return {};
}

void EventReader::read_on(RecordStream fresh, const StartPlace& place) {
  replace_stream(std::move(fresh));
  take_place(place);
}

void EventReader::replace_stream(RecordStream fresh) {
  if (stream_) {
    fresh.lapped = stream_->lapped;
    fresh.ring_bytes = stream_->ring_bytes;
    fresh.journal_bytes = stream_->journal_bytes;
    if (!old_stream_) old_stream_.emplace(std::move(*stream_));
  }
  stream_.emplace(std::move(fresh));
}

void EventReader::take_place(const StartPlace& place) {
  LEAT_ASSERT(stream_.has_value());
  stream_->seek(place.position);
  next_sequence_ = place.next_sequence;
  epoch_ = stream_->files().identity().current().id;
  journal_uuid_ = stream_->files().identity().uuid;
  last_record_ = {};
  if (place.not_before_ns) {
    not_before_ns_ = place.not_before_ns;
    began_before_its_time_ = !place.found_time;
  }
  mind_selection();
  if (place.reset) {
    reset_ = place.why;
    set(kResetPending, true);
    LEAT_ASSERT(cursor() == reset_.resume);
  }
  LEAT_ASSERT(stream_->position() == place.position);
}

bool EventReader::is_of_this_feed(const Cursor& place) {
  if (place.epoch == epoch_) return true;
  const auto holds = [&] { return stream_->files().identity().check(place) == CursorCheck::ok; };
  return holds() || (owner_.is_here() && stream_->files().refresh().ok() && holds());
}

}  // namespace leat::client
