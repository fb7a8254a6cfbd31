// What does not happen at every event: the sequencer's own records (marks, segment ends), and the roll to the next
// segment.
#include "broker/sequence/log_tail.h"

#include <algorithm>
#include <utility>

#include "broker/log.h"
#include "record/own_record.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr std::uint64_t kMaxIntentStep = 16 * 1024;

}  // namespace

LogTail::LogTail(const Options& options, LogTailParts parts, const LogEnd& end, FeedCondition& condition)
    : ring_(parts.ring),
      journal_(parts.journal),
      handover_(parts.handover),
      registry_(parts.registry),
      counters_(parts.counters),
      next_producer_id_(parts.next_producer_id),
      condition_(condition),
      feed_seed_(end.feed_seed),
      intent_step_(std::min(kMaxIntentStep, options.ring_bytes / 16)),
      position_(end.position),
      sequence_(end.sequence),
      appended_(end.position),
      committed_(end.position),
      committed_sequence_(end.sequence),
      stamps_(end.last_timestamp_ns),
      timestamp_ns_(end.last_timestamp_ns),
      owed_mark_{.position = end.position, .sequence = end.sequence} {}

// Builds one of the broker's own records behind the last record, and appends it. The caller has made sure of the room.
void LogTail::write_own(RecordType type, std::uint16_t flags, const void* payload, std::size_t payload_bytes) {
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
  copy_words_in(stage(padded), record, padded);
  position_ += padded;
  (void)append();  // what fails stays staged, and whoever wanted the record looks: see Round::hold
}

// False: no prepared segment is at hand. Nothing more is taken until there is one: back-pressure, not loss.
bool LogTail::roll() {
  if (next_segment_ == nullptr) {
    MappedSegment* next = nullptr;
    if (handover_.rolled.write_available() == 0 || !handover_.prepared.pop(next)) {
      condition_.stall();
      handover_.syncer_wake.notify();
      return false;
    }
    next_segment_.reset(next);
    if (!end_is_written_) {
      write_own(RecordType::segment_end, 0, nullptr, 0);
      journal_.seal();
      end_is_written_ = true;
    }
  }
  if (!append()) return false;  // all of the old segment's first; the round is held
  if (auto named = journal_.name(*next_segment_, sequence_ + 1, position_); !named) {
    cannot_name(named.error());
    return false;
  }
  condition_.go_on();
  end_is_written_ = false;
  std::unique_ptr<MappedSegment> sealed = journal_.replace(std::move(next_segment_));
  const MappedSegment& current = journal_.current();
  LEAT_ASSERT(current.name.first_position == position_ && current.name.first_sequence == sequence_ + 1);
  handover_.rolled.push({.sealed = sealed.release(), .current_fd = current.fd.get(), .current = current.name});
  handover_.syncer_wake.notify();  // the next segment must be ready before this one is full
  // A segment says by itself what came before it, so that recovery needs to read no other.
  write_mark(0, owed_mark_);
  return true;
}

// The new name may need a block of the directory, so a full disk can show here too: then the name is tried again, as
// with any segment that cannot be had.
void LogTail::cannot_name(const Error& error) {
  LEAT_ASSERT(next_segment_ != nullptr && end_is_written_);
  // A segment made ahead of need may lie about for weeks: what cleaners like to remove. The syncer makes another one.
  if (error.code == ErrorCode::closed) {
    next_segment_.reset();
    if (condition_.stall())
      log::warn("{}: a segment made ahead of need was removed by somebody else; another one is made", error.message);
    handover_.syncer_wake.notify();
    return;
  }
  if (error.code != ErrorCode::no_space) {
    condition_.fail(error);
    return;
  }
  if (!condition_.stall()) return;
  log::error("the next segment cannot be named: {}; the feed holds its producers back and tries again", error.message);
}

bool LogTail::write_mark(std::uint16_t flags, const MarkRequest& durable) {
  if (!journal_.has_reserve(kMarkRecordBytes)) return false;
  const MarkBody body{.durable_position = durable.position,
                      .durable_sequence = durable.sequence,
                      .next_producer_id = next_producer_id_.load(std::memory_order_relaxed),
                      .reserved = 0};
  write_own(RecordType::mark, flags, &body, sizeof body);
  return true;
}

bool LogTail::take_mark_requests() {
  MarkRequest request{};
  while (handover_.marks.pop(request)) {
    LEAT_ASSERT(request.position <= position_ && request.sequence <= sequence_);
    owed_mark_ = request;
    owes_mark_ = true;
  }
  return owes_mark_;
}

// A mark is committed like an event, but wakes nobody: it is no news.
bool LogTail::write_owed_mark() {
  LEAT_ASSERT(owes_mark_ && is_committed());
  announce();
  if (!write_mark(0, owed_mark_)) return true;
  owes_mark_ = false;
  if (appended_ != position_) return false;
  bump(counters_.bytes, position_ - committed_);
  commit();
  return true;
}

Result<std::uint64_t> LogTail::append_clean_mark() {
  if (write_mark(kFlagCleanClose, {.position = position_, .sequence = sequence_})) {
    if (appended_ != position_) return append_error();
    commit();
  }
  return position_;
}

}  // namespace leat::broker
