#include "journal/read/tail_scan.h"

#include <algorithm>
#include <cstring>

#include "journal/read/hash_budget.h"
#include "journal/read/record_walk.h"

namespace leat::internal {
namespace {

constexpr std::size_t kTailBufferBytes = 1024 * 1024;
constexpr std::size_t kWalkBufferBytes = 128 * 1024;

enum class Stop { zero, bad, sealed };

// Takes the records in, one by one, and remembers where the last whole batch ended.
class TailState {
 public:
  TailState(TailScan& scan, const SegmentName& name) : scan_(scan) {
    scan_.end_position = name.first_position;
    scan_.end_sequence = name.first_sequence - 1;
  }

  void take(std::uint64_t end, const RecordView& record) {
    const RecordHeader& header = record.header;
    const auto type = static_cast<RecordType>(header.type);
    if (type == RecordType::event && header.producer_id >= scan_.next_producer_id) {
      scan_.next_producer_id = header.producer_id + 1;
    }
    if (type == RecordType::mark) take_mark(record);
    in_batch_ = type == RecordType::event && (header.flags & kFlagMoreInBatch) != 0;
    if (in_batch_) return;
    scan_.end_position = end;
    scan_.end_sequence = header.sequence;
    scan_.last_timestamp_ns = header.timestamp_ns;  // not the greatest: the clock may have been set back since
  }

  void take_mark(const RecordView& record) {
    MarkBody mark{};
    if (record.payload.size() != sizeof mark) return;
    std::memcpy(&mark, record.payload.data(), sizeof mark);
    ++scan_.marks;
    scan_.prove(mark.durable_position, mark.durable_sequence);
    scan_.next_producer_id = std::max(scan_.next_producer_id, mark.next_producer_id);
  }

  [[nodiscard]] bool in_batch() const { return in_batch_; }

 private:
  TailScan& scan_;
  bool in_batch_ = false;
};

// Looks for records behind the journal's end that are good where they stand, and whose numbers could follow that end:
// the journal would take such a record for its own when it has grown up to it. The records that a recycled segment
// still holds have other numbers, which costs no hashing to find out.
class BehindTheEnd {
 public:
  BehindTheEnd(const TailScan& scan, std::uint64_t feed_seed, std::uint64_t data_bytes)
      : end_(scan.end_position),
        sequence_(scan.end_sequence),
        feed_seed_(feed_seed),
        data_bytes_(data_bytes),
        budget_(kMostHashed * data_bytes) {}

  bool may_be_good(const std::byte* at, std::size_t available, std::uint64_t position) {
    RecordHeader header;
    std::memcpy(&header, at, sizeof header);
    const std::uint64_t most = (position - end_) / kRecordHeaderBytes + 1;
    if (header.checksum == 0 || !header_is_sane(header, data_bytes_) || header.type == 0 ||
        header.type > static_cast<std::uint16_t>(RecordType::gap) || header.sequence - sequence_ > most) {
      return false;
    }
    if (header.length > available || !budget_.spend(header.length)) return true;
    return record_checksum(at, header.length, feed_seed_, position) == header.checksum;
  }

