// Looking changes nothing: each command that only looks, run on a tree that nobody can write to, by its owner and by a
// user who can only read. A full listing before and after must be the same. Parts with another user need root.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include <nlohmann/json.hpp>

#include "process/other_user.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

// All but the time of access, which the kernel keeps at its own discretion.
std::map<std::string, std::string> listing(const fs::path& tree) {
  std::map<std::string, std::string> found;
  const auto note = [&](const fs::path& path) {
    struct stat status {};
    ASSERT_EQ(::lstat(path.c_str(), &status), 0) << path;
    std::string text = std::to_string(status.st_ino) + " " + std::to_string(status.st_mode) + " " +
                       std::to_string(status.st_uid) + " " + std::to_string(status.st_gid) + " " +
                       std::to_string(status.st_size) + " " + std::to_string(status.st_nlink);
    for (const timespec& time : {status.st_mtim, status.st_ctim}) {
      text += " " + std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
    }
    if (S_ISREG(status.st_mode)) text += " " + std::to_string(std::hash<std::string>()(read_file(path.string())));
    found[path.string()] = text;
  };
  note(tree);
  for (const auto& entry : fs::recursive_directory_iterator(tree)) note(entry.path());
  return found;
}

class Looking : public OtherUserTest {
 protected:
  struct Command {
    std::vector<std::string> words;
    int status = 0;
  };
  std::vector<Command> commands() const {
    const std::string journal = broker_->journal().string();
    const std::vector<std::string> feed = {"--feed",        "test",
                                           "--runtime-dir", broker_->address().runtime_dir,
                                           "--data-dir",    broker_->address().data_dir};
    const auto of_feed = [&](std::vector<std::string> words) {
      words.insert(words.end(), feed.begin(), feed.end());
      return words;
    };
    return {{{leat().string(), "verify", "--journal", journal}},
            {{leat().string(), "verify", "--journal", journal, "--format", "json"}},
            {of_feed({leat().string(), "verify"})},
            {{leat().string(), "repair", "--dry-run", "--journal", journal}},
            {of_feed({leat().string(), "cursors"})},
            {of_feed({leat().string(), "cursors", "--format", "json"})},
            {{leat().string(), "replay", "--journal", journal}},
            {of_feed({leat().string(), "tail", "--offline", "--from", "earliest", "--count", "1"})},
            {of_feed({leat().string(), "stat", "--sample", "0"}), 3},
            {{leatd().string(), "--help"}},
            {{leatd().string(), "--version"}},
            {{leat().string(), "--help"}}};
  }
  // Copies that everybody can run, beside what must not change.
  fs::path tools() const { return fs::path(broker_->address().runtime_dir).parent_path() / "tools"; }
  fs::path leat() const { return tools() / "leat"; }
  fs::path leatd() const { return tools() / "leatd"; }
  void SetUp() override {
    OtherUserTest::SetUp();
    if (broker_ == nullptr) return;
    fs::create_directories(tools());
    fs::copy_file(LEAT_TEST_LEAT, leat());
    fs::copy_file(broker_->command()[0], leatd());
    for (const fs::path& path : {tools(), leat(), leatd()}) fs::permissions(path, fs::perms(0755));
  }
  void make_readable(const fs::path& tree) {
    fs::permissions(tree, fs::perms(0555));
    for (const auto& entry : fs::recursive_directory_iterator(tree)) {
      fs::permissions(entry.path(), entry.is_directory() ? fs::perms(0555) : fs::perms(0444));
    }
  }
  void expect_no_trace(std::optional<uid_t> user) {
    const fs::path data = broker_->address().data_dir;
    const fs::path runtime = broker_->address().runtime_dir;
    for (const Command& command : commands()) {
      const auto data_before = listing(data);
      const auto runtime_before = listing(runtime);
      const std::string output = (tools() / "said").string();
      fs::remove(output);
      std::ofstream(output).flush();
      fs::permissions(output, fs::perms(0666));
      ChildProcess child({.arguments = command.words, .environment = {}, .output = output, .user = user});
      EXPECT_EQ(child.wait(), command.status) << command.words[1] << ": " << read_file(output);
      EXPECT_EQ(listing(data), data_before) << command.words[1] << " has left a trace";
      EXPECT_EQ(listing(runtime), runtime_before) << command.words[1] << " has left a trace";
    }
  }
};

TEST_F(Looking, LeavesNoTraceInATreeThatCannotBeWrittenWhoeverLooks) {
  broker_->set("--segment-bytes", "64K");
  broker_->set("--max-event-bytes", "2K");
  start();
  publish_some(300);
  {
    auto consumer = Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .cursor_name = "c"});
    ASSERT_TRUE(consumer.ok());
    (void)take_event(*consumer);
    ASSERT_TRUE(consumer->save_cursor().ok());
  }
  ASSERT_EQ(broker_->terminate(), 0);
  fs::remove(broker_->journal() / "lock");  // as in a copy that was made without it
  make_readable(broker_->address().data_dir);
  make_readable(broker_->address().runtime_dir);
  expect_no_trace(std::nullopt);
  expect_no_trace(kNobody);
  fs::permissions(broker_->address().data_dir, fs::perms(0755));
  fs::permissions(broker_->address().runtime_dir, fs::perms(0755));
  fs::permissions(broker_->journal(), fs::perms(0700));
}

TEST_F(Looking, DoesNotKeepABrokerFromStartingNorIsKeptByOne) {
  start();
  publish_some(10);
  const std::string output = (broker_->scratch() / "said").string();
  ChildProcess dry({.arguments = {leat().string(), "repair", "--dry-run", "--journal", broker_->journal().string()},
                    .environment = {},
                    .output = output,
                    .user = std::nullopt});
  EXPECT_EQ(dry.wait(), 0) << read_file(output);
  expect_line(read_file(output), "pid " + std::to_string(broker_->pid()) + " (user 0) holds it");
  fs::remove(output);
  ChildProcess repair({.arguments = {leat().string(), "repair", "--yes", "--journal", broker_->journal().string()},
                       .environment = {},
                       .output = output,
                       .user = std::nullopt});
  EXPECT_NE(repair.wait(), 0);
  expect_line(read_file(output), "pid " + std::to_string(broker_->pid()) + " (user 0) holds it");
}

TEST_F(Looking, VerifiesInJsonADirectoryWhoseNameIsNotUtf8) {
  start();
  publish_some(1);
  ASSERT_EQ(broker_->terminate(), 0);
  const fs::path odd = broker_->scratch() / "l\xe9on";
  fs::copy(broker_->journal(), odd);
  const std::string output = (broker_->scratch() / "said").string();
  ChildProcess verify({.arguments = {leat().string(), "verify", "--format", "json", "--journal", odd.string()},
                       .environment = {},
                       .output = output,
                       .user = std::nullopt});
  EXPECT_EQ(verify.wait(), 0) << read_file(output);
  const auto report = nlohmann::json::parse(read_file(output));
  EXPECT_TRUE(report["intact"]);
  EXPECT_TRUE(report.contains("directory_base64"));
}

}  // namespace
}  // namespace leat::test
