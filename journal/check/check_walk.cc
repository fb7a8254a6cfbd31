#include "journal/check/check_walk.h"

#include <algorithm>
#include <utility>

#include "base/words.h"
#include "journal/read/tail_scan.h"
#include "record/record.h"

namespace leat::internal {

using Found = SegmentProbe::Found;

// The end of the room for data, in the file as it was made.
std::uint64_t SegmentWalk::capacity_end() const noexcept {
  return segment_.name.first_position + segment_geometry(segment_.wanted_bytes).data_bytes;
}

std::uint64_t SegmentWalk::limit() const noexcept {
  return last_ ? capacity_end() : std::min(capacity_end(), next_.first_position);
}

// True if there is room for records up to `end`. Where no header says how long the file was, it is taken to have been
// long enough for what must lie in it.
bool SegmentWalk::make_room(std::uint64_t end) noexcept {
  if (!segment_.header_good && end > capacity_end()) {
    const std::uint64_t data_offset = segment_geometry(segment_.wanted_bytes).data_offset;
    const std::uint64_t bytes = segment_size_with(data_offset, data_offset + (end - segment_.name.first_position));
    if (segment_.name.first_position + segment_geometry(bytes).data_bytes >= end) segment_.wanted_bytes = bytes;
  }
  return end <= capacity_end();
}

// True if the good record follows on the ones before. If not, something that belongs before it is gone.
bool SegmentWalk::acceptable(const ProbedRecord& record) const {
  const std::uint64_t newest = state_.expected - 1;
  switch (record.type()) {
    case RecordType::event: return record.header.sequence == state_.expected;
    case RecordType::mark: return !in_batch_ && record.header.sequence == newest;
    case RecordType::segment_end: return !in_batch_ && record.header.sequence == newest;
    case RecordType::gap: {
      const GapBody gap = record.gap();
      return !in_batch_ && gap.first_missing == state_.expected && gap.last_missing >= gap.first_missing &&
             gap.last_missing == record.header.sequence;
    }
  }
  return false;
}

// True if the record can stand behind a hole. Asked of the header alone.
bool SegmentWalk::plausible(const ProbedRecord& record) const {
  if (record.header.type < static_cast<std::uint16_t>(RecordType::event) ||
      record.header.type > static_cast<std::uint16_t>(RecordType::gap)) {
    return false;
  }
  const bool is_event = record.type() == RecordType::event;
  const std::uint64_t first = is_event ? record.header.sequence : record.header.sequence + 1;
  if (first < state_.expected) return false;
  if (!last_ && record.next_sequence() > next_.first_sequence) return false;
  const std::uint64_t from = in_batch_ ? batch_position_ : at_;
  return record.position - from >= kRecordHeaderBytes;  // or there is no room for what says that something is missing
}

void SegmentWalk::take_event(const ProbedRecord& record) {
  const RecordHeader& header = record.header;
  ++check_.events;
  if (segment_.first_timestamp_ns == 0) segment_.first_timestamp_ns = header.timestamp_ns;
  if (record.more_in_batch() && !in_batch_) {
    batch_position_ = record.position;
    batch_sequence_ = header.sequence;
  }
  in_batch_ = record.more_in_batch();
  newest_event_ = header;
  check_.next_producer_id = std::max(check_.next_producer_id, header.producer_id + 1);
  while (next_entry_ < index_.size() && index_[next_entry_].position < record.position) {
    ++next_entry_;
    ++stale_;
  }
  if (next_entry_ < index_.size() && index_[next_entry_].position == record.position) {
    const IndexEntry& entry = index_[next_entry_++];
    if (entry.sequence != header.sequence || entry.timestamp_ns != header.timestamp_ns) ++stale_;
  }
  // As the writer does it.
  if (record.position < next_index_position_) return;
  if (segment_.index.size() >= segment_geometry(segment_.wanted_bytes).index_entries) return;
  segment_.index.push_back({record.position, header.sequence, header.timestamp_ns, 0});
  next_index_position_ =
      record.position - (record.position - segment_.name.first_position) % kIndexIntervalBytes + kIndexIntervalBytes;
}

void SegmentWalk::take(const ProbedRecord& record) {
  state_.timestamp_ns = record.header.timestamp_ns;  // not the greatest: the clock may have been set back
  state_.expected = record.next_sequence();
  switch (record.type()) {
    case RecordType::event: take_event(record); break;
    case RecordType::mark:
      ++check_.marks;
      if (const auto mark = record.mark(); mark) {
        if (mark->durable_position > state_.durable_position) {
          state_.durable_position = mark->durable_position;
          state_.durable_sequence = mark->durable_sequence;
        }
        check_.next_producer_id = std::max(check_.next_producer_id, mark->next_producer_id);
      }
      break;
    case RecordType::gap:
      check_.gaps.push_back({segment_.file, record.position, record.gap().first_missing, record.gap().last_missing});
      break;
    case RecordType::segment_end: segment_.sealed = true; break;
  }
  at_ += record.bytes;
  segment_.end_position = at_;
}

bool SegmentWalk::walk_on() {
  const std::uint64_t until = at_ + SegmentProbe::kBufferBytes;
  while (!done_ && at_ < until) {
    ProbedRecord record;
    const Found found = probe_.at(at_, limit(), record);
    if (found == Found::record && acceptable(record)) {
      take(record);
      done_ = segment_.sealed;
    } else {
      take_bad(found);
    }
  }
  return !done_;
}

SegmentWalk::Hole SegmentWalk::hole() const noexcept {
  return in_batch_ ? Hole{batch_position_, batch_sequence_} : Hole{at_, state_.expected};
}

void SegmentWalk::take_bad(Found found) {
  if (last_) {
    search_marks();
    if (state_.durable_position <= at_) return end_journal(found);
    // A broker may have written this, and a mark behind it, since we looked.
    probe_.forget();
    ProbedRecord record;
    if (probe_.at(at_, limit(), record) == Found::record && acceptable(record)) return;
  }
  if (resume_behind()) return;
  done_ = true;
  if (last_) {
    lose_end();
  } else {
    lose_segment_end();
  }
}

void SegmentWalk::search_marks() {
  if (std::exchange(marks_searched_, true)) return;
  const auto is_mark = [](const ProbedRecord& record) {
    return record.type() == RecordType::mark && record.header.length == kMarkRecordBytes;
  };
  std::uint64_t from = at_;
  while (const auto found = probe_.search(from, capacity_end(), {}, is_mark)) {
    const auto mark = found->mark();
    if (mark && mark->durable_position > state_.durable_position) {
      state_.durable_position = mark->durable_position;
      state_.durable_sequence = mark->durable_sequence;
    }
    from = found->position + kRecordAlignment;
  }
}

void SegmentWalk::end_journal(Found found) {
  const Hole end = hole();
  if (found != Found::zero || in_batch_) {
    check_.torn_bytes = probe_.last_written(end.from, capacity_end()) - end.from;
  }
  check_.events -= state_.expected - end.sequence;
  state_.expected = end.sequence;
  segment_.end_position = end.from;
  done_ = true;
  if (!make_room(end.from + kSegmentReserveBytes)) contradict("its records leave no room for its end");
}

bool SegmentWalk::resume_behind() {
  const Hole lost = hole();
  const std::uint64_t expected = state_.expected;
  std::vector<std::uint64_t> hints;
  for (const IndexEntry& entry : index_) hints.push_back(entry.position);
  std::ranges::sort(hints);
  for (std::uint64_t from = at_;;) {
    const auto found =
        probe_.search(from, limit(), hints, [&](const ProbedRecord& record) { return plausible(record); });
    if (!found) {
      state_.expected = expected;  // what was passed over as the rest of a batch is lost too
      return false;
    }
    std::uint64_t to = found->position;
    if (!rest_of_batch_follows(*found)) {
      add_damage(lost, to, found->first_sequence(), false);
      return true;
    }
    if (pass_rest_of_batch(to)) {
      add_damage(lost, to, state_.expected, false);
      return true;
    }
    from = to;
  }
}

// True if `record` continues a batch of which the damage took a part. The headers that are left in the damaged range
// may say whether the last of them ended its batch; they are believed for nothing else. Where they say nothing, an
// unbroken run of one producer's numbers counts as one batch.
bool SegmentWalk::rest_of_batch_follows(const ProbedRecord& record) {
  if (record.type() != RecordType::event) return false;
  std::uint64_t sequence = state_.expected;
  bool more = in_batch_;
  for (std::uint64_t at = at_; at != record.position; ++sequence) {
    RecordHeader header{};
    const bool coherent = at < record.position && probe_.peek(at, header) &&
                          header.type == static_cast<std::uint16_t>(RecordType::event) && header.sequence == sequence &&
                          header_is_sane(header, record.position - at);
    if (!coherent) {
      return in_batch_ && record.header.producer_id == newest_event_.producer_id &&
             record.header.producer_sequence - newest_event_.producer_sequence ==
                 record.header.sequence - newest_event_.sequence;
    }
    more = (header.flags & kFlagMoreInBatch) != 0;
    at += padded_record_bytes(header.length);
  }
  return more && sequence == record.header.sequence;
}

// Moves `position` behind the batch that goes on there. False: it is damaged again before its end.
bool SegmentWalk::pass_rest_of_batch(std::uint64_t& position) {
  ProbedRecord record;
  bool begun = false;
  while (probe_.at(position, limit(), record) == Found::record && record.type() == RecordType::event &&
         (!begun || record.header.sequence == state_.expected)) {
    begun = true;
    position += record.bytes;
    state_.expected = record.next_sequence();
    if (!record.more_in_batch()) return true;
  }
  return false;
}

// Nothing good follows in the last segment, but something proves that the journal went on.
void SegmentWalk::lose_end() {
  const Hole lost = hole();
  const std::uint64_t next = std::max(state_.durable_sequence + 1, lost.sequence);
  const std::uint64_t to = std::max(state_.durable_position, lost.from + kSegmentEndRecordBytes);
  if (make_room(to + kSegmentReserveBytes)) {
    add_damage(lost, to, next, false);
    segment_.end_position = to;
    return;
  }
  // The journal went on in a segment that is gone: this segment ends here, a segment that is made anew says the rest.
  if (!make_room(lost.from + kSegmentReserveBytes)) {
    return contradict("its records leave no room for its end");
  }
  add_damage(lost, lost.from + kSegmentEndRecordBytes, lost.sequence, true);
  segment_.end_position = at_;
}

// Nothing good follows here, and a later segment is there.
void SegmentWalk::lose_segment_end() {
  const Hole lost = hole();
  if (make_room(next_.first_position)) {
    const std::uint64_t room = next_.first_position - std::min(next_.first_position, lost.from);
    const bool loses = next_.first_sequence > lost.sequence;
    if (next_.first_sequence < lost.sequence || room % kWordBytes != 0 ||
        room < kSegmentEndRecordBytes + (loses ? kRecordHeaderBytes : 0)) {
      return contradict("its records go on to position " + std::to_string(lost.from) + ", sequence " +
                        std::to_string(lost.sequence - 1) + ", which leaves no room before " + next_.to_string());
    }
    add_damage(lost, next_.first_position, next_.first_sequence, true);
  } else if (!make_room(lost.from + kSegmentReserveBytes)) {
    return contradict("it is full, but does not end with a segment end");
  } else {
    add_damage(lost, lost.from + kSegmentEndRecordBytes, lost.sequence, true);
  }
  segment_.end_position = at_;
}

void SegmentWalk::contradict(const std::string& what) {
  check_.damages.push_back({.kind = DamageKind::contradiction, .file = segment_.file, .what = what});
  state_.expected = last_ ? hole().sequence : next_.first_sequence;
  segment_.end_position = last_ ? hole().from : next_.first_position;
}

void SegmentWalk::add_damage(const Hole& lost, std::uint64_t to, std::uint64_t next_sequence, bool ends_segment) {
  const bool follows = !check_.damages.empty() && check_.damages.back().kind == DamageKind::records &&
                       check_.damages.back().file == segment_.file && check_.damages.back().to_position == lost.from;
  if (!follows) {
    check_.damages.push_back(
        {.kind = DamageKind::records,
         .file = segment_.file,
         .offset = segment_geometry(segment_.wanted_bytes).data_offset + lost.from - segment_.name.first_position,
         .from_position = lost.from,
         .newest_before = lost.sequence - 1,
         .timestamp_ns = state_.timestamp_ns,
         .what = "no good record"});
  }
  Damage& damage = check_.damages.back();
  if (lost.sequence < next_sequence) {
    if (!damage.loses_events()) damage.first_lost = lost.sequence;
    damage.last_lost = next_sequence - 1;
  }
  damage.to_position = to;
  damage.bytes = to - damage.from_position;
  damage.ends_segment = ends_segment;
  segment_.records_good = false;
  segment_.sealed = ends_segment;
  if (in_batch_) check_.events -= newest_event_.sequence + 1 - lost.sequence;
  std::erase_if(segment_.index, [&](const IndexEntry& entry) { return entry.position >= lost.from; });
  next_index_position_ = std::min(next_index_position_, to);
  in_batch_ = false;
  at_ = segment_.end_position = to;
  state_.expected = next_sequence;
}

}  // namespace leat::internal