 private:
  static constexpr std::uint64_t kMostHashed = 16;  // times all of the segment's data
  std::uint64_t end_;
  std::uint64_t sequence_;
  std::uint64_t feed_seed_;
  std::uint64_t data_bytes_;
  HashBudget budget_;
};

// Looks through everything from `from` to the segment's end for marks, for the last byte that is not zero, and, for
// `behind`, for records that are good there.
Result<void> search_rest(JournalFiles& files, std::uint64_t from, TailScan& scan, TailState& state, bool behind) {
  const std::uint64_t segment_end = files.current().first_position + files.data_bytes();
  RecordBuffer buffer(std::min<std::uint64_t>(kTailBufferBytes, align_up(files.data_bytes(), kPageBytes)));
  BehindTheEnd records(scan, files.feed_seed(), files.data_bytes());
  scan.garbage_end = from;
  for (std::uint64_t position = from; position < segment_end;) {
    buffer.restart(position);
    const auto filled = files.fill_from_open(buffer, segment_end);
    if (filled == JournalFiles::Fill::failed) return files.error();
    if (filled != JournalFiles::Fill::ok) return {};
    const std::size_t bytes = buffer.filled_bytes();
    for (std::size_t at = 0; at + kWordBytes <= bytes; at += kWordBytes) {
      std::uint64_t word = 0;
      std::memcpy(&word, buffer.room() + at, sizeof word);
      if (word == 0) continue;
      scan.garbage_end = position + at + kWordBytes;
      if (bytes - at < kRecordHeaderBytes) continue;
      if (behind && position + at > from && !scan.record_behind) {
        scan.record_behind = records.may_be_good(buffer.room() + at, bytes - at, position + at);
      }
      RecordView record;
      if (bytes - at < kMarkRecordBytes) continue;
      if (decode_record(buffer.room() + at, kMarkRecordBytes, kMarkRecordBytes, record) == Decode::ok &&
          record.header.type == static_cast<std::uint16_t>(RecordType::mark) &&
          record_checksum(buffer.room() + at, record.header.length, files.feed_seed(), position + at) ==
              record.header.checksum) {
        state.take_mark(record);
      }
    }
    // The next chunk overlaps, so that a mark across the border is seen.
    position += bytes < buffer.capacity() ? bytes : bytes - kMarkRecordBytes;
  }
  return {};
}

// Walks to the first place in the segment where no good record stands; `stopped_at` is that place.
Result<Stop> walk(JournalFiles& files, const SegmentName& name, TailState& state,
                  const std::function<void(std::uint64_t, const RecordView&)>& on_record, std::uint64_t& stopped_at) {
  RecordWalk walk(files, kWalkBufferBytes, name.first_position, ~0ULL, RecordWalk::Scope::segment);
  RecordView record;
  RecordWalk::Found found = walk.next(record);
  for (; found == RecordWalk::Found::record; found = walk.next(record)) {
    if (on_record) on_record(walk.record_position(), record);
    state.take(walk.position(), record);
    if (record.header.type == static_cast<std::uint16_t>(RecordType::segment_end)) return Stop::sealed;
  }
  if (found == RecordWalk::Found::failed) return files.error();
  stopped_at = walk.position();
  return found == RecordWalk::Found::zero ? Stop::zero : Stop::bad;
}

}  // namespace

TailVerdict judge_tail(const TailScan& scan, bool later_segment) noexcept {
  const bool proven = scan.durable_position > scan.bad_position;
  if (scan.sealed) return proven && !later_segment ? TailVerdict::corrupt : TailVerdict::sealed;
  if (proven || later_segment) return TailVerdict::corrupt;
  return scan.zero_checksum && !scan.unfinished_batch && !scan.record_behind ? TailVerdict::clean_end
                                                                             : TailVerdict::torn;
}

Result<TailScan> scan_segment(JournalFiles& files, const SegmentName& name,
                              const std::function<void(std::uint64_t, const RecordView&)>& on_record) {
  TailScan scan;
  TailState state(scan, name);
  std::uint64_t stopped_at = name.first_position;
  auto stopped = walk(files, name, state, on_record, stopped_at);
  if (!stopped) return stopped.error();
  scan.sealed = *stopped == Stop::sealed;
  scan.zero_checksum = *stopped == Stop::zero;
  scan.unfinished_batch = state.in_batch();
  scan.bad_position = scan.sealed ? scan.end_position : stopped_at;
  if (scan.sealed) return scan;
  if (auto done = search_rest(files, scan.bad_position, scan, state, true); !done) return done.error();
  return scan;
}

Result<void> search_marks(JournalFiles& files, TailScan& scan) {
  TailScan found;
  TailState state(found, files.current());
  if (auto done = search_rest(files, files.current().first_position, found, state, false); !done) return done;
  scan.take_over(found);
  return {};
}

}  // namespace leat::internal
