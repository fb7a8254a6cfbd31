#include "shm/journal/locate.h"

#include <algorithm>

namespace leat::shm {
namespace {

constexpr std::size_t kScanBufferBytes = 128 * 1024;

bool is_event(const RecordView& record) {
  return record.header.type == static_cast<std::uint16_t>(RecordType::event);
}

// Scans from `from` on for the first event that `reached` accepts. Stands still at the first byte it cannot vouch for:
// whoever reads on from there gets the right answer about it.
template <typename Reached, typename ReachedIn>
Result<Located> scan(JournalFiles& files, Located from, std::uint64_t limit_position, Reached reached,
                     ReachedIn reached_in) {
  RecordBuffer buffer(kScanBufferBytes);
  buffer.restart(from.position);
  bool starts_segment = false;
  std::uint64_t filled_at = ~0ULL;
  Located at = from;
  at.found = false;
  for (;;) {
    RecordView record;
    at.position = buffer.position();
    switch (buffer.next(record, files.feed_seed(), files.data_bytes())) {
      case RecordBuffer::Next::record:
        starts_segment = record.header.type == static_cast<std::uint16_t>(RecordType::segment_end);
        if (is_event(record)) {
          if (reached(record.header)) {
            return Located{at.position, record.header.sequence, true, false, record.header.timestamp_ns};
          }
          at.sequence = record.header.sequence + 1;
        } else if (record.header.type == static_cast<std::uint16_t>(RecordType::gap)) {
          const GapBody gap = gap_of(record.header, record.payload);
          if (reached_in(gap)) return Located{at.position, gap.first_missing, true, true};
          at.sequence = gap.last_missing + 1;
        }
        if (starts_segment) buffer.restart(buffer.position());
        continue;
      case RecordBuffer::Next::end:
      case RecordBuffer::Next::bad: return at;
      case RecordBuffer::Next::need_more: break;
    }
    // A second need_more at one place, with room enough, means that the record is not all there.
    const std::size_t room = buffer.capacity();
    buffer.ensure_capacity(buffer.wanted_bytes());
    if (filled_at == at.position && buffer.capacity() == room) return at;
    filled_at = at.position;
    switch (files.fill(buffer, starts_segment, limit_position)) {
      case JournalFiles::Fill::ok: break;
      case JournalFiles::Fill::no_data: return at;
      case JournalFiles::Fill::expired:
        return Error{ErrorCode::io_error, "the journal's oldest segment was recycled while it was searched"};
      case JournalFiles::Fill::failed: return files.error();
    }
    starts_segment = false;
  }
}

// The place to scan a segment from: the last index entry that `before` accepts, if the record there says the same.
template <typename Before>
Result<Located> enter_segment(JournalFiles& files, const SegmentName& name, Before before) {
  auto index = files.read_index(name);
  if (!index) return index.error();
  const Located start{name.first_position, name.first_sequence, false};
  const auto usable = [&](const IndexEntry& entry) {
    return entry.position >= name.first_position && entry.position - name.first_position < files.data_bytes();
  };
  std::erase_if(*index, [&](const IndexEntry& entry) { return !usable(entry); });
  const auto after = std::ranges::partition_point(*index, before);
  if (after == index->begin()) return start;
  const IndexEntry& entry = *std::prev(after);
  RecordBuffer buffer(kPageBytes);
  buffer.restart(entry.position);
  RecordView record;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (files.fill(buffer, false, ~0ULL) != JournalFiles::Fill::ok) return start;
    const auto next = buffer.next(record, files.feed_seed(), files.data_bytes());
    if (next == RecordBuffer::Next::record) {
      const bool agrees = is_event(record) && record.header.sequence == entry.sequence &&
                          record.header.timestamp_ns == entry.timestamp_ns;
      return agrees ? Located{entry.position, entry.sequence, false} : start;
    }
    if (next != RecordBuffer::Next::need_more) return start;
    buffer.ensure_capacity(std::min<std::uint64_t>(buffer.wanted_bytes(), files.data_bytes()));
  }
  return start;
}

}  // namespace

Result<Located> locate_sequence(JournalFiles& files, std::uint64_t sequence, std::uint64_t limit_position) {
  if (auto done = files.refresh(); !done) return done.error();
  const auto& names = files.segments();
  if (names.empty()) return Located{0, 1, false};
  // The last segment that begins at or below the sequence; of several that begin with it, the first holds nothing else.
  auto after = std::ranges::upper_bound(names, sequence, {}, &SegmentName::first_sequence);
  const SegmentName name = after == names.begin() ? names.front() : *std::prev(after);
  auto entered = enter_segment(files, name, [&](const IndexEntry& entry) { return entry.sequence <= sequence; });
  if (!entered) return entered.error();
  return scan(files, *entered, limit_position, [&](const RecordHeader& header) { return header.sequence >= sequence; },
              [&](const GapBody& gap) { return gap.first_missing <= sequence && sequence <= gap.last_missing; });
}

Result<Located> locate_time(JournalFiles& files, std::int64_t timestamp_ns, std::uint64_t limit_position) {
  if (auto done = files.refresh(); !done) return done.error();
  const std::vector<SegmentName> names = files.segments();
  if (names.empty()) return Located{0, 1, false};
  // Names carry no times, so the first index entry of a segment stands for it: log2(segments) short reads.
  const auto begins_before = [&](const SegmentName& name) {
    const auto index = files.read_index(name);
    return index.ok() && !index->empty() && index->front().timestamp_ns < timestamp_ns;
  };
  const auto after = std::ranges::partition_point(names, begins_before);
  const SegmentName name = after == names.begin() ? names.front() : *std::prev(after);
  auto entered =
      enter_segment(files, name, [&](const IndexEntry& entry) { return entry.timestamp_ns < timestamp_ns; });
  if (!entered) return entered.error();
  return scan(files, *entered, limit_position,
              [&](const RecordHeader& header) { return header.timestamp_ns >= timestamp_ns; },
              [](const GapBody&) { return false; });
}

}  // namespace leat::shm
