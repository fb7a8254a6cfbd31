#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "broker/host/option_list.h"

namespace leat::broker {
namespace {

class TomlConfig : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(directory_); }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  ParsedOptions run(const std::string& text, const std::vector<std::string>& more = {}) {
    std::ofstream(path(), std::ios::binary) << text;
    return run_with(path(), more);
  }
  static ParsedOptions run_with(const std::string& path, const std::vector<std::string>& more = {}) {
    std::vector<const char*> argv = {"leatd", "--config", path.c_str()};
    for (const std::string& word : more) argv.push_back(word.c_str());
    return parse_options(static_cast<int>(argv.size()), argv.data());
  }
  [[nodiscard]] std::string path() const { return directory_ + "/leatd.toml"; }
  /// The message without "leatd: <path>" and "; see leatd --help".
  std::string complaint(const std::string& text) {
    const ParsedOptions parsed = run(text);
    if (!parsed.exit_now) return "taken";
    const std::string head = "leatd: " + path();
    EXPECT_EQ(parsed.status, 2);
    EXPECT_EQ(parsed.text.find('\n'), std::string::npos) << parsed.text;
    if (!parsed.text.starts_with(head)) return parsed.text;
    return parsed.text.substr(head.size(), parsed.text.size() - head.size() - std::string("; see leatd --help").size());
  }

  const std::string directory_ = ::testing::TempDir() + "/leat-toml-" + std::to_string(::getpid());
};

