// The broker's named cursors: moved by the control thread, written to disk and looked at by the syncer.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <leat/cursor.h>
#include <leat/result.h>

#include "broker/storage/cursor_hold.h"
#include "journal/format/cursor_file.h"

namespace leat::broker {

/// Thread-safe.
class CursorTable {
 public:
  CursorTable(internal::JournalDirectory directory, const internal::FeedUuid& uuid)
      : directory_(std::move(directory)), uuid_(uuid) {}

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

  /// How many percent of what is held one user may hold, as --user-share says; 100 until it is set.
  void set_user_share(std::uint32_t percent);
  [[nodiscard]] std::uint32_t user_share() const noexcept { return user_share_.load(std::memory_order_relaxed); }

  /// One for each user who has cursors, the lowest first. By what is on disk: that is where a consumer goes on after
  /// the broker's death. `hold_bytes`: what all of them together may hold.
  [[nodiscard]] std::vector<CursorHold> holds(std::uint64_t hold_bytes) const;
  /// Another number whenever holds() may have changed. Takes no lock: whoever has asked holds() need not ask again.
  [[nodiscard]] std::uint64_t holds_version() const noexcept { return holds_version_.load(std::memory_order_acquire); }

 private:
  void remember_file();
  void holds_have_changed() noexcept { holds_version_.fetch_add(1, std::memory_order_release); }
  [[nodiscard]] std::uint64_t held_from(const std::string& name, const internal::CursorEntry& entry) const;
  [[nodiscard]] Result<void> check_owner(const std::string& name, std::uint32_t uid) const;

  internal::JournalDirectory directory_;
  internal::FeedUuid uuid_;
  mutable std::mutex mutex_;
  std::map<std::string, internal::CursorEntry> cursors_;
  std::map<std::string, std::uint64_t> on_disk_;  // sequences; of one that was never written, the first it was saved at
  std::atomic<std::uint32_t> user_share_{100};
  std::atomic<std::uint64_t> holds_version_{1};
  bool changed_ = false;
  struct stat file_ {};  // as it was last written or read; st_ino 0: never
};

}  // namespace leat::broker
