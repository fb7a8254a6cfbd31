// What a host may deny: room for the small files (`feed`, `cursors`), locked memory, threads, all CPUs but one, pages
// that a fork wipes; and environments that name no place. Each is a clear error or done without, and leaves nothing
// half done.
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <thread>

#include <leat/journal.h>

#include "process/other_user.h"
#include "support/confined.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

class PoorHost : public BrokerTest {
 protected:
  struct Ran {
    int status = 0;
    std::string said;
  };
  Ran run(const std::vector<std::string>& words, const std::vector<std::string>& environment = {},
          std::optional<uid_t> user = std::nullopt) {
    const std::string output = (broker_->scratch() / ("output" + std::to_string(++runs_))).string();
    ChildProcess child({.arguments = words, .environment = environment, .output = output, .user = user});
    const int status = child.wait();
    return {.status = status, .said = read_file(output)};
  }
  static std::vector<std::string> after(std::vector<std::string> prefix, const std::vector<std::string>& words) {
    prefix.insert(prefix.end(), words.begin(), words.end());
    return prefix;
  }
  static std::vector<std::string> in_shell(const std::string& before) {
    return {"/bin/sh", "-c", before + "exec \"$@\"", "sh"};
  }
  // Its output goes through a pipe: the limit strikes the feed's files only.
  static std::vector<std::string> with_no_room_in_files() {
    return {"/bin/bash", "-c", "( ulimit -f 0; exec \"$@\" ) 2>&1 | cat; exit ${PIPESTATUS[0]}", "bash"};
  }
  static void expect_parts(const std::string& said, std::initializer_list<const char*> parts) {
    for (const char* part : parts) EXPECT_NE(said.find(part), std::string::npos) << "no '" << part << "' in:\n" << said;
  }
  void publish(int count, std::size_t bytes = 10) {
    Producer producer = connect_producer();
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(
          producer.publish_and_wait({.topic = "t", .payload = std::string(bytes, 'x')}, Ack::durable, kPatience).ok());
    }
  }
  // Named cursors "c0" and so on, each where its consumer starts.
  void make_cursors(int count) {
    for (int i = 0; i < count; ++i) {
      auto consumer = Consumer::connect(
          {.address = broker_->address(), .start = Start::earliest(), .cursor_name = "c" + std::to_string(i)});
      ASSERT_TRUE(consumer.ok()) << consumer.error().message;
    }
  }
  Consumer named(const std::string& name) {
    for (;;) {
      auto consumer =
          Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .cursor_name = name});
      if (consumer) return std::move(*consumer);
      if (consumer.error().code != ErrorCode::busy) throw std::runtime_error(consumer.error().message);
    }
  }
  std::uint64_t place_on_disk(const std::string& name) const {
    const auto cursors = list_cursors(broker_->journal());
    if (!cursors) throw std::runtime_error(cursors.error().message);  // a torn file
    for (const NamedCursor& cursor : *cursors) {
      if (cursor.name == name) return cursor.place.sequence;
    }
    return ~0ULL;
  }
  void expect_no_leftovers() const {
    for (const auto& entry : fs::directory_iterator(broker_->journal())) {
      EXPECT_NE(entry.path().extension(), ".new") << entry.path() << " is half a file";
    }
  }
  // Moves cursor c0 to the newest event while `strike` holds, and looks at what becomes of it.
  template <typename Strike, typename Release>
  void save_while_the_file_cannot_be_written(Strike strike, Release release, const char* reason) {
    broker_->expect_log("named cursors cannot be written");
    Consumer consumer = named("c0");
    const EventView event = take_event(consumer);
    while (place_on_disk("c0") != 0) std::this_thread::sleep_for(milliseconds(5));
    strike();
    ASSERT_TRUE(consumer.save_cursor().ok()) << "it is kept in memory";
    wait_for_log("the named cursors cannot be written");
    expect_parts(broker_->log(), {"cursors.new", reason, "tried again until they can be"});
    EXPECT_EQ(place_on_disk("c0"), 0U) << "the old file stands, whole";
    expect_no_leftovers();
    release();
    wait_for_log("the named cursors could be written again");
    EXPECT_EQ(place_on_disk("c0"), event.sequence);
  }

 private:
  int runs_ = 0;
};

