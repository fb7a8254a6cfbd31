// Reading the segments of a journal directory by position. The same for consumers, for readers without a broker, and
// for recovery. Segments are only ever read here, by pread: a segment that is recycled under a reader gives wrong bytes
// (which no checksum lets pass), never a SIGBUS.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <leat/result.h>

#include "base/unique_fd.h"
#include "journal/format/feed_identity.h"
#include "journal/read/record_buffer.h"
#include "journal/format/segment_layout.h"

namespace leat::internal {

/// The names of segments in a directory, in order of position, whatever they say. Error: io_error.
Result<std::vector<SegmentName>> read_segment_names(const JournalDirectory& directory);

/// The segments in a directory, oldest first. Errors: io_error; corrupt when two names contradict each other.
Result<std::vector<SegmentName>> list_segments(const JournalDirectory& directory);

/// Not thread-safe. Any number may read one directory at once, in any number of processes, while a broker writes.
class JournalFiles {
 public:
  /// Opens a file of the directory for one who may not do it himself. Sets errno when the descriptor is not valid;
  /// kNobodyToAsk says that whoever opens files is away just now, which becomes the error no_broker.
  using Opener = std::function<UniqueFd(const std::string& name)>;
  static constexpr int kNobodyToAsk = ENOTCONN;

  JournalFiles() = default;
  /// `directory` is for messages; the descriptor is what is used. `opener` is asked where permission is denied.
  static Result<JournalFiles> open(UniqueFd directory_fd, std::string path, Opener opener = {});
  /// By a second descriptor, of its own.
  static Result<JournalFiles> open(const JournalDirectory& directory);
  static Result<JournalFiles> open(const std::string& path);

  [[nodiscard]] const FeedIdentity& identity() const noexcept { return identity_; }
  [[nodiscard]] std::uint64_t feed_seed() const noexcept { return feed_seed_; }
  [[nodiscard]] const std::vector<SegmentName>& segments() const noexcept { return segments_; }
  /// Good as long as this object.
  [[nodiscard]] const JournalDirectory& directory() const noexcept { return directory_; }

  /// Lists the directory and reads the identity again.
  Result<void> refresh();

  enum class [[nodiscard]] Fill : std::uint8_t{
      ok,
      no_data,  ///< no segment holds this position (yet)
      expired,  ///< the position lies below the oldest segment
      failed,   ///< see error()
  };
  /// Fills `buffer` from buffer.position() on, not beyond the end of that segment nor beyond `limit_position`.
  /// `starts_segment`: the record before was a segment_end, so the position must be the first of a segment.
  Fill fill(RecordBuffer& buffer, bool starts_segment, std::uint64_t limit_position);
  /// As fill(), from the segment that was opened last, even if the position belongs to another segment by now.
  Fill fill_from_open(RecordBuffer& buffer, std::uint64_t limit_position);
  [[nodiscard]] const Error& error() const noexcept { return error_; }

  /// Whether the segment that the last fill() read is still in the directory under its name. A look that fails is no
  /// answer: io_error, no_broker.
  [[nodiscard]] Result<bool> still_retained() const;
  [[nodiscard]] bool has_segment() const noexcept { return segment_fd_.valid(); }

  /// The first word of the record at `position`, if `position` lies in the segment last read.
  [[nodiscard]] std::optional<std::uint64_t> checksum_at(std::uint64_t position) const;

  /// What the directory's name leads to by now.
  enum class Named : std::uint8_t { here, elsewhere, nowhere };
  /// Error: io_error, permission_denied.
  [[nodiscard]] Result<Named> look_at_name() const;
  /// "segment <name>, offset <n>" of a position in the segment last read.
  [[nodiscard]] std::string describe(std::uint64_t position) const;
  /// Bytes of data that the segment last read can hold; a bound on any record in it.
  [[nodiscard]] std::uint64_t data_bytes() const noexcept { return data_bytes_; }
  [[nodiscard]] const SegmentName& current() const noexcept { return current_; }
  /// True if no later segment is known than the one last read.
  [[nodiscard]] bool in_last_segment() const noexcept { return segments_.empty() || segments_.back() == current_; }

  /// Opens a segment whose header may be lost, so that fill_from_open() reads it: where things lie follows from its
  /// length. False: the file is not as long as it was made.
  Result<bool> open_raw(const SegmentName& name);

  /// Reads a segment's whole index. Entries that do not pass their checksum are left out.
  Result<std::vector<IndexEntry>> read_index(const SegmentName& name);

 private:
  struct OpenSegment {
    UniqueFd fd;
    SegmentHeader header{};  ///< as it stands there, unchecked
    std::uint64_t file_bytes = 0;
  };

  UniqueFd open_file(const std::string& name) const;
  static Error cannot_open(int error_number, const std::string& what);
  Result<OpenSegment> open_with_header(const std::string& file) const;
  Result<void> open_segment(const SegmentName& name);
  std::optional<SegmentName> find(std::uint64_t position, bool exactly) const;

  UniqueFd directory_fd_;  // what directory_ borrows
  JournalDirectory directory_;
  Opener opener_;
  FeedIdentity identity_;
  std::uint64_t feed_seed_ = 0;
  std::vector<SegmentName> segments_;

  UniqueFd segment_fd_;
  SegmentName current_;
  bool opened_raw_ = false;  // its header has not been checked: fill() must not go on in it
  std::uint64_t data_offset_ = 0;
  std::uint64_t data_bytes_ = 0;
  Error error_;
};

}  // namespace leat::internal
