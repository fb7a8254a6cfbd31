// A lock on a file: one holder among all processes of the host.
#pragma once

#include <cstdint>
#include <string>

#include <leat/result.h>

#include "base/unique_fd.h"

namespace leat::internal {

/// A lock file, open, and locked once try_take() or wait() said so. The lock ends with the object, or with the process.
/// It is an flock: a POSIX lock of fcntl would be gone as soon as any descriptor of the file is closed.
class FileLock {
 public:
  /// Holds nothing; fd() is -1.
  FileLock() = default;

  /// Opens `name` in the directory, and makes the file (mode 0600) where there is none. A symbolic link is not
  /// followed. Nothing is locked yet. `path`: the name in messages.
  static Result<FileLock> open(int directory_fd, const std::string& name, std::string path);
  /// The same by a path alone.
  static Result<FileLock> open(const std::string& path);

  /// Takes the lock if it is free; false: somebody else holds it, see holders().
  Result<bool> try_take();
  /// Takes the lock, asleep until it is free. Of several who wait one gets it. Error: closed, when a byte became
  /// readable on `stop_fd` first. Uses SIGUSR1: a thread of its own sleeps in flock, and must be woken for a stop.
  Result<void> wait(int stop_fd);

  /// Whether the name still leads to the file that is locked. Whoever waits may get the lock of a file that was
  /// moved away or removed meanwhile, and another process then locks another file. `unknown`: the look-up failed.
  enum class Place : std::uint8_t { in_place, elsewhere, unknown };
  static Place place_of(int lock_fd, int directory_fd, const std::string& name);

  /// Who holds the lock and who waits for it, as lock_holders().
  [[nodiscard]] std::string holders() const;
  /// The same of a lock that is not even opened for reading; empty if there is no such file.
  static std::string holders_of(int directory_fd, const std::string& name);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] bool is_held() const noexcept { return held_; }
  /// True if open() made the file.
  [[nodiscard]] bool was_made() const noexcept { return was_made_; }

 private:
  FileLock(UniqueFd fd, std::string path, bool was_made)
      : fd_(std::move(fd)), path_(std::move(path)), was_made_(was_made) {}

  UniqueFd fd_;
  std::string path_;
  bool was_made_ = false;
  bool held_ = false;
};

}  // namespace leat::internal
