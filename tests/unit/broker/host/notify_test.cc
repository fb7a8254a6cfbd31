#include "broker/host/notify.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/unique_fd.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::broker {
namespace {

// Whoever started us, as systemd does.
class Supervisor {
 public:
  explicit Supervisor(const std::string& name) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), bytes), 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Supervisor() {
    for (const char* variable : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(variable);
  }
  void fill_up() {
    sockaddr_un address{};
    socklen_t bytes = sizeof address;
    ASSERT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &bytes), 0);
    const internal::UniqueFd other(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    while (::sendto(other.get(), "filler", 6, 0, reinterpret_cast<sockaddr*>(&address), bytes) == 6) {
    }
  }
  std::string heard() {
    char text[512];
    const ssize_t got = ::recv(socket_.get(), text, sizeof text, MSG_DONTWAIT);
    return got < 0 ? "" : std::string(text, static_cast<std::size_t>(got));
  }

 private:
  internal::UniqueFd socket_;
};

TEST(Notifier, TellsASocketWithAPathAndOneWithoutAFile) {
  const test::TempDirectory directory;
  for (const std::string& name : {(directory.path() / "notify").string(), "@leat-test-" + std::to_string(::getpid())}) {
    Supervisor supervisor(name);
    auto notifier = Notifier::open(-1);
    ASSERT_TRUE(notifier.ok());
    notifier->ready("serves");
    EXPECT_EQ(supervisor.heard(), "READY=1\nSTATUS=serves");
    notifier->reloading();
    EXPECT_TRUE(supervisor.heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    notifier->stopping();
    EXPECT_EQ(supervisor.heard(), "STOPPING=1");
    notifier->alive();
    EXPECT_EQ(supervisor.heard(), "") << "nobody watches";
  }
}

TEST(Notifier, TellsTheWatchdogNoMoreOftenThanItMust) {
  Supervisor supervisor("@leat-test-dog-" + std::to_string(::getpid()));
  ::setenv("WATCHDOG_USEC", "99999999999999", 1);
  auto notifier = Notifier::open(-1);
  ASSERT_TRUE(notifier.ok());
  for (int i = 0; i < 3; ++i) notifier->alive();
  EXPECT_EQ(supervisor.heard(), "");  // absurdly long: no watchdog
  ::setenv("WATCHDOG_USEC", "600000000", 1);
  notifier = Notifier::open(-1);
  for (int i = 0; i < 3; ++i) notifier->alive();
  EXPECT_EQ(supervisor.heard(), "WATCHDOG=1");
  EXPECT_EQ(supervisor.heard(), "");
  ::setenv("WATCHDOG_USEC", "100000", 1);
  notifier = Notifier::open(-1);
  notifier->alive();
  EXPECT_EQ(supervisor.heard(), "WATCHDOG=1");
  ::usleep(90'000);
  notifier->alive();
  EXPECT_EQ(supervisor.heard(), "WATCHDOG=1") << "again before its time is over";
  ::setenv("WATCHDOG_PID", "1", 1);
  notifier = Notifier::open(-1);
  notifier->alive();
  EXPECT_EQ(supervisor.heard(), "") << "it is meant for another process";
}

// Returns, whatever the supervisor does: the feed does not wait for it.
TEST(Notifier, GivesUpASupervisorWhoseQueueIsFull) {
  Supervisor supervisor("@leat-test-full-" + std::to_string(::getpid()));
  auto notifier = Notifier::open(-1);
  ASSERT_TRUE(notifier.ok());
  supervisor.fill_up();
  notifier->stopping();
  std::string said;
  for (std::string next = supervisor.heard(); !next.empty(); next = supervisor.heard()) said = next;
  EXPECT_EQ(said, "filler");
}

TEST(Notifier, WritesALineToTheReadyDescriptorAndClosesIt) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const internal::UniqueFd reader(ends[0]);
  auto notifier = Notifier::open(ends[1]);
  ASSERT_TRUE(notifier.ok());
  notifier->ready("serves feed x");
  char text[64] = {};
  EXPECT_EQ(::read(reader.get(), text, sizeof text), 21);
  EXPECT_STREQ(text, "ready: serves feed x\n");
  EXPECT_EQ(::read(reader.get(), text, sizeof text), 0) << "closed";
}

TEST(Notifier, RefusesADescriptorThatIsNotOpen) {
  const auto notifier = Notifier::open(987654);
  ASSERT_FALSE(notifier.ok());
  EXPECT_EQ(notifier.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(notifier.error().message.find("--ready-fd 987654"), std::string::npos);
}

TEST(Notifier, IsSilentWhereNobodyListens) {
  ::unsetenv("NOTIFY_SOCKET");
  auto notifier = Notifier::open(-1);
  ASSERT_TRUE(notifier.ok());
  notifier->ready("x");
  ::setenv("NOTIFY_SOCKET", "/no/such/socket", 1);
  notifier = Notifier::open(-1);
  notifier->ready("x");
  ::unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace leat::broker
