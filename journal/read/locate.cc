#include "journal/read/locate.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/clock.h"
#include "journal/read/record_walk.h"

namespace leat::internal {
namespace {

constexpr std::size_t kScanBufferBytes = 128 * 1024;
constexpr std::int64_t kLastTime = std::numeric_limits<std::int64_t>::max();

bool is_event(const RecordView& record) { return record.header.type == static_cast<std::uint16_t>(RecordType::event); }

// Scans from `from` on for the first event that `reached` accepts. Stands still at the first place without a good
// record: whoever reads on from there gets the right answer about that place.
template <typename Reached, typename ReachedIn>
Result<Located> scan(JournalFiles& files, Located from, std::uint64_t limit_position, Reached reached,
                     ReachedIn reached_in) {
  RecordWalk walk(files, kScanBufferBytes, from.position, limit_position);
  Located at = from;
  at.found = false;
  RecordView record;
  RecordWalk::Found found = walk.next(record);
  for (; found == RecordWalk::Found::record; found = walk.next(record)) {
    if (is_event(record)) {
      if (reached(record.header)) {
        return Located{walk.record_position(), record.header.sequence, true, false, record.header.timestamp_ns};
      }
      at.sequence = record.header.sequence + 1;
    } else if (record.header.type == static_cast<std::uint16_t>(RecordType::gap)) {
      const GapBody gap = gap_of(record.header, record.payload);
      if (reached_in(gap)) return Located{walk.record_position(), gap.first_missing, true, true};
      at.sequence = gap.last_missing + 1;
    }
  }
  if (found == RecordWalk::Found::failed) return files.error();
  if (found == RecordWalk::Found::expired) {
    return Error{ErrorCode::io_error, "the journal's oldest segment was recycled while it was searched",
                 "start again, at a later place or with more retention"};
  }
  at.position = walk.position();
  return at;
}

// True if the record that an index entry points to says the same.
bool entry_agrees(JournalFiles& files, const IndexEntry& entry) {
  RecordBuffer buffer(kPageBytes);
  buffer.restart(entry.position);
  RecordView record;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (files.fill(buffer, false, ~0ULL) != JournalFiles::Fill::ok) return false;
    const auto next = buffer.next(record, files.feed_seed(), files.data_bytes());
    if (next == RecordBuffer::Next::record) {
      return is_event(record) && record.header.sequence == entry.sequence &&
             record.header.timestamp_ns == entry.timestamp_ns;
    }
    if (next != RecordBuffer::Next::need_more) return false;
    buffer.ensure_capacity(std::min<std::uint64_t>(buffer.wanted_bytes(), files.data_bytes()));
  }
  return false;
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
  return entry_agrees(files, entry) ? Located{entry.position, entry.sequence, false} : start;
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
  return scan(
      files, *entered, limit_position, [&](const RecordHeader& header) { return header.sequence >= sequence; },
      [&](const GapBody& gap) { return gap.first_missing <= sequence && sequence <= gap.last_missing; });
}

namespace {

// The events between two samples of the index, or behind the last one, or before the first one of a segment.
struct Stretch {
  Located begin;  ///< where it can be entered; unchecked
  std::uint64_t end_position = ~0ULL;
  std::optional<std::int64_t> begin_ns;  ///< time of its first event, if a sample says so
  std::optional<std::int64_t> end_ns;    ///< time of the first event behind it
};

// Times rise, but for the few places where the clock was set back: where a later sample is not earlier, all in between
// is.
bool lies_beside(const Stretch& stretch, std::int64_t from_ns, std::int64_t to_ns) {
  if (!stretch.end_ns || (stretch.begin_ns && *stretch.begin_ns > *stretch.end_ns)) return false;
  return *stretch.end_ns < from_ns || (stretch.begin_ns && *stretch.begin_ns > to_ns);
}

std::optional<std::int64_t> first_time(JournalFiles& files, const SegmentName& name) {
  const auto index = files.read_index(name);
  if (!index.ok() || index->empty()) return std::nullopt;
  return index->front().timestamp_ns;
}

// The first event in one segment with a time from `from_ns` to `to_ns`. If there is none, the answer stands at the
// segment's end, or at the first place without a good record. What a sample of the index says is believed only if its
// record says the same, or if the record of a sample further on does, and that sample is not later.
Result<Located> search_segment(JournalFiles& files, const Stretch& segment, const SegmentName& name,
                               std::int64_t from_ns, std::int64_t to_ns, std::uint64_t limit_position) {
  auto index = files.read_index(name);
  if (!index) return index.error();
  const std::vector<IndexEntry>& samples = *index;
  std::erase_if(*index, [&](const IndexEntry& entry) {
    return entry.position < name.first_position || entry.position - name.first_position >= files.data_bytes();
  });
  const auto reached = [&](const RecordHeader& header) {
    return header.timestamp_ns >= from_ns && header.timestamp_ns <= to_ns;
  };
  const std::uint64_t last = std::min(limit_position, segment.end_position);
  Located at = segment.begin;
  for (std::size_t i = 0; i <= samples.size() && at.position < last; ++i) {
    Stretch stretch = segment;
    if (i > 0) stretch.begin_ns = samples[i - 1].timestamp_ns;
    if (i < samples.size()) {
      stretch.end_position = samples[i].position;
      stretch.end_ns = samples[i].timestamp_ns;
    }
    if (stretch.end_position <= limit_position && lies_beside(stretch, from_ns, to_ns)) continue;
    std::size_t first = i;
    while (first > 0 && !entry_agrees(files, samples[first - 1])) --first;
    while (i < samples.size() && !entry_agrees(files, samples[i])) ++i;
    if (first > 0) stretch.begin = {samples[first - 1].position, samples[first - 1].sequence, false};
    const std::uint64_t until = std::min(last, i < samples.size() ? samples[i].position : segment.end_position);
    if (stretch.begin.position >= until) continue;
    auto found = scan(files, stretch.begin, until, reached, [](const GapBody&) { return false; });
    if (!found || found->found || found->position < until) return found;
    at = *found;
  }
  if (segment.end_position <= limit_position)
    at.position = segment.end_position;  // the last ones may have been passed over
  return at;
}

}  // namespace

Result<Located> locate_time(JournalFiles& files, std::int64_t timestamp_ns, std::uint64_t limit_position) {
  if (auto done = files.refresh(); !done) return done.error();
  const std::vector<SegmentName> names = files.segments();
  if (names.empty()) return Located{0, 1, false};
  const std::int64_t now_ns = realtime_ns();
  const std::int64_t to_ns =
      timestamp_ns <= now_ns && now_ns <= kLastTime - kStampsAheadNs ? now_ns + kStampsAheadNs : kLastTime;
  // Names carry no times, so the first index entry of a segment stands for it.
  Located at{names.front().first_position, names.front().first_sequence, false};
  std::optional<std::int64_t> begins_ns = first_time(files, names.front());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool is_last = i + 1 == names.size();
    const Stretch segment{.begin = {names[i].first_position, names[i].first_sequence, false},
                          .end_position = is_last ? ~0ULL : names[i + 1].first_position,
                          .begin_ns = begins_ns,
                          .end_ns = is_last ? std::nullopt : first_time(files, names[i + 1])};
    begins_ns = segment.end_ns;
    if (segment.end_position <= limit_position && lies_beside(segment, timestamp_ns, to_ns)) continue;
    auto found = search_segment(files, segment, names[i], timestamp_ns, to_ns, limit_position);
    if (!found || found->found || found->position < segment.end_position) return found;
    at = *found;
  }
  return at;
}

}  // namespace leat::internal
