// Limits, closed descriptors, missing system calls: what a host may take away from a process.
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <thread>

#include "support/confined.h"
#include "support/broker_test.h"

namespace leat::test {
namespace {

std::vector<std::string> in_shell(const std::string& before, const std::string& after = "") {
  return {"/bin/sh", "-c", before + "exec \"$@\"" + after, "sh"};
}

class HostLimits : public BrokerTest {
 protected:
  void publish_one() {
    auto producer = connect_producer();
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t", .payload = "x"}, Ack::durable, kPatience).ok());
  }
  int run(std::vector<std::string> words, const std::string& output) {
    ChildProcess child({.arguments = std::move(words), .environment = {}, .output = output, .user = std::nullopt});
    return child.wait();
  }
  std::vector<std::string> leat(std::vector<std::string> words) const {
    words.insert(words.begin() + 1, {"--feed", broker_->address().feed, "--runtime-dir", broker_->address().runtime_dir,
                                     "--data-dir", broker_->address().data_dir});
    words.insert(words.begin(), LEAT_TEST_LEAT);
    return words;
  }
  std::size_t arenas() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(broker_->runtime() / "shm")) {
      count += entry.path().filename().string().starts_with("arena-") ? 1U : 0U;
    }
    return count;
  }
};

TEST_F(HostLimits, ALimitOnFileSizesIsAnErrorAtTheStart) {
  broker_->set("--ring-bytes", "4M");
  broker_->set_prefix(in_shell("ulimit -f 1024; "));  // of 512 or 1024 bytes each
  broker_->expect_log("cannot allocate");
  EXPECT_EQ(broker_->run_to_exit(), 1) << broker_->log();
  wait_for_log("LimitFSIZE");
}

TEST_F(HostLimits, TheSoftLimitOnDescriptorsIsRaisedToTheHardOne) {
  broker_->set_prefix(in_shell("ulimit -S -n 64; "));
  start();
  rlimit limit{};
  ASSERT_EQ(::prlimit(broker_->pid(), RLIMIT_NOFILE, nullptr, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, limit.rlim_max);
}

TEST_F(HostLimits, ALogThatMayGrowNoFurtherDoesNotEndTheFeed) {
  const auto log = broker_->scratch() / "sized.log";
  std::ofstream(log) << std::string(4 << 20, '.') << "\n";
  broker_->set("--log-file", log.string());
  broker_->set("--log-level", "debug");
  start();
  const rlimit limit{.rlim_cur = (4 << 20) + 4096, .rlim_max = RLIM_INFINITY};
  ASSERT_EQ(::prlimit(broker_->pid(), RLIMIT_FSIZE, &limit, nullptr), 0);
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(FeedObserver::connect(broker_->address()).ok());
  publish_one();
  EXPECT_LE(std::filesystem::file_size(log), limit.rlim_cur);
}

TEST_F(HostLimits, AnOutputThatMayGrowNoFurtherEndsTailWithTheReason) {
  start();
  Producer producer = connect_producer();
  for (int i = 0; i < 4000; ++i) ASSERT_TRUE(producer.publish({.topic = "t", .payload = std::string(100, 'x')}).ok());
  const std::string errors = (broker_->scratch() / "errors").string();
  auto words = in_shell("ulimit -f 64; ", " >" + (broker_->scratch() / "out").string());
  const auto tail = leat({"tail", "--from", "earliest", "--count", "4000"});
  words.insert(words.end(), tail.begin(), tail.end());
  EXPECT_EQ(run(words, errors), 1) << read_file(errors);
  EXPECT_NE(read_file(errors).find("File too large"), std::string::npos) << read_file(errors);
  const std::string out = read_file(broker_->scratch() / "out");
  const bool told = read_file(errors).find("cut short") != std::string::npos;
  EXPECT_EQ(out.back() != '\n', told) << "half a line is said to be one";
}

// Whichever of our programs it is: the signal would end it without a word.
TEST_F(HostLimits, AnOutputThatMayGrowNoFurtherEndsNoProgramByASignal) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer writes to a file of its own before main()";
#endif
  const auto directory = std::filesystem::path(broker_->command().front()).parent_path();
  int tried = 0;
  for (const char* name : {"leatd", "leat", "leat-demo", "leat-bench"}) {
    if (!std::filesystem::exists(directory / name)) continue;  // not a part of every build
    auto words = in_shell("ulimit -f 0; ", " >" + (broker_->scratch() / "out").string());
    words.insert(words.end(), {(directory / name).string(), "--help"});
    EXPECT_LT(run(words, (broker_->scratch() / "errors").string()), 128) << name;
    ++tried;
  }
  EXPECT_GE(tried, 3);
}

