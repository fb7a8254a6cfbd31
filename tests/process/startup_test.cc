// Starts that must fail, each with its exit status and one clear line.
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "support/broker_test.h"

namespace leat::test {
namespace {

class Startup : public BrokerTest {
 protected:
  // A second broker, started by hand with the first one's command and something changed.
  int run_other(std::vector<std::string> command, std::string& said) {
    const std::string output = (broker_->scratch() / "other.log").string();
    std::filesystem::remove(output);
    ChildProcess other({.arguments = std::move(command), .environment = {}, .output = output, .user = std::nullopt});
    const int status = other.wait();
    said = read_file(output);
    return status;
  }
};

TEST_F(Startup, ASecondBrokerOnTheSameFeedExitsWithThreeAndLeavesTheFirstAlone) {
  start();
  std::string said;
  EXPECT_EQ(run_other(broker_->command(), said), 3);
  EXPECT_NE(said.find("another broker serves feed 'test'"), std::string::npos) << said;
  // The same journal under another runtime directory is the same feed.
  auto command = broker_->command();
  *(std::ranges::find(command, "--runtime-dir") + 1) = (broker_->scratch() / "run2").string();
  EXPECT_EQ(run_other(command, said), 3);
  EXPECT_NE(said.find("another broker"), std::string::npos) << said;
  // And the same runtime directory with another journal would take the rings away.
  command = broker_->command();
  *(std::ranges::find(command, "--data-dir") + 1) = (broker_->scratch() / "data2").string();
  EXPECT_EQ(run_other(command, said), 3);
  EXPECT_NE(said.find("another broker"), std::string::npos) << said;
  EXPECT_TRUE(connect_producer().publish_and_wait({.topic = "t"}, Ack::durable, kPatience).ok());
}

TEST_F(Startup, ABadOptionExitsWithTwoAndOneLineThatNamesIt) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"--ring-bytes", "12345"}, "--ring-bytes"},
      {{"--ring-bytes", "lots"}, "--ring-bytes"},
      {{"--no-such-option"}, "--no-such-option"},
      {{"--sync", "sometimes"}, "--sync"},
      {{"--max-event-bytes", "128M"}, "--max-event-bytes"},
      {{"--inbound-slots", "100"}, "--inbound-slots"},
      {{"--allow-publish", "everybody"}, "--allow-publish everybody"},
      {{"--segment-bytes", "1"}, "--segment-bytes"},
      {{"--config", "/no/such/file"}, "/no/such/file"},
      {{"--log-level", "loud"}, "--log-level"},
  };
  for (const auto& [words, named] : cases) {
    std::vector<std::string> command =
        {broker_->command()[0],      "--feed", "test", "--runtime-dir", broker_->address().runtime_dir, "--data-dir",
         broker_->address().data_dir};
    command.insert(command.end(), words.begin(), words.end());
    std::string said;
    EXPECT_EQ(run_other(command, said), 2) << words[0] << ": " << said;
    EXPECT_NE(said.find(named), std::string::npos) << said;
    EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
  }
  std::string said;
  EXPECT_EQ(run_other({broker_->command()[0]}, said), 2);
  EXPECT_NE(said.find("--feed"), std::string::npos) << said;
}

TEST_F(Startup, ABadTomlFileExitsWithTwoAndNamesThePlace) {
  const auto config = broker_->scratch() / "leatd.toml";
  std::string said;
  const auto run_with = [&](const std::string& text) {
    std::ofstream(config) << text;
    auto command = broker_->command();
    command.insert(command.end(), {"--config", config.string()});
    return run_other(command, said);
  };
  EXPECT_EQ(run_with("sync = \"always\"\nnonsense-key = 1\n"), 2);
  EXPECT_NE(said.find("nonsense-key"), std::string::npos) << said;
  EXPECT_EQ(run_with("sync = \n"), 2);
  EXPECT_NE(said.find("line 1"), std::string::npos) << said;
  EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
}

TEST_F(Startup, TooLittleSharedMemoryExitsWithOneAndNamesTheSum) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small tmpfs";
  const auto small = broker_->scratch() / "small";
  std::filesystem::create_directory(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=1m") != 0) GTEST_SKIP() << "cannot mount here";
  broker_->set_runtime_dir(small / "run");
  broker_->set("--ring-bytes", "4M");
  broker_->expect_log("not enough shared memory");
  EXPECT_EQ(broker_->run_to_exit(), 1);
  const std::string said = broker_->log();
  EXPECT_NE(said.find("not enough shared memory"), std::string::npos) << said;
  EXPECT_NE(said.find("the rings and one arena need "), std::string::npos) << said;
  EXPECT_NE(said.find("--ring-bytes (now 4194304)"), std::string::npos) << said;
  EXPECT_NE(said.find("--shm-size"), std::string::npos) << said;
  EXPECT_EQ(::umount2(small.c_str(), MNT_DETACH), 0);
}

TEST_F(Startup, ADirectoryOfSomebodyElseIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give a directory away";
  std::filesystem::create_directories(broker_->runtime());
  ASSERT_EQ(::chown(broker_->runtime().c_str(), 65534, 65534), 0);
  broker_->expect_log("belongs to user 65534");
  EXPECT_EQ(broker_->run_to_exit(), 1);
  wait_for_log("choose another --runtime-dir");
}

}  // namespace
}  // namespace leat::test
