// Segment files ahead of need: allocated, filled, synced; and old ones recycled. Used by the syncer thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <leat/result.h>

#include "broker/journal/journal_writer.h"

namespace leat::broker {

/// Makes prepared segments in a journal directory. One thread.
class SegmentPool {
 public:
  /// `sync_often`: the journal will be synced after every few records (SyncPolicy::always).
  SegmentPool(int directory_fd, std::string directory, std::uint64_t segment_bytes, bool sync_often = false);

  static constexpr std::size_t kMaxRecycled = 2;
  [[nodiscard]] bool has_recycled() const noexcept { return !recycled_.empty(); }

  /// Removes what an earlier broker had prepared: its state is unknown.
  Result<void> clear_leftovers();

  /// A segment that can be made current: a recycled file if there is one, else a new one, allocated, written with
  /// zeroes and synced, so that no later store can fail for space. In a hurry (the sequencer waits for it) the sync of
  /// a new one is left to the first sync of its records: its room is allocated all the same. Errors: no_space, io_error.
  enum class Hurry : bool { no, yes };
  Result<std::unique_ptr<MappedSegment>> prepare(Hurry hurry = Hurry::no);

  /// Takes the file of a pruned segment out of the journal, to be used again; removes it if enough are kept.
  /// The caller has already told readers that it is gone. True if it was kept.
  Result<bool> recycle(const shm::SegmentName& name);

  /// Opens an existing segment for appending on. Errors: io_error.
  Result<std::unique_ptr<MappedSegment>> open_current(const shm::SegmentName& name) const;

 private:
  Result<std::unique_ptr<MappedSegment>> map(shm::UniqueFd fd, std::string name, std::uint64_t bytes) const;
  Result<shm::UniqueFd> create_filled(const std::string& name, Hurry hurry) const;
  Result<shm::UniqueFd> reopen_recycled(const std::string& name) const;

  int directory_fd_;
  std::string directory_;
  std::uint64_t segment_bytes_;
  std::size_t fill_chunk_bytes_;
  std::uint64_t next_number_ = 1;
  std::vector<std::string> recycled_;
};

}  // namespace leat::broker