TEST_F(HostLimits, ClosedStandardDescriptorsNeverBecomeFilesOfTheFeed) {
  for (const char* closed : {"<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"}) {
    broker_->set_prefix(in_shell("", std::string(" ") + closed));
    start();
    publish_one();
    for (const int fd : {0, 1, 2}) {
      const auto link = "/proc/" + std::to_string(broker_->pid()) + "/fd/" + std::to_string(fd);
      const std::string target = std::filesystem::read_symlink(link).string();
      EXPECT_EQ(target.find("/test/"), std::string::npos) << closed << ": " << fd << " is " << target;
      EXPECT_EQ(target.find("anon_inode"), std::string::npos) << closed << ": " << fd << " is " << target;
    }
    EXPECT_LT(std::filesystem::file_size(broker_->journal() / "lock"), 32U) << closed;
    EXPECT_EQ(broker_->terminate(), 0) << closed;
  }
}

TEST_F(HostLimits, AStandbyAndTheToolsTakeClosedDescriptorsToo) {
  start();
  publish_one();
  broker_->set_prefix(in_shell("", " <&- >&- 2>&-"));
  ChildProcess standby = broker_->start_standby();
  const std::string output = (broker_->scratch() / "output").string();
  auto words = in_shell("", " <&- >&- 2>&-");
  const auto tail = leat({"tail", "--from", "earliest", "--count", "1"});
  words.insert(words.end(), tail.begin(), tail.end());
  EXPECT_NE(run(words, output), 0) << "nothing could be written";
  broker_->set_prefix({});
  broker_->kill9();
  broker_->replace_by(std::move(standby));
  while (!FeedObserver::connect(broker_->address()).ok()) {
    ASSERT_TRUE(broker_->running());
    std::this_thread::sleep_for(milliseconds(2));
  }
  publish_one();
  EXPECT_LT(std::filesystem::file_size(broker_->journal() / "lock"), 32U);
}

TEST_F(HostLimits, WithoutPidfdsTheEndOfAProcessIsFoundInProc) {
  constexpr int kPeerPidfd = 77;
  for (const int error : {ENOSYS, EPERM}) {
    broker_->set("--max-producers", "4");
    broker_->set_prefix(confined({{.number = SYS_pidfd_open, .error = error},
                                  {.number = SYS_getsockopt, .error = ENOPROTOOPT, .option = kPeerPidfd}}));
    start();
    for (int i = 0; i < 6; ++i) {  // more than there are slots
      std::optional<ChildProcess> held;
      while (arenas() >= 4) std::this_thread::sleep_for(milliseconds(5));  // the slots of the dead come back
      const std::size_t before = arenas();
      held.emplace(SpawnOptions{.arguments = leat({"pub", "--topic", "a.b", "--lines"}),
                                .environment = {},
                                .output = {},
                                .user = std::nullopt});
      (void)before;
      std::this_thread::sleep_for(milliseconds(50));
      held->kill9();
    }
    publish_one();
    // A broker that takes over finds the dead ones as well.
    broker_->kill9();
    broker_->set_prefix(confined({{.number = SYS_pidfd_open, .error = error}}));
    Producer living = [&] {
      broker_->set_prefix(confined({{.number = SYS_pidfd_open, .error = error}}));
      start();
      return connect_producer();
    }();
    broker_->kill9();
    start();
    ASSERT_TRUE(living.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
    wait_for_log("pidfd_open");
    EXPECT_EQ(broker_->terminate(), 0);
  }
}

TEST_F(HostLimits, EveryCallThatMayBeMissingIsSaidOrDoneWithout) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the runtime of ThreadSanitizer needs calls of its own";
#endif
  const std::pair<long, const char*> needed[] = {{SYS_eventfd2, "eventfd"}, {SYS_epoll_create1, "epoll_create1"}};
  for (const auto& [number, name] : needed) {
    broker_->set_prefix(confined({{.number = number, .error = ENOSYS}}));
    broker_->expect_log(name);
    EXPECT_EQ(broker_->run_to_exit(), 1) << name;
    wait_for_log(std::string(name) + ": Function not implemented");
    wait_for_log("seccomp");
  }
  const long without[] =
      {SYS_getrandom, SYS_signalfd4, SYS_timerfd_create, SYS_memfd_create, SYS_copy_file_range,   SYS_membarrier,
       SYS_statx,     SYS_prctl,     SYS_madvise,        SYS_fadvise64,    SYS_sched_getaffinity, 449};
  for (const long number : without) {
    broker_->set_prefix(confined({{.number = number, .error = ENOSYS}}));
    start();
    publish_one();
    EXPECT_EQ(broker_->terminate(), 0) << "system call " << number << "\n" << broker_->log();
  }
}

