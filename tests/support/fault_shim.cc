// LD_PRELOAD: stands before the system calls of a process and makes those fail that the file $LEAT_TEST_FAULTS says
// (fault_plan.h). What fails is not done, but for short counts, which are done by half.
//
// The functions have names of their own and the calls' names as symbols: so the C library's declarations, with their
// attributes, do not get in the way.
#include <dirent.h>
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "support/fault_plan.h"

using leat::test::Call;
using leat::test::FaultPlan;

namespace {

// Null while the process starts, and for good in one that is not under test.
std::atomic<FaultPlan*> g_plan{nullptr};

__attribute__((constructor)) void set_up() {
  const char* path = std::getenv("LEAT_TEST_FAULTS");
  if (path != nullptr) g_plan.store(leat::test::map_fault_plan(path, false));
}

// What a descriptor is of: a path, or "anon_inode:[eventfd]" and the like.
struct Target {
  explicit Target(int fd) {
    char link[32];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const long got = ::syscall(SYS_readlinkat, AT_FDCWD, link, text, sizeof text - 1);
    text[got < 0 ? 0 : got] = '\0';
  }
  char text[192];
};

[[maybe_unused]] bool is_eventfd(int fd) { return std::strcmp(Target(fd).text, "anon_inode:[eventfd]") == 0; }

void note(FaultPlan& plan, std::uint64_t nth, const char* path, int fd) {
  const Target of_fd(fd);
  const char* about = path != nullptr ? path : of_fd.text;
  const char* base = std::strrchr(about, '/');
  std::snprintf(plan.where.data(), plan.where.size(), "%s %llu (%s)",
                leat::test::kCallNames[static_cast<std::size_t>(plan.call.load())].data(),
                static_cast<unsigned long long>(nth), base != nullptr ? base + 1 : about);
}

enum class Verdict { go, fail, halve };

// Counts a call, and says what becomes of it; errno is set if it fails.
Verdict judge(Call call, const char* path, int fd) {
  FaultPlan* plan = g_plan.load(std::memory_order_acquire);
  if (plan == nullptr) return Verdict::go;
  const std::uint64_t nth = plan->count(call).fetch_add(1) + 1;
  if (plan->call.load() != call) return Verdict::go;
  const std::uint64_t first = plan->first.load();
  if (nth < first || nth - first >= plan->times.load()) return Verdict::go;
  if (plan->hits.fetch_add(1) == 0) note(*plan, nth, path, fd);
  errno = plan->error.load();
  return errno == leat::test::kShortCount ? Verdict::halve : Verdict::fail;
}

[[maybe_unused]] bool fails(Call call, const char* path, int fd) { return judge(call, path, fd) == Verdict::fail; }

// False if the call fails; halves `bytes` if it is to come back short.
[[maybe_unused]] bool goes(Call call, int fd, std::size_t& bytes) {
  switch (judge(call, nullptr, fd)) {
    case Verdict::go: return true;
    case Verdict::halve: bytes = bytes > 1 ? bytes / 2 : bytes; return true;
    case Verdict::fail: break;
  }
  return false;
}

}  // namespace

