// Segment files ahead of need: allocated, filled, synced; and old ones recycled. Used by the syncer thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <leat/result.h>

#include "broker/storage/file_system.h"
#include "broker/storage/journal_writer.h"
#include "journal/format/journal_directory.h"

namespace leat::broker {

/// Makes prepared segments in a journal directory. One thread.
class SegmentPool {
 public:
  /// `sync_often`: the journal will be synced after every few records (SyncPolicy::always).
  SegmentPool(internal::JournalDirectory directory, std::uint64_t segment_bytes, bool sync_often = false,
              SegmentWrites writes = SegmentWrites::mapped);

  static constexpr std::size_t kMaxRecycled = 2;
  /// How far prepare_some() has come with a new segment.
  [[nodiscard]] std::uint64_t new_filled_bytes() const noexcept { return new_.filled; }
  [[nodiscard]] bool has_recycled() const noexcept { return !recycled_.empty(); }

  /// Removes what an earlier broker had prepared: its state is unknown.
  Result<void> clear_leftovers();

  /// A segment that can be made current: a recycled file if there is one, else a new one, allocated, written with
  /// zeroes and synced, so that no later store can fail for space. One that is not to be mapped only gets its length:
  /// its room is had, or not, when it is written. Errors: no_space, io_error.
  Result<std::unique_ptr<MappedSegment>> prepare();

  /// The same a slice at a time, as a whole new one keeps the disk busy for a tenth of a second: nullptr while there is
  /// more to do. In a hurry (the sequencer waits for it) it ends at once, and the sync of what is left is left to the
  /// first sync of its records: its room is allocated all the same. Errors: as prepare(), and the next call begins
  /// anew.
  enum class Hurry : bool { no, yes };
  Result<std::unique_ptr<MappedSegment>> prepare_some(Hurry hurry = Hurry::no);

  /// Takes the file of a pruned segment out of the journal, to be used again; removes it if enough are kept.
  /// The caller has already told readers that it is gone. True if it was kept.
  Result<bool> recycle(const internal::SegmentName& name);

  /// True after a failed sync of the directory, which is final as any other.
  [[nodiscard]] bool directory_failed() const noexcept { return directory_failed_; }

  /// Opens an existing segment for appending on. It is not mapped either if its room cannot be had: a copy may have
  /// left holes in it, or share its bytes. Errors: io_error.
  Result<std::unique_ptr<MappedSegment>> open_current(const internal::SegmentName& name) const;

 private:
  Result<std::unique_ptr<MappedSegment>> make(internal::UniqueFd fd, std::string name, std::uint64_t bytes,
                                              bool mapped) const;
  [[nodiscard]] int open_flags() const noexcept;
  struct NewSegment {
    internal::UniqueFd fd;
    std::string name;
    std::uint64_t filled = 0;
  };
  Result<void> begin_new();
  Result<void> fill_new(std::uint64_t bytes);
  Error give_up_new(int failed, const char* doing);
  Result<std::unique_ptr<MappedSegment>> reopen_recycled();

  internal::JournalDirectory directory_;
  std::uint64_t segment_bytes_;
  SegmentWrites writes_;
  std::size_t fill_chunk_bytes_;
  std::uint64_t slice_bytes_;
  NewSegment new_;  // fd is invalid while none is being made
  std::uint64_t next_number_ = 1;
  std::vector<std::string> recycled_;
  bool directory_failed_ = false;
};

}  // namespace leat::broker