TEST_F(TomlConfig, TakesEveryKindOfValue) {
  const auto parsed =
      run("feed = \"orders\"\nring-bytes = \"64M\"\nretain-seconds = \"7d\"\nmax-producers = 16\nstandby = true\n"
          "sync = \"always\"\nallow-subscribe = [\"any\", \"uid:7\"]\nretain-bytes = \"unlimited\"\n");
  ASSERT_FALSE(parsed.exit_now) << parsed.text;
  EXPECT_EQ(parsed.options.feed, "orders");
  EXPECT_EQ(parsed.options.ring_bytes, 64U << 20);
  EXPECT_EQ(parsed.options.retain_seconds, 7U * 86'400);
  EXPECT_EQ(parsed.options.max_producers, 16U);
  EXPECT_TRUE(parsed.options.standby);
  EXPECT_EQ(parsed.options.sync, SyncPolicy::always);
  EXPECT_EQ(parsed.options.allow_subscribe, (std::vector<std::string>{"any", "uid:7"}));
  EXPECT_EQ(parsed.options.retain_bytes, 0U);
}

TEST_F(TomlConfig, TheCommandLineWins) {
  const auto parsed = run("feed = \"a\"\nring-bytes = \"64M\"\nallow-publish = [\"any\"]\n",
                          {"--feed", "b", "--ring-bytes=32M", "--allow-publish", "uid:1"});
  ASSERT_FALSE(parsed.exit_now) << parsed.text;
  EXPECT_EQ(parsed.options.feed, "b");
  EXPECT_EQ(parsed.options.ring_bytes, 32U << 20);
  EXPECT_EQ(parsed.options.allow_publish, std::vector<std::string>{"uid:1"});
}

TEST_F(TomlConfig, AByteOrderMarkAndTheLineEndsOfOtherSystemsAreNoFault) {
  const auto parsed =
      run("\xef\xbb\xbf"
          "feed = \"a\"\r\nmax-producers = 7\r\n");
  ASSERT_FALSE(parsed.exit_now) << parsed.text;
  EXPECT_EQ(parsed.options.max_producers, 7U);
}

TEST_F(TomlConfig, ErrorsNameFileLineColumnAndKey) {
  EXPECT_EQ(complaint("feed = \"a\"\nring-bytse = 1\n"),
            ", line 2, column 1: 'ring-bytse' is no option of leatd that may stand here (did you mean ring-bytes?)");
  EXPECT_EQ(complaint("feed = \"a\"\n  ring_bytes = 1\n"),
            ", line 2, column 3: 'ring_bytes' is no option of leatd that may stand here (did you mean ring-bytes?)");
  EXPECT_EQ(complaint("config = \"x\"\n"), ", line 1, column 1: 'config' is no option of leatd that may stand here");
  EXPECT_TRUE(complaint("feed = \"a\"\nfeed = \"b\"\n").starts_with(", line 2, column "))
      << complaint("feed = \"a\"\nfeed = \"b\"\n");
  EXPECT_TRUE(complaint("feed = \n").starts_with(", line 1, column ")) << complaint("feed = \n");
  EXPECT_TRUE(
      complaint("[journal]\nsync = \"always\"\n").find("'journal' is a table; all keys stand at the top level") !=
      std::string::npos);
  EXPECT_TRUE(complaint("journal.sync = \"always\"\n").find("'journal' is a table") != std::string::npos);
  EXPECT_TRUE(complaint("feed = \"a\"\nsegment-bytes = \"1.0001K\"\n")
                  .starts_with(", line 2, column 1: --segment-bytes: '1.0001K' is not a whole number of bytes"));
  EXPECT_EQ(complaint("feed = \"a\"\nstandby = \"yes\"\n"), ", line 2, column 1: 'standby' must be true or false");
  EXPECT_EQ(complaint("feed = 5\n"), ", line 1, column 1: 'feed' must be a string");
  EXPECT_EQ(complaint("max-producers = true\n"),
            ", line 1, column 1: 'max-producers' must be a whole number, or a string");
  EXPECT_EQ(complaint("max-producers = 1.0\n"),
            ", line 1, column 1: 'max-producers' is a number with a point, a date or a time; write a string, a whole "
            "number, true or false");
  EXPECT_EQ(complaint("max-producers = []\n"), ", line 1, column 1: 'max-producers' takes one value, no array");
  EXPECT_EQ(complaint("allow-publish = [1]\n"),
            ", line 1, column 1: 'allow-publish' holds something that is no string");
  EXPECT_TRUE(complaint("sync = \"sometimes\"\n")
                  .starts_with(", line 1, column 1: --sync: 'sometimes' is none of none|interval|always"));
  EXPECT_TRUE(complaint("feed = \"\xff\"\n").find("not TOML") != std::string::npos);
  for (const char* text :
       {"feed = \"a\"\nring-bytes = \"\"", "\"\" = 1", "a = \"\\u0000\"", "= 1", "]", "feed", "feed \"a\""}) {
    EXPECT_NE(complaint(text), "taken") << text;
    EXPECT_EQ(complaint(text).find("INI"), std::string::npos) << complaint(text);
  }
}

TEST_F(TomlConfig, SaysWhetherTheFileIsMissingUnreadableOrADirectory) {
  EXPECT_NE(run_with(directory_ + "/absent").text.find("absent: No such file or directory"), std::string::npos);
  EXPECT_NE(run_with(directory_).text.find("Is a directory"), std::string::npos);
  EXPECT_NE(run_with("").text.find("No such file"), std::string::npos);
  const std::string odd = directory_ + "/l\xe9on\x1b.toml";
  EXPECT_NE(run_with(odd).text.find("l\\xe9on\\x1b.toml"), std::string::npos) << run_with(odd).text;
  const std::string pipe = directory_ + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FALSE(run_with(pipe, {"--feed", "a"}).exit_now)
      << "nobody writes there: it is empty, and nobody is waited for";
  std::ofstream(path()) << std::string(2 << 20, '#');
  EXPECT_NE(run_with(path()).text.find("over 1 MiB"), std::string::npos);
  if (::geteuid() != 0) {
    std::ofstream(path()) << "feed = \"a\"\n";
    ::chmod(path().c_str(), 0);
    EXPECT_NE(run_with(path()).text.find("Permission denied"), std::string::npos);
  }
}

TEST_F(TomlConfig, AnUnknownOptionOfTheCommandLineIsNamedWithTheOneThatWasMeant) {
  const auto parsed = run("feed = \"a\"\n", {"--ringbytes", "64M"});
  EXPECT_EQ(parsed.status, 2);
  EXPECT_NE(parsed.text.find("--ringbytes"), std::string::npos) << parsed.text;
  EXPECT_NE(parsed.text.find("did you mean --ring-bytes?"), std::string::npos) << parsed.text;
}

std::string complaint_about(const Options& options) {
  const auto checked = check_options(options);
  return checked ? "" : checked.error().message;
}

TEST(EventBound, TheRefusalNamesTheBoundThatBindsAndWhatRaisesIt) {
  Options options;
  options.max_event_bytes = 8 << 20;
  EXPECT_EQ(
      complaint_about(options),
      "--max-event-bytes 8388608 does not fit: --ring-bytes 16777216 carries events of up to 4194304 bytes; raise it "
      "to "
      "33554432, or lower --max-event-bytes");
  options.ring_bytes = 32 << 20;
  EXPECT_EQ(complaint_about(options), "");
  options.segment_bytes = 4 << 20;
  EXPECT_TRUE(complaint_about(options).starts_with(
      "--max-event-bytes 8388608 does not fit: --segment-bytes 4194304 carries events of up to "))
      << complaint_about(options);
  options.segment_bytes = 64 << 20;
  options.max_arena_bytes = 16 << 20;
  EXPECT_EQ(
      complaint_about(options),
      "--max-event-bytes 8388608 does not fit: the largest arena, --max-arena-bytes 16777216, carries events of up "
      "to 8388544 "
      "bytes; raise it to 33554432, or lower --max-event-bytes");
  options.max_arena_bytes = 32 << 20;
  EXPECT_EQ(complaint_about(options), "");
}

TEST(EventBound, AnEventThatAnOrdinaryProducersArenaCannotCarryIsToldAtTheStart) {
  Options options;
  EXPECT_TRUE(remarks(options).empty());
  options.max_event_bytes = 2 << 20;
  ASSERT_EQ(remarks(options).size(), 1U);
  EXPECT_NE(remarks(options)[0].find("raise --arena-bytes to 8388608"), std::string::npos) << remarks(options)[0];
  options.arena_bytes = 8 << 20;
  EXPECT_TRUE(remarks(options).empty());
}

}  // namespace
}  // namespace leat::broker
