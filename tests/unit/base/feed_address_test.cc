#include <leat/feed_paths.h>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "tests/unit/fixtures/temp_directory.h"

namespace leat {
namespace {

namespace fs = std::filesystem;

class FeedAddressOf : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"XDG_RUNTIME_DIR", "LEAT_RUNTIME_DIR", "LEAT_DATA_DIR", "HOME"}) {
      const char* const value = std::getenv(name);
      saved_.emplace_back(name, value != nullptr ? std::optional<std::string>(value) : std::nullopt);
    }
    ::unsetenv("LEAT_RUNTIME_DIR");
    ::unsetenv("LEAT_DATA_DIR");
    ::setenv("HOME", "/home/somebody", 1);
    ::setenv("XDG_RUNTIME_DIR", session().c_str(), 1);
    fs::create_directory(session());
  }
  void TearDown() override {
    for (const auto& [name, value] : saved_) {
      if (value) ::setenv(name.c_str(), value->c_str(), 1);
      else ::unsetenv(name.c_str());
    }
    std::error_code ignored;
    fs::remove_all(shared(), ignored);
  }
  fs::path session() const { return directory_.path() / "session"; }
  // A feed's name of this process alone: the shared place is everybody's.
  static std::string feed() { return "address-test-" + std::to_string(::getpid()); }
  static fs::path shared() { return "/dev/shm/leat-" + std::to_string(::geteuid()) + "/" + feed(); }
  static fs::path runtime(const FeedAddress& address = {.feed = feed()}, bool for_others = false) {
    auto paths = resolve_feed(address, for_others);
    return paths ? paths->runtime : fs::path(paths.error().message);
  }

  test::TempDirectory directory_;

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> saved_;
};

TEST_F(FeedAddressOf, TheSessionsDirectoryComesBeforeTheSharedOneIfItIsOurs) {
  EXPECT_EQ(runtime(), session() / "leat" / feed());
  ::unsetenv("XDG_RUNTIME_DIR");
  EXPECT_EQ(runtime(), shared());
  for (const char* none : {"", "relative/place", "/no/such/place"}) {
    ::setenv("XDG_RUNTIME_DIR", none, 1);
    EXPECT_EQ(runtime(), shared()) << none;
  }
}

TEST_F(FeedAddressOf, WhatIsNamedComesBeforeBoth) {
  EXPECT_EQ(runtime({.feed = feed(), .runtime_dir = "/run/elsewhere"}), "/run/elsewhere/" + feed());
  ::setenv("LEAT_RUNTIME_DIR", "/run/variable", 1);
  EXPECT_EQ(runtime(), "/run/variable/" + feed());
  EXPECT_TRUE(resolve_feed({.feed = feed()})->runtime_was_named);
  ::unsetenv("LEAT_RUNTIME_DIR");
  EXPECT_FALSE(resolve_feed({.feed = feed()})->runtime_was_named);
}

TEST_F(FeedAddressOf, AnEmptyVariableIsNotSet) {
  ::setenv("LEAT_RUNTIME_DIR", "", 1);
  ::setenv("LEAT_DATA_DIR", "", 1);
  const auto paths = resolve_feed({.feed = feed()});
  ASSERT_TRUE(paths) << paths.error().message;
  EXPECT_EQ(paths->runtime, session() / "leat" / feed());
  EXPECT_FALSE(paths->runtime_was_named);
  EXPECT_EQ(paths->journal, (::geteuid() == 0 ? "/var/lib/leat/" : "/home/somebody/.local/share/leat/") + feed());
  ::setenv("XDG_RUNTIME_DIR", "", 1);
  EXPECT_EQ(runtime(), shared());
  if (::geteuid() == 0) return;
  ::setenv("HOME", "", 1);
  EXPECT_NE(resolve_feed({.feed = feed()}).error().message.find("set HOME, LEAT_DATA_DIR"), std::string::npos);
}

TEST_F(FeedAddressOf, ARelativePathInAVariableIsRefusedByNameValueAndRemedy) {
  std::vector<std::pair<std::string, std::string>> variables = {{"LEAT_RUNTIME_DIR", "--runtime-dir"},
                                                                {"LEAT_DATA_DIR", "--data-dir"}};
  if (::geteuid() != 0) variables.emplace_back("HOME", "--data-dir");
  for (const auto& [name, option] : variables) {
    const std::string before = name == "HOME" ? "/home/somebody" : "";
    for (const char* relative : {"here", "./here", "../there", "."}) {
      ::setenv(name.c_str(), relative, 1);
      const auto refused = resolve_feed({.feed = feed()});
      ASSERT_FALSE(refused) << name << " " << relative;
      EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
      for (const std::string& part : {name + " is '" + relative + "'", std::string("absolute path"), option}) {
        EXPECT_NE(refused.error().message.find(part), std::string::npos) << refused.error().message;
      }
    }
    // What is given in the call is not asked of the variable, and may be relative.
    EXPECT_TRUE(resolve_feed({.feed = feed(), .runtime_dir = "here", .data_dir = "here"})) << name;
    ::setenv(name.c_str(), before.c_str(), 1);
  }
}

// As under sudo, which keeps the variable of whoever became root.
TEST_F(FeedAddressOf, ASessionOfAnotherUserIsNoneOfOurs) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give a directory away";
  ASSERT_EQ(::chown(session().c_str(), 65534, 65534), 0);
  EXPECT_EQ(runtime(), shared());
}

TEST_F(FeedAddressOf, AFeedIsFoundWhereItIsServedWithAndWithoutASession) {
  fs::create_directories(shared() / "shm");
  EXPECT_EQ(runtime(), shared()) << "its rings are there, with what was accepted";
  std::ofstream(shared() / "control.sock");
  fs::create_directories(session() / "leat" / feed() / "shm");
  EXPECT_EQ(runtime(), shared()) << "one that is served wins over one that was";
  std::ofstream(session() / "leat" / feed() / "control.sock");
  EXPECT_EQ(runtime(), session() / "leat" / feed());
}

TEST_F(FeedAddressOf, ABrokerForOthersDoesNotBeginWhereTheyCannotGo) {
  EXPECT_EQ(runtime({.feed = feed()}, true), shared());
}

}  // namespace
}  // namespace leat
