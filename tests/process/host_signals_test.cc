// Signals, logs and supervisors: what the ecosystem's own tools do to a process, and what leatd makes of it.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/unique_fd.h"
#include "support/broker_test.h"

namespace leat::test {
namespace {

std::vector<std::string> in_shell(const std::string& before, const std::string& after = "") {
  return {"/bin/sh", "-c", before + "exec \"$@\"" + after, "sh"};
}

// Whoever started the broker, as systemd does.
class Supervisor {
 public:
  explicit Supervisor(std::string name)
      : name_(std::move(name)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data(), name_.size());
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name_.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), bytes), 0);
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  // Waits for it.
  [[nodiscard]] std::string heard() const {
    char text[512];
    const ssize_t got = ::recv(socket_.get(), text, sizeof text, 0);
    return got < 0 ? std::string() : std::string(text, static_cast<std::size_t>(got));
  }

 private:
  std::string name_;
  internal::UniqueFd socket_;
};

class HostSignals : public BrokerTest {
 protected:
  void publish_one() {
    auto producer = connect_producer();
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t", .payload = "x"}, Ack::durable, kPatience).ok());
  }
  void send(int signal) { ASSERT_EQ(::kill(broker_->pid(), signal), 0); }
  void wait_for_text(const std::filesystem::path& file, const std::string& text) {
    while (read_file(file).find(text) == std::string::npos) {
      ASSERT_TRUE(broker_->running()) << broker_->log();
      std::this_thread::sleep_for(milliseconds(2));
    }
  }
  void wait_for_log(const std::string& text) { wait_for_text(broker_->scratch() / "leatd.log", text); }
};

TEST_F(HostSignals, NoSignalButThoseThatAreMeantToEndsTheBroker) {
  start();
  for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGPIPE, SIGXFSZ, SIGIO, SIGCHLD,
                           SIGWINCH, SIGURG, SIGRTMIN, SIGRTMAX, SIGHUP}) {
    send(signal);
  }
  wait_for_log("SIGHUP: the log was opened anew");
  publish_one();
}

TEST_F(HostSignals, AWaitingStandbySurvivesThemToo) {
  start();
  ChildProcess standby = broker_->start_standby();
  wait_for_log("standby: another broker serves");
  for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGHUP, SIGUSR1}) standby.send_signal(signal);
  wait_for_log("SIGHUP: the log was opened anew");
  EXPECT_TRUE(standby.running());
  broker_->kill9();
  broker_->replace_by(std::move(standby));
  while (!FeedObserver::connect(broker_->address()).ok()) {
    ASSERT_TRUE(broker_->running()) << broker_->log();
    std::this_thread::sleep_for(milliseconds(2));
  }
  publish_one();
}

TEST_F(HostSignals, UnderNohupAHangUpReloadsAsWell) {
  broker_->set_prefix(in_shell("trap '' HUP; "));
  start();
  send(SIGHUP);
  wait_for_log("SIGHUP: the log was opened anew");
}

// An interval timer lives on over exec, and its default action is the end of the process.
TEST_F(HostSignals, ATimerThatAParentLeftRunningDoesNothing) {
  broker_->set_prefix({"/usr/bin/env", "python3", "-c",
                       "import os, signal, sys; signal.setitimer(signal.ITIMER_REAL, 4, 0.01); "
                       "signal.signal(signal.SIGALRM, signal.SIG_IGN); signal.pthread_sigmask(signal.SIG_BLOCK, []); "
                       "signal.signal(signal.SIGALRM, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"});
  start();
  std::this_thread::sleep_for(milliseconds(5000));  // not before leatd has begun: until then nobody could help it
  publish_one();
}

