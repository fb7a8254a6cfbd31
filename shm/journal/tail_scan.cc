#include "shm/journal/tail_scan.h"

#include <algorithm>
#include <cstring>

namespace leat::shm {
namespace {

constexpr std::size_t kTailBufferBytes = 1024 * 1024;

enum class Stop { zero, bad, sealed };

// Takes in the records one by one and remembers where the last whole batch ended.
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
    scan_.last_timestamp_ns = std::max(scan_.last_timestamp_ns, header.timestamp_ns);
  }

  void take_mark(const RecordView& record) {
    MarkBody mark{};
    if (record.payload.size() != sizeof mark) return;
    std::memcpy(&mark, record.payload.data(), sizeof mark);
    ++scan_.marks;
    if (mark.durable_position > scan_.durable_position) {
      scan_.durable_position = mark.durable_position;
      scan_.durable_sequence = mark.durable_sequence;
    }
    scan_.next_producer_id = std::max(scan_.next_producer_id, mark.next_producer_id);
  }

  [[nodiscard]] bool in_batch() const { return in_batch_; }

 private:
  TailScan& scan_;
  bool in_batch_ = false;
};

// Looks through everything from `from` to the segment's end for marks and for the last byte that is not zero.
Result<void> search_rest(JournalFiles& files, std::uint64_t from, TailScan& scan, TailState& state) {
  const std::uint64_t segment_end = files.current().first_position + files.data_bytes();
  RecordBuffer buffer(kTailBufferBytes);
  scan.garbage_end = from;
  for (std::uint64_t position = from; position < segment_end;) {
    buffer.restart(position);
    const auto filled = files.fill(buffer, false, segment_end);
    if (filled == JournalFiles::Fill::failed) return files.error();
    if (filled != JournalFiles::Fill::ok) return {};
    const std::uint64_t bytes = std::min<std::uint64_t>(buffer.capacity(), segment_end - position);
    for (std::uint64_t at = 0; at < bytes; at += kWordBytes) {
      std::uint64_t word = 0;
      std::memcpy(&word, buffer.room() + at, sizeof word);
      if (word == 0) continue;
      scan.garbage_end = position + at + kWordBytes;
      if (bytes - at < kMarkRecordBytes) continue;
      RecordView record;
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

Result<Stop> walk(JournalFiles& files, const SegmentName& name, RecordBuffer& buffer, TailState& state,
                  const std::function<void(std::uint64_t, const RecordView&)>& on_record) {
  buffer.restart(name.first_position);
  std::uint64_t filled_at = ~0ULL;
  for (;;) {
    RecordView record;
    const std::uint64_t position = buffer.position();
    switch (buffer.next(record, files.feed_seed(), files.data_bytes())) {
      case RecordBuffer::Next::record:
        if (on_record) on_record(position, record);
        state.take(buffer.position(), record);
        if (record.header.type == static_cast<std::uint16_t>(RecordType::segment_end)) return Stop::sealed;
        continue;
      case RecordBuffer::Next::end: return Stop::zero;
      case RecordBuffer::Next::bad: return Stop::bad;
      case RecordBuffer::Next::need_more: break;
    }
    const std::size_t room = buffer.capacity();
    buffer.ensure_capacity(buffer.wanted_bytes());
    if (filled_at == position && buffer.capacity() == room) return Stop::bad;  // runs beyond the segment's end
    filled_at = position;
    // `position` lies in this segment, or at its very beginning, which fill() must not look for elsewhere.
    const auto filled = files.fill(buffer, position == name.first_position, ~0ULL);
    if (filled == JournalFiles::Fill::failed) return files.error();
    if (filled != JournalFiles::Fill::ok) return Stop::bad;
  }
}

}  // namespace

TailVerdict judge_tail(std::uint64_t stop_position, bool zero_checksum, bool unfinished_batch, bool later_segment,
                       std::uint64_t durable_position) noexcept {
  if (later_segment || durable_position > stop_position) return TailVerdict::corrupt;
  return zero_checksum && !unfinished_batch ? TailVerdict::clean_end : TailVerdict::torn;
}

Result<TailScan> scan_tail(JournalFiles& files, const SegmentName& name,
                           const std::function<void(std::uint64_t, const RecordView&)>& on_record) {
  TailScan scan;
  TailState state(scan, name);
  RecordBuffer buffer(kTailBufferBytes);
  auto stopped = walk(files, name, buffer, state, on_record);
  if (!stopped) return stopped.error();
  const FeedIdentity& identity = files.identity();
  if (identity.closed_cleanly() && identity.closed_position > scan.durable_position) {
    scan.durable_position = identity.closed_position;
    scan.durable_sequence = identity.closed_sequence;
  }
  const bool later_segment = !files.in_last_segment();
  if (*stopped == Stop::sealed) {
    scan.verdict = TailVerdict::sealed;
    if (!later_segment && scan.durable_position > scan.end_position) scan.verdict = TailVerdict::corrupt;
    scan.bad_position = scan.end_position;
    return scan;
  }
  scan.bad_position = buffer.position();
  // What is sealed needs no witness; and behind it the positions are the next segment's.
  if (!later_segment) {
    if (auto done = search_rest(files, scan.bad_position, scan, state); !done) return done.error();
  }
  scan.verdict = judge_tail(scan.bad_position, *stopped == Stop::zero, state.in_batch(), later_segment,
                            scan.durable_position);
  return scan;
}

}  // namespace leat::shm
