// A process without rights gets no file, no socket, no descriptor (I14): with a real second user. And modes of all that
// leatd makes, whatever the umask it was started with.
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <string>

#include "process/other_user.h"

namespace leat::test {
namespace {

namespace fs = std::filesystem;

class Intruder : public OtherUserTest {};

TEST_F(Intruder, OfAnotherUserGetsInNowhere) {
  start();
  publish_some(10);
  expect_line(run_as_nobody("intruder", {"consumes=0"}), ", 0 possible");
}

// The directories are open for passing through then, and the socket for connecting: nothing else is.
TEST_F(Intruder, WhoMaySubscribeCanWriteNothing) {
  broker_->set("--allow-subscribe", "uid:65534");
  start();
  publish_some(10);
  expect_line(run_as_nobody("intruder", {"consumes=1"}), ", 0 possible");
  Producer producer = connect_producer();
  EXPECT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
}

class Modes : public BrokerTest, public testing::WithParamInterface<mode_t> {
 protected:
  void SetUp() override {
    BrokerTest::SetUp();
    old_mask_ = ::umask(0022);
  }
  void TearDown() override {
    ::umask(old_mask_);
    BrokerTest::TearDown();
  }
  void start_under_mask() {
    const mode_t before = ::umask(GetParam());
    start();
    ::umask(before);
  }
  static std::map<std::string, std::string> modes_below(const fs::path& root) {
    std::map<std::string, std::string> modes;
    const auto note = [&](const fs::path& path) {
      struct stat status {};
      if (::lstat(path.c_str(), &status) != 0) return;
      char text[8];
      std::snprintf(text, sizeof text, "%04o", status.st_mode & 07777);
      modes[fs::relative(path, root).string()] = text;
    };
    note(root);
    for (const auto& entry : fs::recursive_directory_iterator(root)) note(entry.path());
    return modes;
  }
  void work() {
    Producer producer = connect_producer();
    auto consumer =
        Consumer::connect({.address = broker_->address(), .start = Start::earliest(), .cursor_name = "named"});
    ASSERT_TRUE(consumer.ok()) << consumer.error().message;
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
    ASSERT_TRUE(consumer->save_cursor().ok());
    check();
  }
  virtual void check() {
    const bool others = !allowed_.empty();
    for (const auto& [name, mode] : modes_below(broker_->runtime())) {
      const char* expected = name == "." ? (others ? "0711" : "0700") : name == "shm" ? "0700" : "0600";
      if (name == "control.sock") expected = others ? "0666" : "0600";
      EXPECT_EQ(mode, expected) << name;
    }
    for (const auto& [name, mode] : modes_below(broker_->journal()))
      EXPECT_EQ(mode, name == "." ? "0700" : "0600") << name;
    // The way there: nobody else may write on it.
    for (const fs::path& path : {fs::path(broker_->address().runtime_dir), fs::path(broker_->address().data_dir)}) {
      struct stat status {};
      ASSERT_EQ(::stat(path.c_str(), &status), 0);
      EXPECT_EQ(status.st_mode & 0022, 0U) << path;
    }
    struct stat log {};
    if (::stat(log_file().c_str(), &log) != 0) return;
    EXPECT_EQ(log.st_mode & 07777, 0600U);
  }
  fs::path log_file() const { return broker_->scratch() / "own.log"; }

  std::string allowed_;

 private:
  mode_t old_mask_ = 0;
};

TEST_P(Modes, OfAllThatLeatdMakesAreTight) {
  broker_->set("--log-file", log_file().string());
  start_under_mask();
  work();
}

TEST_P(Modes, OfAllThatLeatdMakesWhenOthersMayComeIn) {
  allowed_ = "any";
  broker_->set("--allow-subscribe", allowed_);
  start_under_mask();
  work();
}

INSTANTIATE_TEST_SUITE_P(Umask, Modes, testing::Values(0, 022, 077, 0777));

}  // namespace
}  // namespace leat::test
