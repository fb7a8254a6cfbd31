// Names that vanish under a running broker, processes that end while others hold their sockets, and starts that are
// refused.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include "base/unique_fd.h"
#include "support/broker_test.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

// leatd may be at work in it, and take a file away itself.
void remove_tree(const fs::path& path) {
  std::error_code gone;
  do {
    fs::remove_all(path, gone);
  } while (gone);
}

class HostNames : public BrokerTest {
 protected:
  void publish_one() {
    auto producer = connect_producer();
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t", .payload = "x"}, Ack::durable, kPatience).ok());
  }
  void wait_for_log(const std::string& text, std::size_t times = 1) {
    for (;;) {
      const std::string log = broker_->log();
      std::size_t found = 0;
      for (std::size_t at = 0; (at = log.find(text, at)) != std::string::npos; ++at) ++found;
      if (found >= times) return;
      ASSERT_TRUE(broker_->running()) << log;
      std::this_thread::sleep_for(milliseconds(5));
    }
  }
  void wait_until_served() {
    while (!FeedObserver::connect(broker_->address()).ok()) {
      ASSERT_TRUE(broker_->running()) << broker_->log();
      std::this_thread::sleep_for(milliseconds(5));
    }
  }
};

TEST_F(HostNames, TheSocketIsMadeAnewWhateverHappenedToItsName) {
  start();
  const auto socket = broker_->runtime() / "control.sock";
  const std::pair<const char*, std::function<void()>> accidents[] = {
      {"removed", [&] { fs::remove(socket); }},
      {"renamed", [&] { fs::rename(socket, broker_->runtime() / "elsewhere"); }},
      {"a file in its place",
       [&] {
         fs::remove(socket);
         std::ofstream(socket) << "mine";
       }},
      {"a link in its place",
       [&] {
         fs::remove(socket);
         fs::create_symlink("/dev/null", socket);
       }},
      {"another socket in its place",
       [&] {
         fs::remove(socket);
         const internal::UniqueFd other(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
         sockaddr_un address{};
         address.sun_family = AF_UNIX;
         std::snprintf(address.sun_path, sizeof address.sun_path, "%s", socket.c_str());
         ASSERT_EQ(::bind(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
       }},
  };
  Consumer consumer = connect_consumer();
  Producer producer = connect_producer();
  std::size_t times = 0;
  for (const auto& [what, accident] : accidents) {
    accident();
    wait_for_log("was removed or replaced while the feed was served: it is made anew", ++times);
    wait_until_served();
    publish_one();
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok()) << what;
  }
  for (std::size_t i = 0; i < 2 * times; ++i) EXPECT_EQ(take_event(consumer).sequence, i + 1);
}

TEST_F(HostNames, ADirectoryInTheSocketsPlaceIsSaidAndTheRestGoesOn) {
  start();
  Producer producer = connect_producer();
  broker_->expect_log("cannot be made anew");
  const auto socket = broker_->runtime() / "control.sock";
  fs::remove(socket);
  fs::create_directory(socket);
  wait_for_log("is a directory, where the feed's socket has to be");
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  fs::remove(socket);
  wait_until_served();
}

TEST_F(HostNames, RingsWhoseNamesAreGoneAreReplacedAndNothingAcceptedIsLost) {
  start();
  broker_->expect_log("was removed or replaced while the feed was served");
  const std::pair<const char*, std::function<void()>> accidents[] = {
      {"runtime directory removed", [&] { remove_tree(broker_->runtime()); }},
      {"runtime directory renamed", [&] { fs::rename(broker_->runtime(), broker_->runtime().string() + ".old"); }},
      {"all runtime directories removed", [&] { remove_tree(broker_->address().runtime_dir); }},
      {"the rings removed", [&] { remove_tree(broker_->runtime() / "shm"); }},
      {"one ring removed", [&] { fs::remove(broker_->runtime() / "shm" / "broadcast"); }},
      {"the lock removed", [&] { fs::remove(broker_->runtime() / "shm" / "lock"); }},
  };
  std::uint64_t published = 0;
  std::size_t times = 0;
  for (const auto& [what, accident] : accidents) {
    Producer producer = connect_producer();
    for (int i = 0; i < 50; ++i, ++published) ASSERT_TRUE(producer.publish({.topic = "t"}).ok()) << what;
    accident();
    wait_for_log("then the feed goes on with new ones", ++times);
    wait_for_log("ready:", times + 1);
    wait_until_served();
    publish_one();
    ++published;
    EXPECT_TRUE(fs::exists(broker_->runtime() / "shm" / "inbound")) << what;
  }
  const FeedStatus now = status();
  EXPECT_EQ(now.latest_sequence, published);
  EXPECT_EQ(broker_->log().find("new epoch"), std::string::npos) << broker_->log();
  EXPECT_EQ(broker_->terminate(), 0);
}

TEST_F(HostNames, AClientThatWasThereGoesOnWithTheNewRings) {
  start();
  broker_->expect_log("was removed or replaced while the feed was served");
  Producer producer = connect_producer();
  Consumer consumer = connect_consumer();
  ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  EXPECT_EQ(take_event(consumer).sequence, 1U);
  remove_tree(broker_->runtime());
  wait_for_log("ready:", 2);
  for (;;) {  // an event in flight may be said to be lost: it is published again
    if (producer.publish_and_wait({.topic = "t", .payload = "after"}, Ack::durable, kPatience).ok()) break;
    ASSERT_TRUE(broker_->running()) << broker_->log();
  }
  while (take_event(consumer).payload != "after") {
  }
}

class HostProcesses : public HostNames {
 protected:
  pid_t held_by_child() {
    ChildProcess holder = start_helper("holder", {});
    EXPECT_EQ(holder.wait(), 128 + SIGKILL);
    const std::string said = helper_output();
    const std::size_t at = said.rfind("child ");
    return at == std::string::npos ? -1 : std::stoi(said.substr(at + 6));
  }
};

TEST_F(HostProcesses, AForkedChildKeepsNeitherSlotNorCursorOfItsDeadParent) {
  start();
  publish_one();
  const pid_t child = held_by_child();
  ASSERT_GT(child, 0);
  for (;;) {  // soon
    const FeedStatus now = status();
    if (now.producers.empty() && now.consumers.empty()) break;
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_EQ(::kill(child, 0), 0) << "the child is there all the same";
  auto again = Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .cursor_name = "held"});
  EXPECT_TRUE(again.ok()) << again.error().message;
  ::kill(child, SIGKILL);
}

// Everything below a directory, with what would be seen of it.
std::map<std::string, std::string> listing(const fs::path& root) {
  std::map<std::string, std::string> found;
  if (!fs::exists(root)) return found;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    struct stat status {};
    if (::lstat(entry.path().c_str(), &status) != 0) continue;
    found[entry.path().string()] = std::to_string(status.st_mode) + " " +
                                   (S_ISREG(status.st_mode) ? std::to_string(status.st_size) : std::string());
  }
  return found;
}

