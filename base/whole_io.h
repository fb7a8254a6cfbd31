// Reading and writing files whole: a signal or a short count is not the end of it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace leat::internal {

/// pread until `bytes` are there or the file ends. Returns how many; -1 with errno on an error.
inline ssize_t read_at(int fd, void* to, std::size_t bytes, off_t from) noexcept {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got = ::pread(fd, static_cast<char*>(to) + done, bytes - done, from + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

/// pwrite of all `bytes`. False with errno on an error.
inline bool write_at(int fd, const void* from, std::size_t bytes, off_t to) noexcept {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t put =
        ::pwrite(fd, static_cast<const char*>(from) + done, bytes - done, to + static_cast<off_t>(done));
    if (put < 0 && errno == EINTR) continue;
    if (put == 0) errno = ENOSPC;
    if (put <= 0) return false;
    done += static_cast<std::size_t>(put);
  }
  return true;
}

/// write of all `bytes` at the descriptor's own place. False with errno on an error.
inline bool write_all(int fd, const void* from, std::size_t bytes) noexcept {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t put = ::write(fd, static_cast<const char*>(from) + done, bytes - done);
    if (put < 0 && errno == EINTR) continue;
    if (put == 0) errno = ENOSPC;
    if (put <= 0) return false;
    done += static_cast<std::size_t>(put);
  }
  return true;
}

/// fdatasync and fsync. A signal is not a failed write: it is tried again. 0, or -1 with errno.
inline int sync_data(int fd) noexcept {
  int done = 0;
  do {
    done = ::fdatasync(fd);
  } while (done != 0 && errno == EINTR);
  return done;
}
inline int sync_all(int fd) noexcept {
  int done = 0;
  do {
    done = ::fsync(fd);
  } while (done != 0 && errno == EINTR);
  return done;
}

/// posix_fallocate of the file's first `bytes`: real room, or an errno at once. 0 on success.
inline int allocate_file(int fd, std::uint64_t bytes) noexcept {
  int failed = 0;
  do {
    failed = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  } while (failed == EINTR);
  return failed;
}

}  // namespace leat::internal