TEST_F(HostLimits, TooFewDescriptorsRefuseAClientWithTheReasonAndTheNextOneIsServed) {
  start();
  publish_one();
  std::vector<Consumer> consumers;
  rlimit before{};
  ASSERT_EQ(::prlimit(broker_->pid(), RLIMIT_NOFILE, nullptr, &before), 0);
  std::size_t open = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(broker_->pid()) + "/fd"))
    ++open;
  const rlimit few{.rlim_cur = open + 6, .rlim_max = before.rlim_max};
  ASSERT_EQ(::prlimit(broker_->pid(), RLIMIT_NOFILE, &few, nullptr), 0);
  broker_->expect_log("open files");
  std::string refused;
  for (int i = 0; i < 16 && refused.empty(); ++i) {
    auto consumer = Consumer::connect({.address = broker_->address()});
    if (consumer) consumers.push_back(std::move(*consumer));
    else refused = consumer.error().message;
  }
  EXPECT_TRUE(refused.find("LimitNOFILE") != std::string::npos) << refused;
  consumers.clear();
  while (!Consumer::connect({.address = broker_->address()}).ok()) std::this_thread::sleep_for(milliseconds(5));
}

TEST_F(HostLimits, TooLittleAddressSpaceOrTooFewThreadsIsAnErrorAtTheStart) {
  if (sanitized()) GTEST_SKIP() << "a sanitizer needs terabytes of address space";
  broker_->set("--ring-bytes", "64M");
  broker_->set("--max-event-bytes", "32K");
  broker_->set_prefix(in_shell("ulimit -v 100000; "));
  broker_->expect_log("Cannot allocate memory");
  EXPECT_EQ(broker_->run_to_exit(), 1) << broker_->log();
}

TEST_F(HostLimits, OneCpuIsEnough) {
  broker_->set("--idle", "spin");
  broker_->set_prefix({"/usr/bin/taskset", "1"});
  if (!std::filesystem::exists("/usr/bin/taskset")) GTEST_SKIP() << "no taskset here";
  start();
  for (int i = 0; i < 20; ++i) publish_one();
}

// In a cgroup of its own, where that can be made.
class HostCgroup : public HostLimits {
 protected:
  bool make_group(std::uint64_t bytes) {
    for (const auto& [at, limit] :
         {std::pair{"/sys/fs/cgroup/memory/", "memory.limit_in_bytes"}, std::pair{"/sys/fs/cgroup/", "memory.max"}}) {
      const std::filesystem::path group = std::string(at) + "leat-test-" + std::to_string(::getpid());
      if (::mkdir(group.c_str(), 0755) != 0) continue;
      group_ = group;
      std::ofstream file(group / limit);
      file << bytes;
      file.flush();
      if (file && std::filesystem::exists(group / limit)) return true;
      ::rmdir(group.c_str());
    }
    return false;
  }
  void TearDown() override {
    HostLimits::TearDown();
    if (group_.empty()) return;
    for (int i = 0; i < 2000 && ::rmdir(group_.c_str()) != 0; ++i) std::this_thread::sleep_for(milliseconds(5));
  }
  std::filesystem::path group_;
};

TEST_F(HostCgroup, WithoutRoomForTheRingsRefusesToStartInsteadOfBeingKilled) {
  if (sanitized()) GTEST_SKIP() << "a sanitizer needs more memory than this";
  if (!make_group(24ULL << 20)) GTEST_SKIP() << "no memory cgroup can be made here";
  broker_->set("--ring-bytes", "32M");
  broker_->set_prefix(in_shell("echo $$ >" + (group_ / "cgroup.procs").string() + "; "));
  broker_->expect_log("not enough memory");
  EXPECT_EQ(broker_->run_to_exit(), 1) << broker_->log();
  wait_for_log("the memory cgroup " + group_.string());
}

TEST_F(HostCgroup, WithoutRoomForAnotherArenaRefusesTheProducerAndServesTheOthers) {
  if (sanitized()) GTEST_SKIP() << "a sanitizer needs more memory than this";
  if (!make_group(32ULL << 20)) GTEST_SKIP() << "no memory cgroup can be made here";
  broker_->set("--arena-bytes", "1M");
  broker_->set("--max-producers", "64");
  broker_->set_prefix(in_shell("echo $$ >" + (group_ / "cgroup.procs").string() + "; "));
  start();
  std::vector<Producer> producers;
  std::string refused;
  for (int i = 0; i < 64 && refused.empty(); ++i) {
    auto producer = Producer::connect({.address = broker_->address()});
    if (producer) producers.push_back(std::move(*producer));
    else refused = producer.error().message;
  }
  EXPECT_NE(refused.find("not enough memory for another producer's arena"), std::string::npos) << refused;
  ASSERT_FALSE(producers.empty());
  ASSERT_TRUE(producers.front().publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  EXPECT_TRUE(broker_->running());
}

}  // namespace
}  // namespace leat::test
