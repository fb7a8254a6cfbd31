// Whose the files of a journal are, and where a path may lead: symbolic links at every name that leatd or leat repair
// ever makes, a journal of another user, links in place of directories.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/environment.h"
#include "support/broker_test.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kNobody = 65534;

class JournalOwner : public BrokerTest {
 protected:
  void SetUp() override {
    BrokerTest::SetUp();
    broker_->set("--segment-bytes", "64K");
    broker_->set("--max-event-bytes", "2K");
  }
  int leat(std::vector<std::string> words, std::string& text) {
    const std::string output = (broker_->scratch() / "said").string();
    fs::remove(output);
    words.insert(words.begin(), LEAT_TEST_LEAT);
    words.insert(words.end(), {"--journal", broker_->journal().string()});
    ChildProcess child({.arguments = std::move(words), .environment = {}, .output = output, .user = std::nullopt});
    const int status = child.wait();
    text = read_file(output);
    return status;
  }
  void publish(int count) {
    Producer producer = connect_producer();
    for (int i = 1; i < count; ++i) {
      ASSERT_TRUE(producer.publish({.topic = "t", .payload = std::string(500, 'x')}).ok());
    }
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  }
  void damage_a_record() {
    const auto segments = broker_->segments();
    std::fstream file(segments[0], std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(30'000) << "damaged";
  }
};

TEST_F(JournalOwner, ALinkAtAnyNameThatIsEverMadeIsNeverFollowed) {
  const fs::path victim = broker_->scratch() / "victim";
  const std::string precious(5000, 'p');
  start();
  publish(200);
  {
    auto consumer = Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .cursor_name = "c"});
    ASSERT_TRUE(consumer.ok());
  }
  ASSERT_EQ(broker_->terminate(), 0);
  const fs::path kept = broker_->scratch() / "kept";
  fs::copy(broker_->journal(), kept, fs::copy_options::recursive);
  const fs::path shm = broker_->runtime() / "shm";
  std::vector<fs::path> places;
  for (const char* name : {"feed", "feed.new", "cursors", "cursors.new", "lock", "prepared-1.tmp", "prepared-2.tmp",
                           "prepared-probe-0.tmp", "prepared-repair.tmp"}) {
    places.push_back(broker_->journal() / name);
  }
  for (const char* name : {"inbound", "registry", "broadcast", "doorbell", "status", "arena-0-1"}) {
    places.push_back(shm / name);
    places.push_back(shm / (std::string(name) + ".new"));
  }
  places.push_back(shm / "lock");
  places.push_back(broker_->runtime() / "control.sock");
  for (const char* text : {"[critical]", "[error]"}) broker_->expect_log(text);
  for (const fs::path& place : places) {
    SCOPED_TRACE(place);
    fs::remove_all(broker_->journal());
    fs::copy(kept, broker_->journal(), fs::copy_options::recursive);
    fs::permissions(broker_->journal(), fs::perms(0700));
    fs::create_directories(place.parent_path());
    std::ofstream(victim, std::ios::binary) << precious;
    fs::remove(place);
    fs::create_symlink(victim, place);
    std::string said;
    damage_a_record();
    (void)leat({"repair", "--yes"}, said);
    EXPECT_EQ(read_file(victim.string()), precious) << "leat repair: " << said;
    if (!fs::is_symlink(fs::symlink_status(place))) {
      fs::remove_all(place);
      fs::create_symlink(victim, place);
    }
    auto started = broker_->start();
    if (started.ok()) {
      publish(2);
      EXPECT_EQ(broker_->terminate(), 0);
    }
    EXPECT_EQ(read_file(victim.string()), precious) << "leatd";
    fs::remove(place);
  }
}

TEST_F(JournalOwner, RootsRepairLeavesTheJournalToItsOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give a journal to another user";
  start();
  publish(200);
  {
    auto consumer = Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .cursor_name = "c"});
    ASSERT_TRUE(consumer.ok());
    ASSERT_TRUE(consumer->save_cursor().ok());
  }
  ASSERT_EQ(broker_->terminate(), 0);
  fs::remove(broker_->journal() / "lock");
  damage_a_record();
  std::ofstream(broker_->journal() / "cursors", std::ios::binary) << "damaged as well";
  ASSERT_EQ(::chown(broker_->journal().c_str(), kNobody, kNobody), 0);
  for (const auto& entry : fs::directory_iterator(broker_->journal())) {
    ASSERT_EQ(::chown(entry.path().c_str(), kNobody, kNobody), 0);
  }
  std::string said;
  ASSERT_EQ(leat({"repair", "--yes"}, said), 0) << said;
  int files = 0;
  for (const auto& entry : fs::directory_iterator(broker_->journal())) {
    struct stat status {};
    ASSERT_EQ(::lstat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, kNobody) << entry.path();
    EXPECT_EQ(status.st_gid, kNobody) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 6) << "segments, feed, cursors, lock, and what was kept";
  // Its broker is not for root to run, nor another's.
  broker_->expect_log("belongs to user 65534");
  EXPECT_EQ(broker_->run_to_exit(), 1);
  wait_for_log("belongs to user 65534, and leatd runs as user 0");
}

TEST_F(JournalOwner, TakesALinkToADirectoryOfItsOwnAndSaysWhatADanglingOneIs) {
  const fs::path elsewhere = broker_->scratch() / "elsewhere";
  fs::create_directories(broker_->journal().parent_path());
  fs::create_directory_symlink(elsewhere, broker_->journal());
  broker_->expect_log("is a symbolic link to");
  EXPECT_EQ(broker_->run_to_exit(), 2);
  wait_for_log("which is not there");
  EXPECT_EQ(broker_->log().find("is not a directory"), std::string::npos) << "that would not be so";
  fs::create_directories(elsewhere);
  const fs::path runtime = broker_->scratch() / "real-runtime";
  fs::create_directories(runtime);
  fs::remove_all(broker_->address().runtime_dir);  // a refused start may have made it
  fs::create_directory_symlink(runtime, broker_->address().runtime_dir);
  start();
  publish(3);
  EXPECT_TRUE(fs::exists(elsewhere / "feed"));
  EXPECT_TRUE(fs::exists(runtime / "test" / "shm"));
  broker_->kill9();
  start();
  publish(1);
  EXPECT_EQ(status().latest_sequence, 4U);
}

TEST_F(JournalOwner, DoesNotFollowALinkThatAnotherUserMade) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to make a link of another user's";
  const fs::path elsewhere = broker_->scratch() / "elsewhere";
  fs::create_directories(elsewhere);
  fs::create_directories(broker_->journal().parent_path());
  fs::create_directory_symlink(elsewhere, broker_->journal());
  ASSERT_EQ(::lchown(broker_->journal().c_str(), kNobody, kNobody), 0);
  broker_->expect_log("is a symbolic link that user 65534 has made");
  EXPECT_EQ(broker_->run_to_exit(), 1);
  EXPECT_TRUE(fs::is_empty(elsewhere));
}

}  // namespace
}  // namespace leat::test
