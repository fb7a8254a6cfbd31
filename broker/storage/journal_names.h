// Whether names still lead to what the syncer writes. Files stay open when somebody removes or renames them, and all
// goes on as if nothing had happened: into bytes that nobody will find.
//
//   what is gone                               then
//   the directory's name, it is elsewhere      away: nothing is accepted until it is back
//   a segment's name, not one of the oldest    away
//   the directory, or the current segment      gone: the feed ends, as after a failed sync
//   the oldest segments                        lost, like pruned ones: readers are told
//   `feed`, `lock`, or what they should be     made again
//   `cursors`                                  made again: CursorTable
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <vector>

#include <leat/error.h>

#include "broker/storage/retention.h"
#include "base/file_lock.h"
#include "journal/format/feed_identity.h"
#include "journal/format/journal_directory.h"

namespace leat::broker {

/// What one look has found.
struct NamesLook {
  enum class Standing : std::uint8_t { here, away, gone };
  Standing standing = Standing::here;
  Error error;                  ///< what is not here, and what to do
  std::size_t lost_oldest = 0;  ///< so many of the oldest segments are not there any more
};

/// One thread.
class JournalNames {
 public:
  /// All descriptors are borrowed. `identity`: as `feed` must have it; `lock_fd`: holds the lock.
  JournalNames(internal::JournalDirectory directory, internal::FeedIdentity identity, int lock_fd);

  /// Looks at the names, and makes `feed` and `lock` again where they are not what they should be. Costs a few system
  /// calls, and a listing of the directory when something has changed in it.
  NamesLook look(const Retention& retained, int current_fd);

 private:
  NamesLook look_at_directory() const;
  NamesLook look_at_segments(const Retention& retained, int current_fd);
  NamesLook find_missing(const Retention& retained);
  NamesLook look_at_some(const Retention& retained);
  NamesLook repair_lock();
  void repair_identity();

  internal::JournalDirectory directory_;
  internal::FeedIdentity identity_;
  int lock_fd_;
  internal::FileLock lock_made_again_;
  timespec directory_changed_{};
  int listings_due_ = 2;  // times of files are coarse: one change is followed by two listings
  NamesLook missing_;     // by the last listing
  std::size_t next_looked_at_ = 0;
  std::vector<std::uint64_t> replaced_;  // inodes that were reported
  struct stat identity_seen_ {};
  bool told_identity_ = false;
};

/// True if the file has no name any more, in any directory.
inline bool has_no_name(int fd) noexcept {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && status.st_nlink == 0;
}

}  // namespace leat::broker