TEST_F(PoorHost, ALimitOnFileSizesThatStrikesTheCursorsLosesNoneAndIsTold) {
  broker_->set("--segment-bytes", "16K");
  broker_->set("--max-event-bytes", "1K");
  broker_->set("--max-consumers", "64");
  start();
  publish(1);
  make_cursors(500);
  while (place_on_disk("c499") != 0) std::this_thread::sleep_for(milliseconds(5));
  // Segments lie below the limit, and so does the log; the cursors do not.
  const rlim_t between = std::max<rlim_t>(16U << 10, fs::file_size(broker_->scratch() / "leatd.log") + 4096);
  ASSERT_GT(fs::file_size(broker_->journal() / "cursors"), between);
  const auto limit_to = [&](rlim_t bytes) {
    const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    ASSERT_EQ(::prlimit(broker_->pid(), RLIMIT_FSIZE, &limit, nullptr), 0);
  };
  save_while_the_file_cannot_be_written([&] { limit_to(between); }, [&] { limit_to(RLIM_INFINITY); },
                                        "File too large (errno 27); raise the limit");
  publish(1);
}

TEST_F(PoorHost, ALimitOnFileSizesThatStrikesTheIdentityRefusesTheStartAndLeavesAllAsItWas) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer makes a file larger than the limit when a program starts";
#endif
  if (!fs::exists("/bin/bash")) GTEST_SKIP() << "no bash here";
  const Ran first = run(after(with_no_room_in_files(), broker_->command()));
  EXPECT_EQ(first.status, 1) << first.said;
  expect_parts(first.said,
               {"File too large (errno 27); raise the limit on the size of files (ulimit -f, LimitFSIZE of systemd)",
                (broker_->journal() / "feed.new").c_str()});
  EXPECT_FALSE(fs::exists(broker_->journal())) << "made by a start that was refused";
  EXPECT_FALSE(fs::exists(broker_->runtime()));
  start();
  publish(3);
  broker_->kill9();
  fs::remove_all(broker_->runtime());
  const std::string before = read_file(broker_->journal() / "feed");
  const Ran second = run(after(with_no_room_in_files(), broker_->command()));
  EXPECT_EQ(second.status, 1) << second.said;
  expect_parts(second.said, {"raise the limit on the size of files (ulimit -f, LimitFSIZE of systemd)"});
  EXPECT_EQ(read_file(broker_->journal() / "feed"), before);
  expect_no_leftovers();
  start();
  publish(1);
  EXPECT_EQ(status().latest_sequence, 4U);
}

