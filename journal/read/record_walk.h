// Walking the records of a journal, one behind the other, as far as they are good.
#pragma once

#include <cstddef>
#include <cstdint>

#include "journal/read/journal_files.h"
#include "journal/read/record_buffer.h"

namespace leat::internal {

/// One walk over the files, from a position on. Not thread-safe. Views of a record are good until the next call.
/// A walk ends at the first place where no good record stands; what that means is for the caller to judge.
class RecordWalk {
 public:
  enum class Scope : std::uint8_t {
    stream,   ///< behind a segment's end it goes on in the next segment
    segment,  ///< it begins at a segment's first position, and stays in it
  };
  enum class [[nodiscard]] Found : std::uint8_t{
      record,
      zero,     ///< a checksum of zero: nothing was ever written here
      bad,      ///< no good record, or one that is not all there
      no_data,  ///< the segment, the journal, or what may be read of it, ends here
      expired,  ///< the place lies below the oldest segment by now
      failed,   ///< see JournalFiles::error()
  };

  /// Reads nothing at or beyond `limit_position`.
  RecordWalk(JournalFiles& files, std::size_t buffer_bytes, std::uint64_t position,
             std::uint64_t limit_position = ~0ULL, Scope scope = Scope::stream);

  Found next(RecordView& out);
  /// Of the record that next() has found.
  [[nodiscard]] std::uint64_t record_position() const noexcept { return record_position_; }
  /// Behind it; after another answer, the place that the answer is about.
  [[nodiscard]] std::uint64_t position() const noexcept { return buffer_.position(); }

 private:
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
