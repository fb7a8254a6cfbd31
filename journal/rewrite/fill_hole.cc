#include "journal/rewrite/fill_hole.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "record/record.h"

namespace leat::internal {
namespace {

void seal_record(std::string& bytes, RecordHeader header, std::uint64_t feed_seed, std::uint64_t position) {
  std::memcpy(bytes.data(), &header, sizeof header);
  header.checksum = record_checksum(bytes.data(), header.length, feed_seed, position);
  std::memcpy(bytes.data(), &header.checksum, sizeof header.checksum);
}

std::string make_gap(const Damage& damage, std::uint64_t bytes, std::uint64_t feed_seed) {
  const GapBody body{.first_missing = damage.first_lost, .last_missing = damage.last_lost};
  std::string record(bytes, '\0');
  if (bytes >= kGapRecordBytes) std::memcpy(record.data() + kRecordHeaderBytes, &body, sizeof body);
  RecordHeader header{};
  header.length = static_cast<std::uint32_t>(bytes);
  header.type = static_cast<std::uint16_t>(RecordType::gap);
  header.sequence = damage.last_lost;
  header.producer_sequence = damage.first_lost;
  header.timestamp_ns = damage.timestamp_ns;
  seal_record(record, header, feed_seed, damage.from_position);
  return record;
}

// A whole number of words that leaves nothing, or enough for another record.
std::uint64_t next_piece(std::uint64_t left) {
  if (left <= kMaxFillerBytes) return left;
  return left - kMaxFillerBytes < kRecordHeaderBytes ? kMaxFillerBytes / 2 : kMaxFillerBytes;
}

}  // namespace

std::string make_own_record(RecordType type, std::uint64_t length, std::uint64_t sequence, std::int64_t timestamp_ns,
                            const void* body, std::size_t body_bytes, std::uint64_t feed_seed, std::uint64_t position) {
  std::string record(padded_record_bytes(length), '\0');
  if (body_bytes > 0) std::memcpy(record.data() + kRecordHeaderBytes, body, body_bytes);
  RecordHeader header{};
  header.length = static_cast<std::uint32_t>(length);
  header.type = static_cast<std::uint16_t>(type);
  header.sequence = sequence;
  header.timestamp_ns = timestamp_ns;
  seal_record(record, header, feed_seed, position);
  return record;
}

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
    if (auto done =
            sink(at, make_own_record(RecordType::mark, length, newest, damage.timestamp_ns, nullptr, 0, feed_seed, at));
        !done) {
      return done;
    }
    at += bytes;
  }
  if (!damage.ends_segment) return {};
  return sink(at, make_own_record(RecordType::segment_end, kSegmentEndRecordBytes, newest, damage.timestamp_ns, nullptr,
                                  0, feed_seed, at));
}

}  // namespace leat::internal