TEST_F(HostSignals, AHangUpOpensARotatedLogAnew) {
  const auto log = broker_->scratch() / "rotated.log";
  broker_->set("--log-file", log.string());
  start();
  wait_for_text(log, "ready:");
  std::filesystem::rename(log, broker_->scratch() / "rotated.log.1");  // logrotate without copytruncate
  send(SIGHUP);
  wait_for_text(log, "SIGHUP: the log was opened anew");
  publish_one();
  wait_for_text(log, "connected");
  EXPECT_EQ(read_file(broker_->scratch() / "rotated.log.1").find("SIGHUP"), std::string::npos);
  struct stat status {};
  ASSERT_EQ(::stat(log.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(HostSignals, AHangUpRereadsLevelAndRulesAndNamesWhatNeedsARestart) {
  const auto config = broker_->scratch() / "leatd.toml";
  std::ofstream(config) << "log-level = \"info\"\n";
  broker_->set("--config", config.string());
  start();
  std::ofstream(config) << "log-level = \"debug\"\nallow-subscribe = [\"uid:65534\"]\nskip-wait-us = 77\n";
  send(SIGHUP);
  wait_for_log("changed: --allow-subscribe uid:65534, --log-level debug; needs a restart: --skip-wait-us");
  struct stat status {};
  while (::stat((broker_->runtime() / "control.sock").c_str(), &status) == 0 && (status.st_mode & 0777) != 0666) {
    std::this_thread::sleep_for(milliseconds(2));
  }
  ASSERT_EQ(::stat(broker_->runtime().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0711U);
  publish_one();
  wait_for_log("has left");  // of level debug
  std::ofstream(config) << "log-level = \"loud\"\n";
  broker_->expect_log("the options stay as they are");
  send(SIGHUP);
  wait_for_log("the options stay as they are");
  publish_one();
}

TEST_F(HostSignals, AStandardErrorThatNobodyReadsHoldsUpNeitherAdmissionNorTheFeedNorTheStop) {
  const auto path = broker_->scratch() / "full";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const internal::UniqueFd reader(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(reader.valid());
  ASSERT_GT(::fcntl(reader.get(), F_SETPIPE_SZ, 4096), 0);
  broker_->set("--log-level", "debug");
  broker_->set_prefix(in_shell("", " 2>" + path.string()));
  start();
  for (int i = 0; i < 200; ++i) {  // 3 lines each: many times the pipe
    ASSERT_TRUE(FeedObserver::connect(broker_->address()).ok()) << i;
    auto consumer = Consumer::connect({.address = broker_->address()});
    ASSERT_TRUE(consumer.ok()) << consumer.error().message;
  }
  publish_one();
  EXPECT_EQ(broker_->terminate(), 0);
  char text[8192];
  EXPECT_GT(::read(reader.get(), text, sizeof text), 1000) << "the pipe was full";
}

TEST_F(HostSignals, AClosedStandardErrorAndAFullLogHoldUpNothing) {
  const auto path = broker_->scratch() / "gone";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  internal::UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  broker_->set_prefix(in_shell("", " 2>" + path.string()));
  start();
  reader.reset();
  publish_one();
  EXPECT_EQ(broker_->terminate(), 0);
  broker_->set_prefix({});
  broker_->set("--log-file", "/dev/full");
  start();
  publish_one();
  EXPECT_EQ(broker_->terminate(), 0);
}

TEST_F(HostSignals, AHangUpWhoseOptionsDoNotFitEachOtherChangesNothing) {
  const auto config = broker_->scratch() / "leatd.toml";
  std::ofstream(config) << "log-level = \"info\"\n";
  broker_->set("--config", config.string());
  start();
  std::ofstream(config) << "log-level = \"debug\"\nmax-arena-bytes = \"4K\"\n";
  broker_->expect_log("the options stay as they are");
  send(SIGHUP);
  wait_for_log("the options stay as they are: --arena-bytes");
  // What was taken once is no news the next time.
  std::ofstream(config) << "user-share = 30\n";
  send(SIGHUP);
  wait_for_log("changed: --user-share 30");
  send(SIGHUP);
  wait_for_log("changed: nothing");
}

TEST_F(HostSignals, TheWatchdogIsToldAgainAndAgain) {
  const Supervisor supervisor("leat-test-dog-" + std::to_string(::getpid()));
  broker_->set_environment("NOTIFY_SOCKET=@" + supervisor.name());
  broker_->set_environment("WATCHDOG_USEC=400000");
  start();
  EXPECT_TRUE(supervisor.heard().starts_with("READY=1"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(supervisor.heard(), "WATCHDOG=1");
}

TEST_F(HostSignals, SystemdIsToldThatItServesAndThatItStops) {
  const Supervisor supervisor("leat-test-" + std::to_string(::getpid()));
  const auto heard = [&] { return supervisor.heard(); };
  broker_->set_environment("NOTIFY_SOCKET=@" + supervisor.name());
  start();
  EXPECT_TRUE(heard().starts_with("READY=1\nSTATUS=serves feed test"));
  ChildProcess standby = broker_->start_standby();
  EXPECT_TRUE(heard().starts_with("READY=1\nSTATUS=standby")) << "or systemd would end it for not starting";
  send(SIGHUP);
  EXPECT_TRUE(heard().starts_with("RELOADING=1"));
  EXPECT_EQ(heard(), "READY=1");
  standby.send_signal(SIGTERM);
  EXPECT_EQ(standby.wait(), 0);
  EXPECT_EQ(broker_->terminate(), 0);
  EXPECT_EQ(heard(), "STOPPING=1");
}

TEST_F(HostSignals, TheReadyDescriptorSpeaksOnceTheFeedIsServed) {
  const auto ready = broker_->scratch() / "ready";
  broker_->set_prefix(in_shell("", " 7>" + ready.string()));
  broker_->set("--ready-fd", "7");
  start();
  while (read_file(ready).empty()) std::this_thread::sleep_for(milliseconds(2));
  EXPECT_TRUE(read_file(ready).starts_with("ready: serves feed test at ")) << read_file(ready);
  std::error_code gone;
  EXPECT_FALSE(std::filesystem::exists("/proc/" + std::to_string(broker_->pid()) + "/fd/7", gone) &&
               std::filesystem::read_symlink("/proc/" + std::to_string(broker_->pid()) + "/fd/7", gone) == ready);
  // A start that is refused has never said that it serves.
  std::filesystem::remove(ready);
  const std::string output = (broker_->scratch() / "second.log").string();
  auto words = in_shell("", " 7>" + ready.string());
  const auto command = broker_->command();
  words.insert(words.end(), command.begin(), command.end());
  ChildProcess second({.arguments = words, .environment = {}, .output = output, .user = std::nullopt});
  EXPECT_EQ(second.wait(), 3) << read_file(output);
  EXPECT_EQ(read_file(ready), "");
}

// `leatd --ready-fd 1 | head -1`: head sees the end, and nothing that leatd opens later becomes standard output.
TEST_F(HostSignals, TheReadyDescriptorMayBeStandardOutput) {
  const auto ready = broker_->scratch() / "ready";
  broker_->set_prefix(in_shell("", " >" + ready.string()));
  broker_->set("--ready-fd", "1");
  start();
  while (read_file(ready).empty()) std::this_thread::sleep_for(milliseconds(2));
  const std::string output = "/proc/" + std::to_string(broker_->pid()) + "/fd/1";
  while (std::filesystem::read_symlink(output) != "/dev/null") std::this_thread::sleep_for(milliseconds(2));
  publish_one();
}

}  // namespace
}  // namespace leat::test
