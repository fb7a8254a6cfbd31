#include "client-lib/read/record_stream.h"

#include <algorithm>

#include "journal/read/journal_end.h"

namespace leat::client {

using namespace internal;

namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::size_t kJournalBufferBytes = 256 * 1024;  // fewer calls of pread: 6 % faster than 64 KiB
constexpr std::uint64_t kNoLimit = ~0ULL;
constexpr std::uint32_t kMaxPassedOver = 65536;  // marks without an event between them: far more than a broker writes

}  // namespace

RecordStream::RecordStream(JournalFiles files) : files_(std::move(files)), buffer_(kBufferBytes) {}

void RecordStream::attach(BroadcastReader ring, Level level) noexcept {
  ring_ = ring;
  level_ = level;
}

void RecordStream::seek(std::uint64_t position) {
  buffer_.restart(position);
  filled_at_ = ring_filled_at_ = ~0ULL;
  from_journal_ = false;  // so that the first look into the journal lists it afresh
  starts_segment_ = in_batch_ = false;
}

std::uint64_t RecordStream::limit() const noexcept {
  if (!ring_) return kNoLimit;
  return level_ == Level::live ? ring_->committed() : ring_->durable();
}

RecordStream::Next RecordStream::fail(Error error) {
  error_ = std::move(error);
  return Next::failed;
}

// `found`: what the buffer had to say.
RecordStream::Next RecordStream::next_after(RecordBuffer::Next found, RecordView& out) {
  for (std::uint32_t passed_over = 0;; found = buffer_.next(out, files_.feed_seed(), max_record_bytes())) {
    switch (walk_step(
        buffer_, found, files_.feed_seed(), out, [&] { return max_record_bytes(); }, [&] { return fill(); })) {
      case Walked::record:
        starts_segment_ = is_type(out, RecordType::segment_end);
        if (starts_segment_ && from_journal_) buffer_.restart(buffer_.position());
        if (starts_segment_ || is_type(out, RecordType::mark)) {
          if (++passed_over == kMaxPassedOver) return Next::empty;  // the caller's deadline counts too
          continue;
        }
        // Below a watermark batches are whole. Without one, the end of the files may be the middle of a batch.
        if (!ring_ && !in_batch_ && (out.header.flags & kFlagMoreInBatch) != 0 && !batch_is_whole(out)) {
          return judge_bad_offline();
        }
        in_batch_ = (out.header.flags & kFlagMoreInBatch) != 0;
        return Next::record;
      case Walked::zero:
        if (ring_ || buffer_.position() < verified_end_) return judge_bad();
        switch (ends_here()) {
          case End::here: break;
          case End::later: return judge_bad();
          case End::unknown: return Next::failed;
        }
        buffer_.restart(buffer_.position());
        filled_at_ = ~0ULL;
        return Next::empty;
      case Walked::bad: return judge_bad();
      case Walked::no_data: return Next::empty;
      case Walked::expired: return Next::expired;
      case Walked::failed: return Next::failed;
    }
  }
}

RecordStream::Filled RecordStream::fill() {
  buffer_.ensure_capacity(
      std::min<std::size_t>(buffer_.wanted_bytes(),
                            std::max<std::size_t>(files_.data_bytes(), ring_ ? ring_->max_record_bytes() : 0)));
  const std::uint64_t to = limit() & ~std::uint64_t{kWordBytes - 1};  // a broken broker's may be anything
  if (buffer_.position() >= to) return Walked::no_data;
  buffer_.restart(buffer_.position());  // whatever a copy leaves behind that fails is never taken for records
  if (ring_ && fill_from_ring(to)) return ring_has_half_a_record() ? Filled(Walked::failed) : std::nullopt;
  return fill_from_journal(to);
}

bool RecordStream::fill_from_ring(std::uint64_t limit) {
  const std::uint64_t position = buffer_.position();
  // Coming from the journal, ask for some room to the window's edge, or we would be lapped again at once.
  const std::uint64_t margin = from_journal_ ? ring_->capacity() / 8 : 0;
  if (position % kWordBytes != 0 || !ring_->in_window(position, margin)) return false;
  const std::size_t bytes = std::min<std::uint64_t>({limit - position, buffer_.capacity(), ring_->capacity()});
  if (!ring_->copy(position, bytes, buffer_.room())) {
    ++lapped;
    return false;
  }
  ring_bytes += bytes;
  buffer_.filled(bytes, false);
  from_journal_ = false;
  filled_at_ = ~0ULL;
  return true;
}

