// The fixture of tests with a second user: needs root, to become `nobody`.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/broker_test.h"

namespace leat::test {

class OtherUserTest : public BrokerTest {
 protected:
  static constexpr uid_t kNobody = 65534;

  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
    BrokerTest::SetUp();
    // Everything on the way is open, so that what stays closed is closed by leatd.
    namespace fs = std::filesystem;
    for (const fs::path& path : {broker_->scratch(), fs::path(broker_->address().runtime_dir).parent_path()}) {
      fs::permissions(path,
                      fs::perms::others_exec | fs::perms::others_read | fs::perms::others_write | fs::perms::group_all,
                      fs::perm_options::add);
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

  /// What the helper printed. It must end with 0.
  std::string run_as_nobody(const std::string& helper, const std::vector<std::string>& extra) {
    std::vector<std::string> words = {program().string(),
                                      "--helper",
                                      helper,
                                      "feed=" + broker_->address().feed,
                                      "runtime=" + broker_->address().runtime_dir,
                                      "data=" + broker_->address().data_dir,
                                      "page=" + page_->path().string(),
                                      "broker=" + std::to_string(broker_->pid())};
    words.insert(words.end(), extra.begin(), extra.end());
    const std::string log = (broker_->scratch() / (helper + ".log")).string();
    ChildProcess outsider({.arguments = words, .environment = {}, .output = log, .user = kNobody});
    EXPECT_EQ(outsider.wait(), 0) << read_file(log);
    return read_file(log);
  }
  static void expect_line(const std::string& text, const std::string& line) {
    EXPECT_NE(text.find(line), std::string::npos) << "no '" << line << "' in:\n" << text;
  }
  void publish_some(std::uint64_t count) {
    Producer producer = connect_producer();
    for (std::uint64_t i = 0; i + 1 < count; ++i) ASSERT_TRUE(producer.publish({.topic = "t", .payload = "x"}).ok());
    ASSERT_TRUE(producer.publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
  }
};

}  // namespace leat::test
