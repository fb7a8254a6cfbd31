// What a test and tests/support/fault_shim.cc agree on: which system calls of leatd are counted, and which of them
// fails.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leat::test {

/// The calls that the shim stands before. Near relatives count as one: open and openat, stat and fstat, ...
enum class Call : std::uint32_t {
  none,
  open,
  read,
  pread,
  write,
  pwrite,
  allocate,
  fsync,
  fdatasync,
  mmap,
  rename,
  unlink,
  stat,
  mkdir,
  chmod,
  flock,
  statvfs,
  fcntl,
  fdopendir,
  readdir,
  socket,
  bind,
  listen,
  accept,
  getsockopt,
  sendmsg,
  recvmsg,
  poll,
  epoll_create,
  epoll_ctl,
  epoll_wait,
  eventfd,
  signalfd,
  pidfd_open,
  thread,
  wake,  ///< a write to an eventfd
};
inline constexpr std::array<std::string_view, 36> kCallNames = {"none",         "open",       "read",       "pread",
                                                                "write",        "pwrite",     "allocate",   "fsync",
                                                                "fdatasync",    "mmap",       "rename",     "unlink",
                                                                "stat",         "mkdir",      "chmod",      "flock",
                                                                "statvfs",      "fcntl",      "fdopendir",  "readdir",
                                                                "socket",       "bind",       "listen",     "accept",
                                                                "getsockopt",   "sendmsg",    "recvmsg",    "poll",
                                                                "epoll_create", "epoll_ctl",  "epoll_wait", "eventfd",
                                                                "signalfd",     "pidfd_open", "thread",     "wake"};
inline constexpr std::size_t kCallCount = kCallNames.size();

/// In place of an errno: read or write half of what was asked for.
inline constexpr int kShortCount = 0;

/// Lies in a file that both map. The test may change it while leatd runs; counts go on over restarts of leatd.
struct FaultPlan {
  std::atomic<Call> call{Call::none};   ///< which one fails; none: all are only counted
  std::atomic<int> error{0};            ///< errno, or kShortCount
  std::atomic<std::uint64_t> first{0};  ///< from the how-manieth on, by `counts`; 1 is the first
  std::atomic<std::uint64_t> times{0};  ///< how many fail
  std::atomic<std::uint64_t> hits{0};   ///< how many did
  std::array<std::atomic<std::uint64_t>, kCallCount> counts{};
  std::array<char, 256> where{};  ///< what the first one that failed was about

  std::atomic<std::uint64_t>& count(Call which) { return counts[static_cast<std::size_t>(which)]; }
};

/// Maps the plan in `path`; nullptr on failure. Never unmapped by the shim.
inline FaultPlan* map_fault_plan(const char* path, bool create) {
  const int fd = ::open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0666);
  if (fd < 0) return nullptr;
  void* mapped = MAP_FAILED;
  if (!create || ::ftruncate(fd, sizeof(FaultPlan)) == 0) {
    mapped = ::mmap(nullptr, sizeof(FaultPlan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  ::close(fd);
  return mapped == MAP_FAILED ? nullptr : static_cast<FaultPlan*>(mapped);
}

}  // namespace leat::test