// Below a watermark records are whole. In a broken broker's ring they may not be: then the same fill would come again
// and again.
bool RecordStream::ring_has_half_a_record() {
  const std::uint64_t position = buffer_.position();
  const std::uint64_t bytes = buffer_.filled_bytes();
  if (position != ring_filled_at_ || bytes != ring_filled_bytes_) {
    ring_filled_at_ = position;
    ring_filled_bytes_ = bytes;
    return false;
  }
  seek(position);
  (void)fail({ErrorCode::corrupt,
              "the broadcast ring ends in the middle of the record at position " + std::to_string(position) +
                  ": its memory was overwritten",
              "restart leatd"});
  return true;
}

RecordStream::Filled RecordStream::fill_from_journal(std::uint64_t limit) {
  const std::uint64_t position = buffer_.position();
  if (!from_journal_) {
    // Segments may have come and gone since we last looked.
    if (auto done = files_.refresh(); !done) {
      error_ = done.error();
      return Walked::failed;
    }
    from_journal_ = true;
    buffer_.ensure_capacity(kJournalBufferBytes);
  }
  const auto filled = files_.fill(buffer_, starts_segment_, limit);
  // The same rule as for the ring: copy first, then look whether the place was still ours.
  if (ring_ && ring_->header().earliest_position.load(std::memory_order_seq_cst) > position) return Walked::expired;
  switch (filled) {
    case JournalFiles::Fill::ok: break;
    case JournalFiles::Fill::no_data: {
      if (!ring_) {
        const End end = ends_here();
        if (end != End::later) return end == End::here ? Walked::no_data : Walked::failed;
      }
      const std::string at = std::to_string(position);
      if (!ring_) {
        return judge_missing_offline({ErrorCode::corrupt,
                                      "corrupt journal: the segment that begins at position " + at + " is missing in " +
                                          files_.directory().path + ", later ones are there",
                                      "restore it from a backup"});
      }
      (void)fail({ErrorCode::corrupt,
                  "journal " + files_.directory().path + " holds nothing at position " + at +
                      ", which the broker says is committed",
                  "was the directory replaced?"});
      return Walked::failed;
    }
    case JournalFiles::Fill::expired: return Walked::expired;
    case JournalFiles::Fill::failed:
      if (!ring_ && files_.error().code == ErrorCode::corrupt) return judge_missing_offline(files_.error());
      error_ = files_.error();
      return Walked::failed;
  }
  const std::uint64_t bytes = buffer_.filled_bytes();
  if (position == filled_at_ && bytes == filled_bytes_) {  // the record is longer than what there is of it
    buffer_.restart(position);
    switch (judge_bad()) {  // the end of the files, or damage: a length that is too large looks the same
      case Next::empty: return Walked::no_data;
      case Next::expired: return Walked::expired;
      default: return Walked::failed;
    }
  }
  filled_at_ = position;
  filled_bytes_ = bytes;
  journal_bytes += bytes;
  return std::nullopt;
}

RecordStream::Next RecordStream::judge_bad() {
  const std::uint64_t position = buffer_.position();
  buffer_.restart(position);
  filled_at_ = ~0ULL;
  if (from_journal_) {
    const auto retained = files_.still_retained();
    if (!retained) return fail(retained.error());
    if (!*retained) return Next::expired;
  }
  if (!ring_) return judge_bad_offline();
  if (!from_journal_) {
    return fail(
        {ErrorCode::corrupt,
         "the broadcast ring holds no record at position " + std::to_string(position) + ": its memory was overwritten",
         "restart leatd"});
  }
  return fail({ErrorCode::corrupt,
               "corrupt journal: " + files_.describe(position) + " (position " + std::to_string(position) +
                   ") does not hold the record it should",
               "stop the broker and check the disk"});
}

// No later segment is there: a zero checksum, or no bytes at all, may be the journal's end. A directory that cannot be
// looked at is no end: see error_.
RecordStream::End RecordStream::ends_here() {
  if (auto done = files_.refresh(); !done) {
    const std::uint64_t position = buffer_.position();
    seek(position);
    error_ = done.error();
    return End::unknown;
  }
  const bool here = files_.segments().empty() || files_.segments().back().first_position <= buffer_.position();
  return here ? End::here : End::later;
}