TEST_F(PoorHost, ALimitOnFileSizesRefusesARepairAndLeavesTheIdentityAsItWas) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer makes a file larger than the limit when a program starts";
#endif
  if (!fs::exists("/bin/bash")) GTEST_SKIP() << "no bash here";
  broker_->set("--segment-bytes", "64K");
  start();
  publish(200, 1000);
  ASSERT_EQ(broker_->terminate(), 0);
  {
    std::fstream file(broker_->segments()[1], std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(30'000);
    file << "damaged";
  }
  const std::string before = read_file(broker_->journal() / "feed");
  const std::vector<std::string> repair = {LEAT_TEST_LEAT, "repair", "--yes", "--journal", broker_->journal().string()};
  const Ran refused = run(after(with_no_room_in_files(), repair));
  EXPECT_NE(refused.status, 0) << refused.said;
  expect_parts(refused.said, {"File too large", "LimitFSIZE"});
  EXPECT_EQ(read_file(broker_->journal() / "feed"), before);
  expect_no_leftovers();
  const Ran repaired = run(repair);
  EXPECT_EQ(repaired.status, 0) << repaired.said;
  start();
  EXPECT_EQ(status().latest_sequence, 200U);
}

// A file system so small that the cursors or the identity are what finds no room.
class PoorDisk : public PoorHost {
 protected:
  void SetUp() override {
    PoorHost::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small tmpfs";
    const fs::path place = broker_->scratch() / "disk";
    fs::create_directories(place);
    if (::mount("tmpfs", place.c_str(), "tmpfs", 0, "size=4m") != 0) GTEST_SKIP() << "cannot mount a tmpfs here";
    mount_ = place;
    broker_->set_data_dir(mount_ / "data");
    broker_->set("--segment-bytes", "256K");
    broker_->set("--max-event-bytes", "2K");
  }
  void TearDown() override {
    if (!mount_.empty()) {
      broker_->kill9();
      ::umount2(mount_.c_str(), MNT_DETACH);
    }
    PoorHost::TearDown();
  }
  void fill() {
    std::ofstream file(mount_ / "filler", std::ios::binary);
    const std::string page(4096, 'x');
    while (file.good()) file.write(page.data(), 4096).flush();
  }
  void empty() { fs::remove(mount_ / "filler"); }
  fs::path mount_;
};

TEST_F(PoorDisk, ThatIsFullLosesNoCursorAndIsTold) {
  start();
  publish(1);
  make_cursors(1);
  save_while_the_file_cannot_be_written([&] { fill(); }, [&] { empty(); },
                                        "No space left on device (errno 28); free some space");
}

TEST_F(PoorDisk, ThatIsFullAtTheEndKeepsTheOldIdentityAndLosesNothing) {
  broker_->expect_log("could not be closed");
  start();
  publish(3);
  const std::string before = read_file(broker_->journal() / "feed");
  fill();
  EXPECT_EQ(broker_->terminate(), 1);
  expect_parts(broker_->log(),
               {"the journal could not be closed: ", "feed.new: No space left on device", "free some space"});
  EXPECT_EQ(read_file(broker_->journal() / "feed"), before);
  expect_no_leftovers();
  empty();
  start();
  publish(1);
  EXPECT_EQ(status().latest_sequence, 4U);
}

TEST_F(PoorHost, WithoutLockedMemoryAllGoesOn) {
  broker_->set_prefix(in_shell("ulimit -l 0; "));
  start();
  publish(3);
  const Ran tail =
      run(after(in_shell("ulimit -l 0; "), {LEAT_TEST_LEAT, "tail", "--feed", broker_->address().feed, "--runtime-dir",
                                            broker_->address().runtime_dir, "--data-dir", broker_->address().data_dir,
                                            "--from", "earliest", "--count", "3"}));
  EXPECT_EQ(tail.status, 0) << tail.said;
}

// As RLIMIT_NPROC, or a cgroup's pids.max, that is reached: clone says EAGAIN.
TEST_F(PoorHost, WithoutAnyThreadRefusesTheStartAndLeavesNothing) {
  if (sanitized()) GTEST_SKIP() << "sanitizers start threads of their own";
  broker_->set_prefix(confined({{.number = SYS_clone3, .error = ENOSYS}, {.number = SYS_clone, .error = EAGAIN}}));
  broker_->expect_log("thread");
  EXPECT_EQ(broker_->run_to_exit(), 1) << broker_->log();
  expect_parts(broker_->log(),
               {"starting the thread", "Resource temporarily unavailable", "ulimit -u, TasksMax of systemd"});
  EXPECT_FALSE(fs::exists(broker_->journal()));
  EXPECT_FALSE(fs::exists(broker_->runtime()));
}

class PoorUser : public OtherUserTest {};

// With one process more at each try, until all threads can be had: every number below is a refused start.
TEST_F(PoorUser, WithTooFewThreadsRefusesTheStartAndLeavesNothing) {
  if (sanitized()) GTEST_SKIP() << "sanitizers start threads of their own";
  constexpr uid_t kPoor = 54322;  // runs nothing else
  const fs::path leatd = broker_->scratch() / "leatd";
  fs::copy_file(broker_->command().front(), leatd);
  ASSERT_EQ(::chmod(leatd.c_str(), 0755), 0);
  std::vector<std::string> command = broker_->command();
  command.front() = leatd.string();
  int refused = 0;
  for (int processes = 1;; ++processes) {
    ASSERT_LT(processes, 64);
    std::vector<std::string> words = {"/bin/bash", "-c", "ulimit -u " + std::to_string(processes) + "; exec \"$@\"",
                                      "bash"};
    words.insert(words.end(), command.begin(), command.end());
    const std::string output = (broker_->scratch() / ("poor" + std::to_string(processes))).string();
    ChildProcess process({.arguments = words, .environment = {}, .output = output, .user = kPoor});
    while (process.running() && read_file(output).find("ready: ") == std::string::npos) {
      std::this_thread::sleep_for(milliseconds(2));
    }
    if (process.running()) {
      process.send_signal(SIGTERM);
      EXPECT_EQ(process.wait(), 0) << read_file(output);
      break;
    }
    ++refused;
    EXPECT_EQ(process.wait(), 1) << read_file(output);
    expect_line(read_file(output), "Resource temporarily unavailable");
    expect_line(read_file(output), "TasksMax of systemd");
    EXPECT_FALSE(fs::exists(broker_->journal())) << processes;
    EXPECT_FALSE(fs::exists(broker_->runtime())) << processes;
  }
  EXPECT_GE(refused, 3);
}

// One CPU, and above all others on it: whoever spins there for something of another process waits for ever.
class RealTime : public PoorHost {
 protected:
  void SetUp() override {
    PoorHost::SetUp();
    for (const char* program : {"/usr/bin/chrt", "/usr/bin/taskset"}) {
      if (!fs::exists(program)) GTEST_SKIP() << "no " << program << " here";
    }
    if (run({"/usr/bin/chrt", "-f", "1", "/bin/true"}).status != 0) GTEST_SKIP() << "SCHED_FIFO is not permitted here";
    cpu_set_t set;
    CPU_ZERO(&set);
    ASSERT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
    while (!CPU_ISSET(cpu_, &set)) ++cpu_;
  }
  std::vector<std::string> on_the_cpu(bool real_time) const {
    std::vector<std::string> words = {"/usr/bin/taskset", "-c", std::to_string(cpu_)};
    if (real_time) words.insert(words.end(), {"/usr/bin/chrt", "-f", "5"});
    return words;
  }
  // All threads asleep at one look; one that spins is never found so.
  static void wait_until_asleep(pid_t pid) {
    for (bool asleep = false; !asleep; std::this_thread::sleep_for(milliseconds(1))) {
      asleep = true;
      for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
        const std::string stat = read_file(thread.path() / "stat");
        const std::size_t name_end = stat.rfind(") ");
        if (name_end != std::string::npos && stat[name_end + 2] != 'S') asleep = false;
      }
    }
  }
  void feed_goes_on(bool broker_is, bool clients_are) {
    broker_->set_prefix(on_the_cpu(broker_is));
    start();
    const std::vector<std::string> address = {"--feed",        broker_->address().feed,
                                              "--runtime-dir", broker_->address().runtime_dir,
                                              "--data-dir",    broker_->address().data_dir};
    const std::string out = (broker_->scratch() / "tailed").string();
    const auto tail_words = after(after(on_the_cpu(clients_are), {LEAT_TEST_LEAT, "tail"}),
                                  after(address, {"--from", "earliest", "--count", "400"}));
    ChildProcess tail({.arguments = tail_words, .environment = {}, .output = out, .user = std::nullopt});
    const std::string lines = (broker_->scratch() / "lines").string();
    std::ofstream file(lines);
    for (int i = 0; i < 200; ++i) file << "line " << i << "\n";
    file.close();
    std::vector<ChildProcess> publishers;
    for (int i = 0; i < 2; ++i) {  // two at a time: one may be stopped between its ticket and its slot
      auto words = after({"/bin/sh", "-c", "exec \"$@\" <'" + lines + "'", "sh"},
                         after(on_the_cpu(clients_are), {LEAT_TEST_LEAT, "pub", "--lines", "--topic", "t"}));
      publishers.emplace_back(SpawnOptions{.arguments = after(words, address),
                                           .environment = {},
                                           .output = (broker_->scratch() / "published").string(),
                                           .user = std::nullopt});
    }
    for (ChildProcess& publisher : publishers)
      EXPECT_EQ(publisher.wait(), 0) << read_file(broker_->scratch() / "published");
    EXPECT_EQ(tail.wait(), 0) << read_file(out);
    EXPECT_EQ(status().latest_sequence, 400U);
    wait_until_asleep(broker_->pid());
  }
  int cpu_ = 0;
};

