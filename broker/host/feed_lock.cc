#include "broker/host/feed_lock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <thread>

#include "broker/log.h"
#include "broker/host/start_trace.h"
#include "base/clock.h"
#include "base/lock_holders.h"

namespace leat::broker {

using namespace internal;

namespace {

Result<UniqueFd> open_lock(const std::filesystem::path& path) {
  constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
  UniqueFd made(::open(path.c_str(), kFlags | O_CREAT | O_EXCL, 0600));
  if (made.valid()) {
    StartTrace::made_file(path);
    return made;
  }
  UniqueFd fd(::open(path.c_str(), kFlags | O_CREAT, 0600));
  if (!fd.valid()) return system_error(errno, "opening the lock " + path.string());
  return fd;
}

int lock_now(int fd) {
  int done = 0;
  do {
    done = ::flock(fd, LOCK_EX | LOCK_NB);
  } while (done != 0 && errno == EINTR);
  return done;
}

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
    pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);  // all others of leatd block it
    int outcome = 0;
    while (::flock(fd, LOCK_EX) != 0) {
      outcome = errno;
      if (outcome != EINTR || give_up_.load()) break;
      outcome = 0;
    }
    error_.store(outcome);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(done_.get(), &one, sizeof one);
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

Result<UniqueFd> take_lock(const std::filesystem::path& path, const std::string& feed) {
  auto fd = open_lock(path);
  if (!fd) return fd.error();
  // flock, not fcntl: a POSIX lock would be gone when any descriptor of the file is closed.
  if (lock_now(fd->get()) == 0) return fd;
  if (errno != EWOULDBLOCK) return system_error(errno, "locking " + path.string());
  const std::string who = lock_holders(fd->get());
  return Error{ErrorCode::busy, "another broker serves feed '" + feed + "' (it holds " + path.string() +
                                    (who.empty() ? "" : ": " + who) +
                                    "); stop it first, or choose another --feed, --runtime-dir or --data-dir"};
}

Result<UniqueFd> wait_for_lock(const std::filesystem::path& path, const std::string& feed, int stop_fd,
                               const std::function<void()>& waits) {
  auto fd = open_lock(path);
  if (!fd) return fd.error();
  if (lock_now(fd->get()) == 0) return fd;
  if (errno != EWOULDBLOCK) return system_error(errno, "locking " + path.string());
  spdlog::info("standby: another broker serves feed '{}'; waiting for {}", feed, path.string());
  if (waits) waits();
  const std::int64_t began_ns = monotonic_ns();
  const int outcome = LockWaiter(fd->get()).wait(stop_fd);
  if (outcome == ECANCELED) return Error{ErrorCode::closed, "standby: told to stop while it waited"};
  if (outcome != 0) return system_error(outcome, "waiting for the lock " + path.string());
  spdlog::info("standby: takes over feed '{}' after {} ms of waiting", feed,
               (monotonic_ns() - began_ns) / kNanosPerMilli);
  return fd;
}

bool lock_is_in_place(const UniqueFd& lock, const std::filesystem::path& path) {
  struct stat ours {};
  struct stat there {};
  return ::fstat(lock.get(), &ours) == 0 && ::lstat(path.c_str(), &there) == 0 && ours.st_dev == there.st_dev &&
         ours.st_ino == there.st_ino;
}

}  // namespace leat::broker
