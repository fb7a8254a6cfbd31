// A consumer of another user, for whom only a broker can open the journal's files: a broker that is away is waited for.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "process/other_user.h"
#include "base/unique_fd.h"

namespace leat::test {
namespace {

class ConsumersOfAnotherUser : public OtherUserTest {
 protected:
  // Counts lines of the pipe until `wanted` have come, or none comes for `silence`.
  static std::uint64_t read_lines(int fd, std::uint64_t wanted, milliseconds silence) {
    std::uint64_t lines = 0;
    char part[1024];
    while (lines < wanted) {
      pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
      if (::poll(&wait, 1, static_cast<int>(silence.count())) != 1) break;
      const ssize_t got = ::read(fd, part, sizeof part);
      if (got <= 0) break;
      lines += static_cast<std::uint64_t>(std::count(part, part + got, '\n'));
    }
    return lines;
  }
};

TEST_F(ConsumersOfAnotherUser, ThatAreBehindWaitForTheSuccessorOfAKilledBroker) {
  namespace fs = std::filesystem;
  constexpr std::uint64_t kEvents = 20000;
  broker_->set("--allow-subscribe", "any");
  broker_->set("--ring-bytes", "64K");
  broker_->set("--max-event-bytes", "4K");
  broker_->set("--segment-bytes", "128K");
  start();
  {
    Producer producer = connect_producer();
    const std::string payload(400, 'x');  // far more in all than pipe and buffers hold
    for (std::uint64_t i = 1; i < kEvents; ++i) ASSERT_TRUE(producer.publish({.topic = "t", .payload = payload}).ok());
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t", .payload = payload}, Ack::durable, kPatience).ok());
  }
  const fs::path leat = broker_->scratch() / "leat";
  fs::copy_file(LEAT_TEST_LEAT, leat);
  fs::permissions(leat, fs::perms::others_exec | fs::perms::others_read, fs::perm_options::add);
  const fs::path pipe = broker_->scratch() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const internal::UniqueFd lines(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(lines.valid());
  ChildProcess tail({.arguments = {leat.string(), "tail", "--feed", broker_->address().feed, "--runtime-dir",
                                   broker_->address().runtime_dir, "--data-dir", broker_->address().data_dir, "--from",
                                   "earliest", "--format", "raw", "--count", std::to_string(kEvents)},
                     .environment = {},
                     .output = pipe.string(),
                     .user = kNobody});
  std::uint64_t seen = read_lines(lines.get(), 500, kPatience);
  broker_->kill9();
  seen += read_lines(lines.get(), kEvents, seconds(3));
  ASSERT_LT(seen, kEvents) << "it is to need files that it has not opened yet";
  ASSERT_TRUE(tail.running()) << "ended after " << seen << " lines, before there was a broker";
  start();
  seen += read_lines(lines.get(), kEvents - seen, kPatience);
  EXPECT_EQ(seen, kEvents);
  EXPECT_EQ(tail.wait(), 0);
}

TEST_F(ConsumersOfAnotherUser, AreToldOfAMissingBrokerNotOfMissingRightsAtTheirStart) {
  broker_->set("--allow-subscribe", "any");
  start();
  publish_some(3);
  ASSERT_EQ(broker_->terminate(), 0);
  namespace fs = std::filesystem;
  const fs::path leat = broker_->scratch() / "leat";
  fs::copy_file(LEAT_TEST_LEAT, leat);
  fs::permissions(leat, fs::perms::others_exec | fs::perms::others_read, fs::perm_options::add);
  const std::string log = (broker_->scratch() / "tail.log").string();
  ChildProcess tail(
      {.arguments = {leat.string(), "tail", "--offline", "--feed", broker_->address().feed, "--runtime-dir",
                     broker_->address().runtime_dir, "--data-dir", broker_->address().data_dir},
       .environment = {},
       .output = log,
       .user = kNobody});
  EXPECT_EQ(tail.wait(), 3) << read_file(log);
}

}  // namespace
}  // namespace leat::test
