// Walking the records of a journal, one behind the other, as far as they are good.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "journal/read/journal_files.h"
#include "journal/read/record_buffer.h"

namespace leat::internal {

/// What a walk finds at its place.
enum class [[nodiscard]] Walked : std::uint8_t{
    record,
    zero,     ///< a checksum of zero: nothing was ever written here
    bad,      ///< no good record, or one that is not all there
    no_data,  ///< the segment, the journal, or what may be read of it, ends here
    expired,  ///< the place lies below the oldest segment by now
    failed,   ///< whoever fills the buffer knows the error
};

/// One step of any walk, over whatever source. `next` is what the buffer says of its place. Where the buffer's bytes
/// end before the record does, `refill` fills the buffer anew from that place on, and answers nothing; any other answer
/// ends the step. `bound` gives the most bytes that a record may have: the source may change with a fill.
template <typename Bound, typename Refill>
Walked walk_step(RecordBuffer& buffer, RecordBuffer::Next next, std::uint64_t feed_seed, RecordView& out, Bound bound,
                 Refill refill) {
  for (;; next = buffer.next(out, feed_seed, bound())) {
    switch (next) {
      case RecordBuffer::Next::record: return Walked::record;
      case RecordBuffer::Next::end: return Walked::zero;
      case RecordBuffer::Next::bad: return Walked::bad;
      case RecordBuffer::Next::need_more: break;
    }
    if (const std::optional<Walked> ended = refill()) return *ended;
  }
}

/// One walk over the files, from a position on. Not thread-safe. Views of a record are good until the next call.
/// A walk ends at the first place where no good record stands; what that means is for the caller to judge.
class RecordWalk {
 public:
  enum class Scope : std::uint8_t {
    stream,   ///< behind a segment's end the walk goes on in the next segment
    segment,  ///< the walk begins at a segment's first position, and stays in that segment
  };
  using Found = Walked;  ///< failed: see JournalFiles::error()

  /// Reads nothing at or beyond `limit_position`.
  RecordWalk(JournalFiles& files, std::size_t buffer_bytes, std::uint64_t position,
             std::uint64_t limit_position = ~0ULL, Scope scope = Scope::stream);

  Found next(RecordView& out);
  /// Of the record that next() has found.
  [[nodiscard]] std::uint64_t record_position() const noexcept { return record_position_; }
  /// Behind it; after another answer, the place that the answer is about.
  [[nodiscard]] std::uint64_t position() const noexcept { return buffer_.position(); }

 private:
  std::optional<Found> refill();
  JournalFiles::Fill fill();

  JournalFiles& files_;
  RecordBuffer buffer_;
  std::uint64_t limit_position_;
  std::uint64_t record_position_;
  std::uint64_t filled_at_ = ~0ULL;  // where the last fill began
  Scope scope_;
  bool starts_segment_;  // the place must be the first of a segment
};

}  // namespace leat::internal