// The real one, looked up once.
#define LEAT_NEXT(name)                                                                      \
  (__extension__({                                                                           \
    static const auto real = reinterpret_cast<decltype(&::name)>(::dlsym(RTLD_NEXT, #name)); \
    real;                                                                                    \
  }))
#define LEAT_SHIM(result, name, ...)                         \
  extern "C" result shim_##name(__VA_ARGS__) __asm__(#name); \
  extern "C" result shim_##name(__VA_ARGS__)

LEAT_SHIM(int, fsync, int fd) { return fails(Call::fsync, nullptr, fd) ? -1 : LEAT_NEXT(fsync)(fd); }

LEAT_SHIM(int, fdatasync, int fd) { return fails(Call::fdatasync, nullptr, fd) ? -1 : LEAT_NEXT(fdatasync)(fd); }

// ThreadSanitizer needs the rest for itself before it is ready: under it only syncs fail.
#ifndef __SANITIZE_THREAD__

LEAT_SHIM(int, open, const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const auto mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return fails(Call::open, path, -1) ? -1 : LEAT_NEXT(open)(path, flags, mode);
}

LEAT_SHIM(int, openat, int at, const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const auto mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return fails(Call::open, path, -1) ? -1 : LEAT_NEXT(openat)(at, path, flags, mode);
}

LEAT_SHIM(ssize_t, read, int fd, void* to, std::size_t bytes) {
  return goes(Call::read, fd, bytes) ? LEAT_NEXT(read)(fd, to, bytes) : -1;
}

LEAT_SHIM(ssize_t, pread, int fd, void* to, std::size_t bytes, off_t at) {
  return goes(Call::pread, fd, bytes) ? LEAT_NEXT(pread)(fd, to, bytes, at) : -1;
}

LEAT_SHIM(ssize_t, write, int fd, const void* from, std::size_t bytes) {
  return goes(is_eventfd(fd) ? Call::wake : Call::write, fd, bytes) ? LEAT_NEXT(write)(fd, from, bytes) : -1;
}

LEAT_SHIM(ssize_t, pwrite, int fd, const void* from, std::size_t bytes, off_t at) {
  return goes(Call::pwrite, fd, bytes) ? LEAT_NEXT(pwrite)(fd, from, bytes, at) : -1;
}

LEAT_SHIM(ssize_t, pwritev, int fd, const iovec* parts, int count, off_t at) {
  std::size_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += parts[i].iov_len;
  const std::size_t all = bytes;
  if (!goes(Call::pwrite, fd, bytes)) return -1;
  return bytes == all ? LEAT_NEXT(pwritev)(fd, parts, count, at)
                      : LEAT_NEXT(pwrite)(fd, parts[0].iov_base, parts[0].iov_len, at);
}

LEAT_SHIM(int, posix_fallocate, int fd, off_t from, off_t bytes) {
  return fails(Call::allocate, nullptr, fd) ? errno : LEAT_NEXT(posix_fallocate)(fd, from, bytes);
}

LEAT_SHIM(void*, mmap, void* at, std::size_t bytes, int protection, int flags, int fd, off_t from) {
  return fails(Call::mmap, nullptr, fd) ? MAP_FAILED : LEAT_NEXT(mmap)(at, bytes, protection, flags, fd, from);
}

LEAT_SHIM(int, rename, const char* from, const char* to) {
  return fails(Call::rename, from, -1) ? -1 : LEAT_NEXT(rename)(from, to);
}

LEAT_SHIM(int, renameat, int from_at, const char* from, int to_at, const char* to) {
  return fails(Call::rename, from, -1) ? -1 : LEAT_NEXT(renameat)(from_at, from, to_at, to);
}

LEAT_SHIM(int, unlink, const char* path) { return fails(Call::unlink, path, -1) ? -1 : LEAT_NEXT(unlink)(path); }

LEAT_SHIM(int, unlinkat, int at, const char* path, int flags) {
  return fails(Call::unlink, path, -1) ? -1 : LEAT_NEXT(unlinkat)(at, path, flags);
}

LEAT_SHIM(int, fstat, int fd, struct stat* to) {
  return fails(Call::stat, nullptr, fd) ? -1 : LEAT_NEXT(fstat)(fd, to);
}

LEAT_SHIM(int, lstat, const char* path, struct stat* to) {
  return fails(Call::stat, path, -1) ? -1 : LEAT_NEXT(lstat)(path, to);
}

LEAT_SHIM(int, fstatat, int at, const char* path, struct stat* to, int flags) {
  return fails(Call::stat, path, -1) ? -1 : LEAT_NEXT(fstatat)(at, path, to, flags);
}

LEAT_SHIM(int, mkdir, const char* path, mode_t mode) {
  return fails(Call::mkdir, path, -1) ? -1 : LEAT_NEXT(mkdir)(path, mode);
}

LEAT_SHIM(int, chmod, const char* path, mode_t mode) {
  return fails(Call::chmod, path, -1) ? -1 : LEAT_NEXT(chmod)(path, mode);
}

LEAT_SHIM(int, flock, int fd, int operation) {
  return fails(Call::flock, nullptr, fd) ? -1 : LEAT_NEXT(flock)(fd, operation);
}

LEAT_SHIM(int, statvfs, const char* path, struct statvfs* to) {
  return fails(Call::statvfs, path, -1) ? -1 : LEAT_NEXT(statvfs)(path, to);
}

LEAT_SHIM(int, fcntl, int fd, int command, ...) {
  va_list more;
  va_start(more, command);
  void* const argument = va_arg(more, void*);
  va_end(more);
  return fails(Call::fcntl, nullptr, fd) ? -1 : LEAT_NEXT(fcntl)(fd, command, argument);
}

LEAT_SHIM(DIR*, fdopendir, int fd) { return fails(Call::fdopendir, nullptr, fd) ? nullptr : LEAT_NEXT(fdopendir)(fd); }

LEAT_SHIM(dirent*, readdir, DIR* stream) {
  return fails(Call::readdir, nullptr, -1) ? nullptr : LEAT_NEXT(readdir)(stream);
}

LEAT_SHIM(int, socket, int domain, int type, int protocol) {
  return fails(Call::socket, nullptr, -1) ? -1 : LEAT_NEXT(socket)(domain, type, protocol);
}

LEAT_SHIM(int, bind, int fd, const sockaddr* address, socklen_t bytes) {
  return fails(Call::bind, nullptr, fd) ? -1 : LEAT_NEXT(bind)(fd, address, bytes);
}

LEAT_SHIM(int, listen, int fd, int backlog) {
  return fails(Call::listen, nullptr, fd) ? -1 : LEAT_NEXT(listen)(fd, backlog);
}

LEAT_SHIM(int, accept4, int fd, sockaddr* address, socklen_t* bytes, int flags) {
  return fails(Call::accept, nullptr, fd) ? -1 : LEAT_NEXT(accept4)(fd, address, bytes, flags);
}

LEAT_SHIM(int, getsockopt, int fd, int level, int name, void* value, socklen_t* bytes) {
  return fails(Call::getsockopt, nullptr, fd) ? -1 : LEAT_NEXT(getsockopt)(fd, level, name, value, bytes);
}

LEAT_SHIM(ssize_t, sendmsg, int fd, const msghdr* message, int flags) {
  return fails(Call::sendmsg, nullptr, fd) ? -1 : LEAT_NEXT(sendmsg)(fd, message, flags);
}

LEAT_SHIM(ssize_t, recvmsg, int fd, msghdr* message, int flags) {
  return fails(Call::recvmsg, nullptr, fd) ? -1 : LEAT_NEXT(recvmsg)(fd, message, flags);
}

LEAT_SHIM(int, poll, pollfd* fds, nfds_t count, int timeout_ms) {
  return fails(Call::poll, nullptr, count > 0 ? fds[0].fd : -1) ? -1 : LEAT_NEXT(poll)(fds, count, timeout_ms);
}

LEAT_SHIM(int, epoll_create1, int flags) {
  return fails(Call::epoll_create, nullptr, -1) ? -1 : LEAT_NEXT(epoll_create1)(flags);
}

LEAT_SHIM(int, epoll_ctl, int set, int operation, int fd, epoll_event* event) {
  return fails(Call::epoll_ctl, nullptr, fd) ? -1 : LEAT_NEXT(epoll_ctl)(set, operation, fd, event);
}

LEAT_SHIM(int, epoll_wait, int set, epoll_event* events, int most, int timeout_ms) {
  return fails(Call::epoll_wait, nullptr, set) ? -1 : LEAT_NEXT(epoll_wait)(set, events, most, timeout_ms);
}

LEAT_SHIM(int, eventfd, unsigned int value, int flags) {
  return fails(Call::eventfd, nullptr, -1) ? -1 : LEAT_NEXT(eventfd)(value, flags);
}

LEAT_SHIM(int, signalfd, int fd, const sigset_t* mask, int flags) {
  return fails(Call::signalfd, nullptr, fd) ? -1 : LEAT_NEXT(signalfd)(fd, mask, flags);
}

LEAT_SHIM(long, syscall, long number, long a, long b, long c, long d, long e, long f) {
  if (number == SYS_pidfd_open && fails(Call::pidfd_open, nullptr, -1)) return -1;
  return LEAT_NEXT(syscall)(number, a, b, c, d, e, f);
}

LEAT_SHIM(int, pthread_create, pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
          void* argument) {
  return fails(Call::thread, nullptr, -1) ? errno : LEAT_NEXT(pthread_create)(thread, attributes, run, argument);
}

#endif
