// The sequencer's end of the journal: appends by plain stores into the mapped current segment.
//
// Order of the stores of one append at offset o, n bytes (kill -9 keeps them in program order):
//   1 word at o+n := 0        the terminator: nothing is written behind here yet
//   2 bytes o+8 .. o+n        the records, but for the first one's checksum
//   3 word at o := checksum   release: now, and not before, the batch is there
// So a broker killed at any instruction leaves whole batches and a zero checksum behind them, never a torn record.
//
// Where a file system cannot promise room for a store into a mapping (file_system.h), segments are not mapped: 1 and 2
// are one pwritev, 3 is a pwrite, and one of them that finds no room is tried again.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <leat/result.h>

#include "broker/fault_guard.h"
#include "base/mapping.h"
#include "base/unique_fd.h"
#include "journal/format/segment_layout.h"
#include "journal/format/journal_directory.h"

namespace leat::broker {

/// A segment file that is open and, as a rule, mapped writable: prepared, then current, then sealed and handed back for
/// its last sync. Owned by one thread at a time; passed between threads by the queues of JournalHandover.
struct MappedSegment {
  internal::UniqueFd fd;
  internal::Mapping mapping;  ///< not valid: it is written through `fd`
  FaultRange fault_range;     ///< dies before the mapping does
  std::string file_name;      ///< in the journal directory, now
  std::uint64_t file_bytes = 0;
  internal::SegmentName name;         ///< once current
  std::uint64_t sealed_position = 0;  ///< end, once sealed
};

/// One thread.
class JournalWriter {
 public:
  JournalWriter(internal::JournalDirectory directory, internal::FeedUuid uuid, std::uint64_t feed_seed,
                std::uint64_t epoch);

  /// Makes `segment` the current one, appending at `offset` in its data (0 for a new one).
  void attach(std::unique_ptr<MappedSegment> segment, std::uint64_t offset) noexcept;

  /// Clears what the current segment's index says of records that are not there: entries that a loss of power tore, or
  /// that ran ahead of records which never came. Once, after a start.
  void repair_index();

  /// Nothing goes into the current segment any more, but the segment end that is staged.
  void seal() noexcept { data_bytes_ = touchable_bytes_ = offset_; }

  /// Writes the header of a prepared segment and names it; replace() then makes it current. Errors: no_space, when it
  /// may be tried again; closed, when somebody has removed `next`; io_error, which is as final as a failed write.
  Result<void> name(MappedSegment& next, std::uint64_t first_sequence, std::uint64_t first_position);
  /// Returns the segment that `next` replaces, sealed.
  std::unique_ptr<MappedSegment> replace(std::unique_ptr<MappedSegment> next) noexcept;
  /// Both.
  Result<std::unique_ptr<MappedSegment>> roll(std::unique_ptr<MappedSegment> next, std::uint64_t first_sequence,
                                              std::uint64_t first_position);

  /// True if `bytes` fit and leave room for a mark, a segment_end and the terminator.
  [[nodiscard]] bool has_room(std::uint64_t bytes) const noexcept {
    return offset_ + bytes + internal::kMarkRecordBytes + internal::kSegmentReserveBytes <= data_bytes_;
  }
  /// True if a mark of `bytes` fits into the reserve, and leaves the room of the segment_end, which is never asked for.
  [[nodiscard]] bool has_reserve(std::uint64_t bytes) const noexcept {
    return offset_ + bytes + internal::kSegmentReserveBytes <= data_bytes_;
  }

  /// Appends `bytes` of whole batches, checksums in place: all of a round at once. It appears whole or not at all.
  /// False, which a mapped segment never says: nothing of it is there, for the reason append_error().
  [[nodiscard]] bool append(const std::byte* from, std::uint64_t bytes) noexcept;
  [[nodiscard]] Error append_error() const;

  /// Gets ready for an append of up to `bytes`: asks for its cache lines, and takes the page fault of the next page, a
  /// microsecond or more, now rather than then. One page ahead only: each sync writes what has been touched.
  void prepare(std::uint64_t bytes) noexcept;

  /// Notes the event record at `position` in the sparse index, if it is time for an entry. May run ahead of its append:
  /// entries are checked against their records by whoever uses them.
  void index(std::uint64_t position, std::uint64_t sequence, std::int64_t timestamp_ns) noexcept {
    if (position >= next_index_position_) add_index_entry(position, sequence, timestamp_ns);
  }

  [[nodiscard]] const MappedSegment& current() const noexcept { return *segment_; }
  [[nodiscard]] std::unique_ptr<MappedSegment> detach() noexcept { return std::move(segment_); }
  void set_epoch(std::uint64_t epoch) noexcept { epoch_ = epoch; }

 private:
  void add_index_entry(std::uint64_t position, std::uint64_t sequence, std::int64_t timestamp_ns) noexcept;
  bool append_at_length(const std::byte* from, std::uint64_t bytes) noexcept;
  bool write_append(const std::byte* from, std::uint64_t bytes) noexcept;

  internal::JournalDirectory directory_;
  internal::FeedUuid uuid_;
  std::uint64_t feed_seed_;
  std::uint64_t epoch_;
  std::unique_ptr<MappedSegment> segment_;
  std::byte* data_ = nullptr;
  std::uint64_t data_bytes_ = 0;
  std::uint64_t touchable_bytes_ = 0;  // what prepare() may touch: nothing of a segment that is not mapped
  std::uint64_t at_length_bytes_ = 0;  // appends from here on are not the short ones into a mapping
  std::uint64_t offset_ = 0;
  int append_errno_ = 0;
  std::uint64_t touched_ = 0;  // pages of data_ below this offset have been stored into
  std::uint64_t index_used_ = 0;
  std::uint64_t index_room_ = 0;
  std::uint64_t next_index_position_ = 0;
};

}  // namespace leat::broker