// A broker that is away comes back: that is nothing to end for.
RecordStream::Next RecordStream::judge_failed() {
  if (error_.code != ErrorCode::no_broker) return Next::failed;
  seek(position());
  return Next::waiting;
}

// Without a broker nobody says where the journal ends: recovery's own tables decide whether this is the end.
RecordStream::Next RecordStream::judge_bad_offline() {
  const std::uint64_t position = buffer_.position();
  const std::string place = files_.describe(position);
  const SegmentName name = files_.current();
  if (auto done = files_.refresh(); !done) return fail(done.error());
  auto scan = scan_segment(files_, name);
  if (!scan) return fail(scan.error());
  from_journal_ = false;  // the scan has moved the files elsewhere
  // A writer may have finished the batch since we looked: then the scan went past it, and we look again later.
  if (scan->end_position > position) {
    verified_end_ = std::max(verified_end_, scan->end_position);
    return Next::empty;
  }
  auto end = find_journal_end(files_);
  if (!end) return fail(end.error());
  if (end->scan.verdict != TailVerdict::corrupt && end->scan.end_position == scan->end_position) {
    verified_end_ = std::max(verified_end_, end->scan.end_position);
    return Next::empty;
  }
  return fail({ErrorCode::corrupt,
               "corrupt journal: " + place + " (position " + std::to_string(position) +
                   ") does not hold the record it should; events from sequence " +
                   std::to_string(scan->end_sequence + 1) + last_affected(name, *end) + " are affected",
               "see leat verify, then restore the file from a backup or run leat repair"});
}

// A segment is not there, or its header is bad: it may have been begun and lost by a loss of power.
RecordStream::Filled RecordStream::judge_missing_offline(const Error& missing) {
  auto end = find_journal_end(files_);
  from_journal_ = false;
  if (!end) {
    error_ = end.error();
    return Walked::failed;
  }
  if (end->scan.verdict != TailVerdict::corrupt && end->scan.end_position == buffer_.position()) return Walked::no_data;
  error_ = end->scan.verdict == TailVerdict::corrupt ? corruption_error(*end) : missing;
  return Walked::failed;
}

// " to <n>": the newest event that is affected by damage in segment `name`.
std::string RecordStream::last_affected(const SegmentName& name, const JournalEnd& end) const {
  const auto next = std::ranges::upper_bound(files_.segments(), name.first_position, {}, &SegmentName::first_position);
  if (next != files_.segments().end()) return " to " + std::to_string(next->first_sequence - 1);
  return end.last_affected > 0 ? " to at least " + std::to_string(end.last_affected) : " on";
}

// Filling anew moves the bytes under `first`, which is then decoded again.
bool RecordStream::batch_is_whole(RecordView& first) {
  const std::uint64_t begin = buffer_.position() - padded_record_bytes(first.header.length);
  RecordBuffer::Bookmark bookmark = buffer_.bookmark();
  const auto next = [&](RecordView& out) { return buffer_.next(out, files_.feed_seed(), files_.data_bytes()); };
  // Fills once more from the batch's start, with twice the room; without progress the batch is not all there.
  const auto refill = [&]() -> Filled {
    const std::uint64_t had = buffer_.filled_bytes();
    buffer_.restart(begin);
    buffer_.ensure_capacity(std::min<std::uint64_t>(2 * buffer_.capacity(), files_.data_bytes()));
    if (files_.fill(buffer_, false, kNoLimit) != JournalFiles::Fill::ok) return Walked::no_data;
    const bool progress = buffer_.filled_bytes() > had || begin != filled_from_batch_;
    filled_from_batch_ = begin;
    filled_at_ = ~0ULL;
    if (!progress || next(first) != RecordBuffer::Next::record) return Walked::bad;
    bookmark = buffer_.bookmark();
    return std::nullopt;
  };
  RecordView record;
  while (walk_step(
             buffer_, next(record), files_.feed_seed(), record, [&] { return files_.data_bytes(); }, refill) ==
         Walked::record) {
    if ((record.header.flags & kFlagMoreInBatch) != 0) continue;
    buffer_.rewind(bookmark);
    return true;
  }
  buffer_.restart(begin);
  filled_at_ = ~0ULL;
  return false;
}

}  // namespace leat::client
