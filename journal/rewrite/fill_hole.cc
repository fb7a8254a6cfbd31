#include "journal/rewrite/fill_hole.h"

#include "base/check.h"
#include "record/own_record.h"

namespace leat::internal {
namespace {

std::string make_gap(const Damage& damage, std::uint64_t bytes, std::uint64_t feed_seed) {
  const GapBody body{.first_missing = damage.first_lost, .last_missing = damage.last_lost};
  const OwnRecord gap{.type = RecordType::gap,
                      .sequence = damage.last_lost,
                      .producer_sequence = damage.first_lost,
                      .timestamp_ns = damage.timestamp_ns,
                      .body = &body,
                      .body_bytes = bytes >= kGapRecordBytes ? sizeof body : 0,
                      .length = bytes};
  return make_own_record(gap, feed_seed, damage.from_position);
}

// A whole number of words that leaves nothing, or enough for another record.
std::uint64_t next_piece(std::uint64_t left) {
  if (left <= kMaxFillerBytes) return left;
  return left - kMaxFillerBytes < kRecordHeaderBytes ? kMaxFillerBytes / 2 : kMaxFillerBytes;
}

}  // namespace

Result<void> fill_hole(const Damage& damage, std::uint64_t feed_seed, const RecordSink& sink) {
  std::uint64_t at = damage.from_position;
  const std::uint64_t to = damage.to_position - (damage.ends_segment ? kSegmentEndRecordBytes : 0);
  LEAT_ASSERT(at <= to && (to - at) % kRecordAlignment == 0);
  if (damage.loses_events()) {
    const std::uint64_t bytes = to - at <= kMaxGapBytes ? to - at : kGapRecordBytes;
    LEAT_ASSERT(bytes >= kRecordHeaderBytes);
    if (auto done = sink(at, make_gap(damage, bytes, feed_seed)); !done) return done;
    at += bytes;
  }
  const std::uint64_t newest = damage.newest_behind();
  while (at < to) {
    const std::uint64_t bytes = next_piece(to - at);
    LEAT_ASSERT(bytes >= kRecordHeaderBytes);
    // Never the length of a mark: this one has nothing to say.
    const std::uint64_t length = bytes == kMarkRecordBytes ? bytes - (kRecordAlignment - 1) : bytes;
    const OwnRecord filler{.type = RecordType::mark,
                           .sequence = newest,
                           .timestamp_ns = damage.timestamp_ns,
                           .length = length};
    if (auto done = sink(at, make_own_record(filler, feed_seed, at)); !done) return done;
    at += bytes;
  }
  if (!damage.ends_segment) return {};
  const OwnRecord end{.type = RecordType::segment_end, .sequence = newest, .timestamp_ns = damage.timestamp_ns};
  return sink(at, make_own_record(end, feed_seed, at));
}

}  // namespace leat::internal