TEST_F(RealTime, ABrokerOnOneCpuLetsItsClientsRun) { feed_goes_on(true, false); }
TEST_F(RealTime, ABrokerThatWasToSpinOnOneCpuSleeps) {
  broker_->set("--idle", "spin");
  feed_goes_on(true, false);
  expect_parts(broker_->log(), {"SCHED_FIFO", "--idle spin"});
}
TEST_F(RealTime, ClientsOnOneCpuLetTheirBrokerRun) { feed_goes_on(false, true); }
TEST_F(RealTime, AllOnOneCpuGoOn) { feed_goes_on(true, true); }

// As before Linux 4.14: the advice is unknown. All tests of forks once more.
TEST_F(PoorHost, WhereNoPageIsWipedOnForkAChildIsStillTold) {
  std::vector<std::string> words = confined({{.number = SYS_madvise, .error = EINVAL, .option = MADV_WIPEONFORK}});
  words.insert(words.end(), {own_executable(), "--gtest_filter=Fork.*:ForkedConsumers.*"});
  const Ran inner = run(words);
  EXPECT_EQ(inner.status, 0) << inner.said;
  expect_parts(inner.said, {"[  PASSED  ]", "ForkedConsumers.SayUsedAfterFork"});
}

// Variables of the environment that name no place, or another one for each working directory.
class PoorEnvironment : public PoorHost {
 protected:
  Ran in_directory(const fs::path& directory, const std::vector<std::string>& environment,
                   const std::vector<std::string>& words) {
    return run(after({"/bin/sh", "-c", "cd '" + directory.string() + "'; exec \"$@\"", "sh"}, words), environment);
  }
  fs::path place() {
    const fs::path directory = broker_->scratch() / "place";
    fs::create_directories(directory);
    return directory;
  }
};

