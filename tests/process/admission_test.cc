// Who is let in, and what the others can reach.
#include <unistd.h>

#include <filesystem>
#include <string>

#include "process/load.h"

namespace leat::test {
namespace {

constexpr uid_t kNobody = 65534;

class AdmissionOfOtherUsers : public BrokerTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
    BrokerTest::SetUp();
    // Everything on the way is open, so that what stays closed is closed by leatd.
    namespace fs = std::filesystem;
    for (const fs::path& path : {broker_->scratch(), fs::path(broker_->address().runtime_dir).parent_path()}) {
      fs::permissions(path, fs::perms::others_exec | fs::perms::others_read | fs::perms::others_write |
                                fs::perms::group_all, fs::perm_options::add);
    }
    fs::permissions(page_->path(), fs::perms::all, fs::perm_options::add);
    // The helper must be able to run: the build directory may be closed to others.
    fs::copy_file(own_executable(), program());
    fs::permissions(program(), fs::perms::others_exec | fs::perms::others_read, fs::perm_options::add);
  }
  void TearDown() override {
    if (broker_ != nullptr) BrokerTest::TearDown();
  }
  std::filesystem::path program() const { return broker_->scratch() / "helper"; }

  std::string run_as_nobody(std::uint64_t events) {
    ChildProcess outsider({.arguments = {program().string(), "--helper", "outsider", "feed=" + broker_->address().feed,
                                         "runtime=" + broker_->address().runtime_dir,
                                         "data=" + broker_->address().data_dir, "page=" + page_->path().string(),
                                         "events=" + std::to_string(events)},
                           .environment = {},
                           .output = (broker_->scratch() / "outsider.log").string(),
                           .user = kNobody});
    EXPECT_EQ(outsider.wait(), 0);
    return read_file(broker_->scratch() / "outsider.log");
  }
  static void expect_line(const std::string& text, const std::string& line) {
    EXPECT_NE(text.find(line), std::string::npos) << "no '" << line << "' in:\n" << text;
  }
  static void expect_rings_are_closed(const std::string& said) {
    for (const char* what : {"rings", "inbound", "broadcast", "registry"}) {
      expect_line(said, std::string(what) + ": closed to us");
    }
  }
  void publish_some(std::uint64_t count) {
    Producer producer = connect_producer();
    for (std::uint64_t i = 0; i + 1 < count; ++i) ASSERT_TRUE(producer.publish({.topic = "t", .payload = "x"}).ok());
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  }
};

TEST_F(AdmissionOfOtherUsers, ByDefaultNobodyElseGetsInOrReachesAnyFile) {
  start();
  publish_some(3);
  const std::string said = run_as_nobody(0);
  for (const char* what : {"publish", "subscribe", "observe"}) {
    expect_line(said, std::string(what) + ": permission_denied: no right to reach feed 'test'");
  }
  expect_rings_are_closed(said);
  expect_line(said, "identity: closed to us");
}

TEST_F(AdmissionOfOtherUsers, WhoMaySubscribeGetsAllOfTheJournalAndMayNotPublish) {
  broker_->set("--allow-subscribe", "uid:65534");
  broker_->set("--ring-bytes", "16K");
  broker_->set("--segment-bytes", "32K");
  broker_->set("--max-event-bytes", "2K");
  start();
  publish_some(3000);  // far more than the ring holds: most must come from the journal's files
  const std::string said = run_as_nobody(3000);
  expect_line(said, "subscribe: ok");
  expect_line(said, "observe: ok");
  expect_line(said, "publish: permission_denied: user 65534 may not publish to this feed");
  expect_line(said, "--allow-publish uid:65534");
  expect_line(said, "consumed: 3000");
  expect_rings_are_closed(said);
}

TEST_F(AdmissionOfOtherUsers, WhoMayPublishMayNotSubscribe) {
  broker_->set("--allow-publish", "gid:65534");
  start();
  publish_some(1);
  const std::string said = run_as_nobody(0);
  expect_line(said, "publish: ok");
  expect_line(said, "subscribe: permission_denied: user 65534 may not subscribe to this feed");
  expect_rings_are_closed(said);
}

}  // namespace
}  // namespace leat::test
