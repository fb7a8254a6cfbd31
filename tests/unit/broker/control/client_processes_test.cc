#include "broker/control/client_processes.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "base/unique_fd.h"

namespace leat::broker {
namespace {

constexpr ClientId kClient = 16;
constexpr ClientId kOther = 17;
constexpr int kForEver = -1;

// A process that waits to be killed. Reaped at the end.
class Child {
 public:
  Child() : pid_(::fork()) {
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) ::pause();
  }
  ~Child() { kill(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

class ClientProcessesTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(epoll_.open().ok()); }

  Epoll epoll_;
  ClientProcesses processes_{epoll_};
};

TEST_F(ClientProcessesTest, TellsTheEndOfAProcessByTheClientsNumber) {
  Child child;
  processes_.add(kClient, child.pid(), process_start_time(child.pid()));
  ASSERT_EQ(processes_.watch(kClient), Life::alive);
  if (!processes_.is_watched(kClient)) GTEST_SKIP() << "no pidfd on this kernel";
  child.kill();
  epoll_event event{};
  ASSERT_EQ(epoll_.wait({&event, 1}, kForEver), 1);
  EXPECT_EQ(std::uint64_t{event.data.u64}, kClient | kProcessBit);
}

TEST_F(ClientProcessesTest, FindsOutAtOnceThatAProcessIsGone) {
  Child child;
  const pid_t pid = child.pid();
  child.kill();
  processes_.add(kClient, pid, 0);
  EXPECT_EQ(processes_.watch(kClient), Life::gone);
  EXPECT_FALSE(processes_.is_watched(kClient));
}

TEST_F(ClientProcessesTest, TakesAnotherProcessUnderTheSameNumberForAnEnd) {
  processes_.add(kClient, ::getpid(), process_start_time(::getpid()) + 1);
  EXPECT_EQ(processes_.watch(kClient), Life::gone);
}

TEST_F(ClientProcessesTest, KnowsNothingOfAProcessWithoutANumber) {
  processes_.add(kClient, 0, 0);
  EXPECT_EQ(processes_.watch(kClient), Life::unknown);
  EXPECT_FALSE(processes_.is_watched(kClient));
  EXPECT_TRUE(processes_.find_gone().empty());
}

TEST_F(ClientProcessesTest, WatchesTheProcessAtTheOtherEndOfAConnection) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  const internal::UniqueFd own(ends[0]);
  const internal::UniqueFd peer(ends[1]);
  processes_.add(kClient, ::getpid(), 0);
  processes_.watch_peer(kClient, own.get());
  if (!processes_.is_watched(kClient)) GTEST_SKIP() << "no pidfd on this kernel";
  epoll_event event{};
  EXPECT_EQ(epoll_.wait({&event, 1}, 0), 0);  // we are there
}

// What watch() has found gone, and nobody has dropped, is found again with a tick.
TEST_F(ClientProcessesTest, FindsThoseThatNobodyHasDroppedYet) {
  Child child;
  const pid_t pid = child.pid();
  child.kill();
  processes_.add(kClient, pid, 0);
  processes_.add(kOther, ::getpid(), process_start_time(::getpid()));
  EXPECT_TRUE(processes_.find_gone().empty());  // nothing was missing a watch yet
  ASSERT_EQ(processes_.watch(kClient), Life::gone);
  EXPECT_EQ(processes_.find_gone(), std::vector<ClientId>{kClient});
}

TEST_F(ClientProcessesTest, ForgetsThoseThatWereRemoved) {
  Child child;
  const pid_t pid = child.pid();
  child.kill();
  processes_.add(kClient, pid, 0);
  ASSERT_EQ(processes_.watch(kClient), Life::gone);
  processes_.remove(kClient);
  EXPECT_TRUE(processes_.find_gone().empty());
}

}  // namespace
}  // namespace leat::broker