TEST_F(PoorEnvironment, ARelativePathIsRefusedByLeatdAndLeatAndMakesNothing) {
  const std::vector<std::vector<std::string>> commands = {{broker_->command().front(), "--feed", "f"},
                                                          {LEAT_TEST_LEAT, "stat", "--feed", "f"},
                                                          {LEAT_TEST_LEAT, "tail", "--feed", "f"},
                                                          {LEAT_TEST_LEAT, "verify", "--feed", "f"}};
  for (const std::string name : {"LEAT_RUNTIME_DIR", "LEAT_DATA_DIR"}) {
    for (const auto& command : commands) {
      const Ran refused = in_directory(place(), {"LEAT_RUNTIME_DIR=", "LEAT_DATA_DIR=", name + "=here"}, command);
      EXPECT_EQ(refused.status, 2) << refused.said;
      expect_parts(refused.said, {(name + " is 'here', which is no absolute path").c_str(), "unset it and give --"});
    }
  }
  EXPECT_TRUE(fs::is_empty(place()));
}

TEST_F(PoorEnvironment, ARelativePathOnTheCommandLineIsTaken) {
  const fs::path directory = fs::path(broker_->address().runtime_dir).parent_path() / "here";
  fs::create_directories(directory);
  const std::string output = (broker_->scratch() / "relative").string();
  const auto words = after({"/bin/sh", "-c", "cd '" + directory.string() + "'; exec \"$@\"", "sh"},
                           {broker_->command().front(), "--feed", "f", "--runtime-dir", "run", "--data-dir", "./data"});
  ChildProcess leatd({.arguments = words,
                      .environment = {"LEAT_RUNTIME_DIR=other", "LEAT_DATA_DIR=other"},
                      .output = output,
                      .user = std::nullopt});
  while (leatd.running() && read_file(output).find("ready: ") == std::string::npos)
    std::this_thread::sleep_for(milliseconds(2));
  ASSERT_TRUE(leatd.running()) << read_file(output);
  const std::vector<std::string> pub = {LEAT_TEST_LEAT, "pub",     "--feed", "f", "--runtime-dir", "run", "--data-dir",
                                        "./data",       "--topic", "t",      "x"};
  const Ran published = in_directory(directory, {}, pub);
  EXPECT_EQ(published.status, 0) << published.said;
  auto consumer = Consumer::connect(
      {.address = {.feed = "f", .runtime_dir = (directory / "run").string(), .data_dir = (directory / "data").string()},
       .start = Start::earliest()});
  ASSERT_TRUE(consumer.ok()) << consumer.error().message;
  EXPECT_EQ(take_event(*consumer).sequence, 1U);
  leatd.send_signal(SIGTERM);
  EXPECT_EQ(leatd.wait(), 0);
}

TEST_F(PoorEnvironment, EmptyVariablesAndARelativeSessionAreAsIfNotSet) {
  for (const char* session : {"XDG_RUNTIME_DIR=", "XDG_RUNTIME_DIR=here"}) {
    const Ran told = in_directory(place(), {"LEAT_RUNTIME_DIR=", "LEAT_DATA_DIR=", session},
                                  {LEAT_TEST_LEAT, "stat", "--feed", "no-such-feed"});
    expect_parts(told.said, {"/dev/shm/leat-", "no-such-feed"});
    EXPECT_TRUE(fs::is_empty(place()));
  }
}

}  // namespace
}  // namespace leat::test