class HostStarts : public HostNames {
 protected:
  std::map<std::string, std::string> all() const {
    auto found = listing(broker_->scratch());
    found.merge(listing(fs::path(broker_->address().runtime_dir).parent_path()));
    std::erase_if(found, [](const auto& entry) { return entry.first.ends_with(".log"); });
    return found;
  }
  std::string identity() const { return read_file(broker_->journal() / "feed"); }
};

TEST_F(HostStarts, ARefusedStartLeavesNothingThatWasNotThere) {
  struct Refusal {
    const char* what;
    std::function<void(std::vector<std::string>&)> set_up;
    std::function<void()> clean_up;
    std::vector<std::string> prefix;
  };
  const auto option = [](std::vector<std::string>& words, const std::string& name, const std::string& value) {
    const auto at = std::ranges::find(words, name);
    if (at != words.end()) *(at + 1) = value;
    else words.insert(words.end(), {name, value});
  };
  const auto socket = broker_->runtime() / "control.sock";
  const fs::path deep = broker_->scratch() / std::string(100, 'x');
  const auto nothing = [] {};
  const std::vector<Refusal> refusals = {
      {"a path that is too long", [&](auto& words) { option(words, "--runtime-dir", deep.string()); }, nothing, {}},
      {"an option that does not fit", [&](auto& words) { option(words, "--max-event-bytes", "128M"); }, nothing, {}},
      {"a rule for nobody", [&](auto& words) { option(words, "--allow-publish", "user:no-such-user"); }, nothing, {}},
      {"a bad descriptor", [&](auto& words) { option(words, "--ready-fd", "87654"); }, nothing, {}},
      {"a directory in the socket's place",
       [&](auto&) {
         fs::create_directories(socket);
         fs::permissions(broker_->runtime(), fs::perms::owner_all);
         fs::permissions(fs::path(broker_->address().runtime_dir), fs::perms::owner_all);
       },
       [&] { fs::remove(socket); },
       {}},
      {"too few descriptors", [](auto&) {}, nothing, {"/bin/sh", "-c", "ulimit -n 16; exec \"$@\"", "sh"}},
      {"too little file size",
       [](auto& words) { (void)words; },
       nothing,
       {"/bin/sh", "-c", "ulimit -f 200; exec \"$@\"", "sh"}},
      {"a log that cannot be written",
       [&](auto& words) { option(words, "--log-file", "/no/such/dir/log"); },
       nothing,
       {}},
      {"another journal", [&](auto& words) { option(words, "--data-dir", "/dev/null/data"); }, nothing, {}},
      {"a directory in the place of the cursors, found when the rings are there",
       [&](auto&) {
         fs::create_directories(broker_->journal() / "cursors");
         fs::permissions(broker_->journal(), fs::perms::owner_all);
       },
       [&] { fs::remove(broker_->journal() / "cursors"); },
       {}},
  };
  for (const bool fresh : {true, false}) {
    if (!fresh) {
      start();
      publish_one();
      ASSERT_EQ(broker_->terminate(), 0);
    }
    for (const Refusal& refusal : refusals) {
      auto words = broker_->command();
      refusal.set_up(words);
      const auto before = all();
      const std::string identity_before = identity();
      words.insert(words.begin(), refusal.prefix.begin(), refusal.prefix.end());
      const std::string output = (broker_->scratch() / "refused.log").string();
      ChildProcess refused({.arguments = words, .environment = {}, .output = output, .user = std::nullopt});
      EXPECT_NE(refused.wait(), 0) << refusal.what;
      EXPECT_EQ(all(), before) << refusal.what << (fresh ? ", no feed yet" : ", a feed that was stopped") << "\n"
                               << read_file(output);
      EXPECT_TRUE(identity() == identity_before) << refusal.what << " changed `feed`";
      refusal.clean_up();
    }
  }
  start();
  EXPECT_EQ(broker_->log().find("new epoch"), std::string::npos) << broker_->log();
  EXPECT_EQ(status().latest_sequence, 1U);
}

