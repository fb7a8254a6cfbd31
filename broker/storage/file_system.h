// What the file system under a journal can promise, and how segments are written there.
#pragma once

#include <cstdint>
#include <string>

#include <leat/result.h>

#include "journal/format/journal_directory.h"

namespace leat::broker {

/// How the bytes of a segment get into its file.
enum class SegmentWrites : std::uint8_t {
  mapped,   ///< stores into a mapping; the file's room is allocated and filled ahead, so that none can fail
  written,  ///< pwrite: where room cannot be had ahead, a write that finds none says so, a store would be a SIGBUS
  synced,   ///< the same with O_DSYNC: where a server says only then that there is no room
};

struct FileSystem {
  std::string name;                              ///< "ext4", "btrfs", ...; "unknown (0x...)" otherwise
  SegmentWrites writes = SegmentWrites::mapped;  ///< what suits it
  std::string why;                               ///< not mapped: a sentence for the log
};

/// Looks at the file system of an open directory. One that hides another (overlay), or that is not known, is asked
/// whether it can clone a file, which takes two empty files for a moment; if that cannot be tried, it is not mapped.
/// Error: io_error.
Result<FileSystem> look_at_file_system(const internal::JournalDirectory& directory);

}  // namespace leat::broker
