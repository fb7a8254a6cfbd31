#include "journal/read/record_walk.h"

#include "base/check.h"

namespace leat::internal {

RecordWalk::RecordWalk(JournalFiles& files, std::size_t buffer_bytes, std::uint64_t position,
                       std::uint64_t limit_position, Scope scope)
    : files_(files),
      buffer_(buffer_bytes),
      limit_position_(limit_position),
      record_position_(position),
      scope_(scope),
      starts_segment_(scope == Scope::segment) {
  buffer_.restart(position);
}

// Within one segment, only what lies in it: if it does not end where the next one begins, others judge that.
JournalFiles::Fill RecordWalk::fill() {
  const bool in_open_segment = scope_ == Scope::segment && !starts_segment_;
  const auto filled = in_open_segment ? files_.fill_from_open(buffer_, limit_position_)
                                      : files_.fill(buffer_, starts_segment_, limit_position_);
  starts_segment_ = false;
  return filled;
}

// A second need_more at one place, with room enough, means that the record is not all there.
std::optional<RecordWalk::Found> RecordWalk::refill() {
  const std::uint64_t position = buffer_.position();
  const std::size_t room = buffer_.capacity();
  buffer_.ensure_capacity(buffer_.wanted_bytes());
  if (filled_at_ == position && buffer_.capacity() == room) return Found::bad;
  filled_at_ = position;
  switch (fill()) {
    case JournalFiles::Fill::ok: break;
    case JournalFiles::Fill::no_data: return Found::no_data;
    case JournalFiles::Fill::expired: return Found::expired;
    case JournalFiles::Fill::failed: return Found::failed;
  }
  LEAT_DCHECK(buffer_.position() == position);
  return std::nullopt;
}

RecordWalk::Found RecordWalk::next(RecordView& out) {
  const std::uint64_t position = buffer_.position();
  const Found found = walk_step(
      buffer_, buffer_.next(out, files_.feed_seed(), files_.data_bytes()), files_.feed_seed(), out,
      [&] { return files_.data_bytes(); }, [&] { return refill(); });
  if (found != Found::record) return found;
  LEAT_DCHECK(buffer_.position() > position);
  record_position_ = position;
  if (out.header.type == static_cast<std::uint16_t>(RecordType::segment_end)) {
    starts_segment_ = scope_ == Scope::stream;
    buffer_.restart(buffer_.position());  // what lies behind it in this segment is no part of the stream
  }
  return Found::record;
}

}  // namespace leat::internal
