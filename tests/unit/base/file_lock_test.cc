// Locks of files, among descriptors of one process: flock excludes them as it does those of two.
#include "base/file_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "tests/unit/fixtures/temp_directory.h"

namespace leat::internal {
namespace {

using Place = FileLock::Place;

class FileLocks : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return (directory_.path() / "lock").string(); }
  [[nodiscard]] FileLock opened() const { return test::must(FileLock::open(path())); }
  [[nodiscard]] FileLock held() const {
    FileLock lock = opened();
    EXPECT_TRUE(test::must(lock.try_take()));
    return lock;
  }
  [[nodiscard]] Place place_of(const FileLock& lock) const { return FileLock::place_of(lock.fd(), AT_FDCWD, path()); }

  test::TempDirectory directory_;
};

TEST_F(FileLocks, AreMadeOnceForTheirOwnerAlone) {
  const FileLock first = opened();
  EXPECT_TRUE(first.was_made());
  EXPECT_FALSE(first.is_held());
  EXPECT_EQ(first.path(), path());
  struct stat status {};
  ASSERT_EQ(::fstat(first.fd(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_NE(::fcntl(first.fd(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_FALSE(opened().was_made());
}

TEST_F(FileLocks, AreHeldByOneAtATime) {
  FileLock first = held();
  EXPECT_TRUE(first.is_held());
  FileLock second = opened();
  EXPECT_FALSE(test::must(second.try_take()));
  EXPECT_FALSE(second.is_held());
  first = FileLock();
  EXPECT_EQ(first.fd(), -1);
  EXPECT_TRUE(test::must(second.try_take()));
}

TEST_F(FileLocks, SayWhoHoldsThem) {
  EXPECT_EQ(FileLock::holders_of(AT_FDCWD, path()), "");
  const FileLock lock = held();
  const std::string wanted = "pid " + std::to_string(::getpid());
  EXPECT_NE(opened().holders().find(wanted), std::string::npos) << opened().holders();
  EXPECT_EQ(FileLock::holders_of(AT_FDCWD, path()), lock.holders());
}

TEST_F(FileLocks, AreNotOpenedThroughASymbolicLink) {
  const auto target = directory_.path() / "elsewhere";
  std::ofstream(target) << "a file of somebody else's";
  ASSERT_EQ(::symlink(target.c_str(), path().c_str()), 0);
  const auto lock = FileLock::open(path());
  ASSERT_FALSE(lock.ok());
  EXPECT_NE(lock.error().message.find("opening the lock " + path()), std::string::npos) << lock.error().message;
}

TEST_F(FileLocks, AreInPlaceWhileTheNameLeadsToThem) {
  const FileLock lock = held();
  EXPECT_EQ(place_of(lock), Place::in_place);
  EXPECT_EQ(FileLock::place_of(-1, AT_FDCWD, path()), Place::unknown);
  ASSERT_EQ(::unlink(path().c_str()), 0);
  EXPECT_EQ(place_of(lock), Place::elsewhere);
  const FileLock another = held();
  EXPECT_EQ(place_of(another), Place::in_place);
  EXPECT_EQ(place_of(lock), Place::elsewhere);
}

TEST_F(FileLocks, HaveNoKnownPlaceWhenTheLookUpFails) {
  const FileLock lock = held();
  EXPECT_EQ(FileLock::place_of(lock.fd(), AT_FDCWD, path() + "/below"), Place::unknown);
}

TEST_F(FileLocks, AreWaitedFor) {
  FileLock first = held();
  FileLock second = opened();
  const UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  Result<void> waited;
  std::thread waiter([&] { waited = second.wait(stop.get()); });
  while (first.holders().find("waits for it") == std::string::npos) std::this_thread::yield();
  first = FileLock();
  waiter.join();
  EXPECT_TRUE(waited.ok());
  EXPECT_TRUE(second.is_held());
}

TEST_F(FileLocks, AreNotWaitedForBeyondAStop) {
  const FileLock first = held();
  FileLock second = opened();
  const UniqueFd stop(::eventfd(1, EFD_CLOEXEC));
  const auto waited = second.wait(stop.get());
  ASSERT_FALSE(waited.ok());
  EXPECT_EQ(waited.error().code, ErrorCode::closed);
  EXPECT_FALSE(second.is_held());
}

TEST_F(FileLocks, AreWaitedForThroughSignalsOfOthers) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer keeps a signal back until the next call that it knows";
#endif
  FileLock first = held();
  FileLock second = opened();
  const UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  Result<void> waited;
  std::atomic<bool> has_it{false};
  std::thread waiter([&] {
    waited = second.wait(stop.get());
    has_it.store(true);
  });
  while (first.holders().find("waits for it") == std::string::npos) std::this_thread::yield();
  // To each thread, one of which sleeps in flock: which of them takes what is sent to a process is the kernel's choice.
  // Once each has had its signal, that one was interrupted.
  static std::atomic<int> handled{0};
  struct sigaction counting {};
  counting.sa_handler = [](int) { handled.fetch_add(1); };
  ::sigaction(SIGUSR1, &counting, nullptr);  // in the place of the lock's own, until the wait is over
  int sent = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    sent += ::syscall(SYS_tgkill, ::getpid(), std::stoi(thread.path().filename()), SIGUSR1) == 0 ? 1 : 0;
  }
  EXPECT_GE(sent, 3);
  while (handled.load() < sent) std::this_thread::yield();
  EXPECT_FALSE(has_it.load());
  first = FileLock();
  waiter.join();
  EXPECT_TRUE(waited.ok());
}

}  // namespace
}  // namespace leat::internal