TEST_F(HostStarts, ASecondBrokerLeavesNothingWhereTheJournalWasMovedAway) {
  start();
  publish_one();
  const auto elsewhere = broker_->journal().string() + ".moved";
  fs::rename(broker_->journal(), elsewhere);
  const auto before = listing(broker_->address().data_dir);
  const std::string output = (broker_->scratch() / "second.log").string();
  ChildProcess second({.arguments = broker_->command(), .environment = {}, .output = output, .user = std::nullopt});
  EXPECT_EQ(second.wait(), 3) << read_file(output);
  EXPECT_FALSE(fs::exists(broker_->journal())) << "what is moved back would land inside of it";
  fs::rename(elsewhere, broker_->journal());
  const std::string pid = "pid " + std::to_string(broker_->pid());
  EXPECT_NE(read_file(output).find(pid), std::string::npos) << read_file(output);
}

TEST_F(HostStarts, ASecondBrokerWithOtherRulesLeavesTheModesOfTheFirst) {
  broker_->set("--allow-subscribe", "any");
  start();
  const auto before = listing(broker_->address().runtime_dir);
  auto words = broker_->command();
  const auto at = std::ranges::find(words, "--allow-subscribe");
  words.erase(at, at + 2);
  const std::string output = (broker_->scratch() / "second.log").string();
  ChildProcess second({.arguments = words, .environment = {}, .output = output, .user = std::nullopt});
  EXPECT_EQ(second.wait(), 3) << read_file(output);
  EXPECT_EQ(listing(broker_->address().runtime_dir), before);
}

}  // namespace
}  // namespace leat::test
