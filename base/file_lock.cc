#include "base/file_lock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include "base/check.h"
#include "base/event_fd.h"
#include "base/lock_holders.h"

namespace leat::internal {
namespace {

/// A handler that does nothing, without SA_RESTART: the signal ends a system call, and that is all.
class InterruptingSignal {
 public:
  InterruptingSignal() {
    struct sigaction wanted {};
    wanted.sa_handler = [](int) {};
    sigemptyset(&wanted.sa_mask);
    ::sigaction(SIGUSR1, &wanted, &before_);
  }
  ~InterruptingSignal() { ::sigaction(SIGUSR1, &before_, nullptr); }
  InterruptingSignal(const InterruptingSignal&) = delete;
  InterruptingSignal& operator=(const InterruptingSignal&) = delete;

 private:
  struct sigaction before_ {};
};

/// A thread that sleeps in flock: the kernel has no way to wait for a lock and a descriptor at once.
class LockWaiter {
 public:
  explicit LockWaiter(int fd) : thread_([this, fd] { run(fd); }) {}
  ~LockWaiter() {
    give_up_.store(true);
    // Once may be too early: the thread may be just about to call flock.
    while (!came_ && !finished_.load()) {
      ::pthread_kill(thread_.native_handle(), SIGUSR1);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    thread_.join();
  }
  LockWaiter(const LockWaiter&) = delete;
  LockWaiter& operator=(const LockWaiter&) = delete;

  /// Returns when the lock is ours (0), when waiting failed (an errno), or when `stop_fd` is readable (ECANCELED).
  int wait(int stop_fd) {
    pollfd watched[] = {{.fd = done_.get(), .events = POLLIN, .revents = 0},
                        {.fd = stop_fd, .events = POLLIN, .revents = 0}};
    while (::poll(watched, 2, -1) < 0 && errno == EINTR) {
    }
    came_ = watched[0].revents != 0;
    return came_ ? error_.load() : ECANCELED;
  }

 private:
  void run(int fd) {
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);  // all other threads of leatd block it
    int outcome = 0;
    while (::flock(fd, LOCK_EX) != 0) {
      outcome = errno;
      if (outcome != EINTR || give_up_.load()) break;
      outcome = 0;
    }
    error_.store(outcome);
    make_readable(done_.get());
    finished_.store(true);
  }

  InterruptingSignal signal_;
  bool came_ = false;  // the thread is at its end: there is nothing to interrupt
  UniqueFd done_{::eventfd(0, EFD_CLOEXEC)};
  std::atomic<int> error_{0};
  std::atomic<bool> give_up_{false};
  std::atomic<bool> finished_{false};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

Result<FileLock> FileLock::open(int directory_fd, const std::string& name, std::string path) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
  UniqueFd made(::openat(directory_fd, name.c_str(), kFlags | O_EXCL, 0600));
  if (made.valid()) return FileLock(std::move(made), std::move(path), true);
  UniqueFd fd(::openat(directory_fd, name.c_str(), kFlags, 0600));
  if (!fd.valid()) return system_error(errno, "opening the lock " + path);
  return FileLock(std::move(fd), std::move(path), false);
}

Result<FileLock> FileLock::open(const std::string& path) { return open(AT_FDCWD, path, path); }

Result<bool> FileLock::try_take() {
  LEAT_ASSERT(fd_.valid());
  int done = 0;
  do {
    done = ::flock(fd_.get(), LOCK_EX | LOCK_NB);
  } while (done != 0 && errno == EINTR);
  if (done != 0 && errno != EWOULDBLOCK) return system_error(errno, "locking " + path_);
  held_ = done == 0;
  return held_;
}

Result<void> FileLock::wait(int stop_fd) {
  LEAT_ASSERT(fd_.valid() && !held_);
  const int outcome = LockWaiter(fd_.get()).wait(stop_fd);
  if (outcome == ECANCELED) return Error{ErrorCode::closed, "stopped while it waited for the lock " + path_};
  if (outcome != 0) return system_error(outcome, "waiting for the lock " + path_);
  held_ = true;
  return {};
}

FileLock::Place FileLock::place_of(int lock_fd, int directory_fd, const std::string& name) {
  struct stat ours {};
  struct stat there {};
  if (::fstat(lock_fd, &ours) != 0) return Place::unknown;
  if (::fstatat(directory_fd, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? Place::elsewhere : Place::unknown;
  }
  return ours.st_dev == there.st_dev && ours.st_ino == there.st_ino ? Place::in_place : Place::elsewhere;
}

std::string FileLock::holders() const { return lock_holders(fd_.get()); }

std::string FileLock::holders_of(int directory_fd, const std::string& name) {
  const UniqueFd fd(::openat(directory_fd, name.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
  return fd.valid() ? lock_holders(fd.get()) : std::string();
}

}  // namespace leat::internal
