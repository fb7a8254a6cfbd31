// The broker's named cursors: moved by the control thread, written to disk and looked at by the syncer.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include <leat/cursor.h>
#include <leat/result.h>

#include "shm/journal/cursor_file.h"

namespace leat::broker {

/// Thread-safe.
class CursorTable {
 public:
  CursorTable(int directory_fd, std::string directory, const shm::FeedUuid& uuid)
      : directory_fd_(directory_fd), directory_(std::move(directory)), uuid_(uuid) {}

  /// Reads what the last broker wrote. Errors: corrupt, io_error.
  Result<void> load();

  /// A consumer of `uid` takes the cursor. True: `out` is its place; false: there is none yet. Error: permission_denied
  /// when it belongs to another user.
  Result<bool> find(const std::string& name, std::uint32_t uid, Cursor& out) const;
  /// Moves a cursor, or makes it. In memory; flush() brings it to the disk. Errors: permission_denied, no_space (too
  /// many cursors).
  Result<void> save(const std::string& name, std::uint32_t uid, const Cursor& place);
  /// Forgets a cursor; its segments may be pruned. Error: permission_denied.
  Result<void> drop(const std::string& name, std::uint32_t uid);

  /// How many cursors that user has.
  [[nodiscard]] std::uint64_t count_of(std::uint32_t uid) const;

  /// Writes the file if anything has changed since. Error: io_error, no_space; the change is kept for the next time.
  Result<void> flush();

  /// If the file was removed or replaced since it was last written, flush() will write it again. Says so in the log.
  void look_at_file();

  struct Lowest {
    std::string name;                          ///< empty: there are no cursors
    std::uint64_t next_sequence = ~0ULL;       ///< the first event that must be kept for its consumer
  };
  /// By what is on disk: that is where a consumer goes on after the broker's death.
  [[nodiscard]] Lowest lowest() const;

 private:
  void remember_file();
  [[nodiscard]] Result<void> check_owner(const std::string& name, std::uint32_t uid) const;

  int directory_fd_;
  std::string directory_;
  shm::FeedUuid uuid_;
  mutable std::mutex mutex_;
  std::map<std::string, shm::CursorEntry> cursors_;
  std::map<std::string, std::uint64_t> on_disk_;  // sequences; of one that was never written, the first it was saved at
  bool changed_ = false;
  struct stat file_ {};        // as it was last written or read; st_ino 0: never
};

}  // namespace leat::broker
