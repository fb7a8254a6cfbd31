// No admitted user locks the others out or fills their disk; users in many groups; what a refused client is told.
#include <grp.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include <leat/journal.h>

#include "process/other_user.h"

namespace leat::test {
namespace {

class HostShares : public OtherUserTest {};

TEST_F(HostShares, OneUserGetsHisShareAndTheOthersGetIn) {
  broker_->set("--allow-publish", "any");
  broker_->set("--allow-subscribe", "any");
  broker_->set("--max-producers", "8");
  broker_->set("--max-consumers", "12");
  const auto small = broker_->scratch() / "small";
  std::filesystem::create_directory(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=16m") != 0) GTEST_SKIP() << "cannot mount here";
  std::filesystem::permissions(small, std::filesystem::perms::all);
  broker_->set_runtime_dir(small / "run");
  start();
  std::vector<Producer> ours;  // what others have is no part of his share
  for (int i = 0; i < 2; ++i) {
    auto producer = Producer::connect({.address = broker_->address(), .arena_bytes = 4096});
    ASSERT_TRUE(producer.ok()) << producer.error().message;
    ours.push_back(std::move(*producer));
  }
  std::optional<Consumer> consumer = connect_consumer();
  const std::string said = run_as_nobody("greedy", {"large=" + std::to_string(4 << 20)});
  expect_line(said, "producers: 3, then busy: user 65534 (pid ");
  expect_line(said, "has 4 of this feed's 8 producer slots, and the share of one user is 4 (--user-share 50)");
  expect_line(said, "consumers: 6, then busy: user 65534");
  expect_line(said, "has 6 of this feed's 12 consumer slots");
  expect_line(said, "large: 1, then busy: user 65534");
  expect_line(said, "of arenas in the runtime directory's");
  // The broker's own user, root here, is bound by no share.
  while (ours.size() < 7) {  // his slots are free soon
    auto producer = Producer::connect({.address = broker_->address(), .arena_bytes = 4096});
    if (producer) ours.push_back(std::move(*producer));
  }
  expect_line(broker_->log(), "uid 65534 refused: user 65534");
  ours.clear();
  consumer.reset();
  EXPECT_EQ(broker_->terminate(), 0);
  EXPECT_EQ(::umount2(small.c_str(), MNT_DETACH), 0);
}

// Cursors that nobody moves, over a restart of the broker and a hang-up that lowers the share.
TEST_F(HostShares, TheCursorsOfOneUserHoldHisShareOfTheDiskAndTheOthersHoldOn) {
  const auto config = broker_->scratch() / "leatd.toml";
  std::ofstream(config) << "user-share = 50\n";
  broker_->set("--config", config.string());
  broker_->set("--allow-subscribe", "any");
  broker_->set("--segment-bytes", "64K");
  broker_->set("--retain-bytes", "128K");
  broker_->set("--cursor-hold-bytes", "1M");
  start();
  const auto publish_large = [&](int count) {
    Producer producer = connect_producer();
    const std::string payload(4000, 'x');
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(producer.publish_and_wait({.topic = "t", .payload = payload}, Ack::committed, kPatience).ok());
    }
  };
  const auto wait_for = [&](const auto& condition) {
    while (!condition()) {
      ASSERT_TRUE(broker_->running()) << broker_->log();
      std::this_thread::sleep_for(milliseconds(5));
    }
  };
  const auto segments = [&] { return status().segments; };
  // A segment takes 13 or so of these events, and 8 segments are one half of 1M, 16 all of it.
  EXPECT_EQ(run_as_nobody("sleeper", {"cursor=greedy"}), "");
  publish_large(80);
  EXPECT_EQ(status().earliest_sequence, 1U) << "within his share";
  {
    auto ours = Consumer::connect({.address = broker_->address(), .start = Start::latest(), .cursor_name = "ours"});
    ASSERT_TRUE(ours.ok()) << ours.error().message;
  }
  publish_large(120);
  const std::string said =
      "cursor 'greedy' of user 65534 stands at sequence 0 and holds no more than 524288 bytes, the "
      "share of one user (--user-share 50) of --cursor-hold-bytes 1048576: what it has not read";
  wait_for([&] { return broker_->log().find(said) != std::string::npos; });
  wait_for([&] { return segments() > 8; });
  EXPECT_GT(status().earliest_sequence, 1U);
  EXPECT_LE(status().earliest_sequence, 81U) << "ours is held";

  // The other user's cursor, alone, after a restart without him.
  auto ours = Consumer::connect({.address = broker_->address(), .cursor_name = "ours"});
  while (!ours.ok()) ours = Consumer::connect({.address = broker_->address(), .cursor_name = "ours"});
  EXPECT_EQ(take_event(*ours).sequence, 81U);
  ASSERT_TRUE(ours->drop_cursor().ok());
  wait_for([&] { return segments() == 8; });
  while (list_cursors(broker_->journal())->size() != 1) std::this_thread::sleep_for(milliseconds(5));
  ASSERT_EQ(broker_->terminate(), 0);
  start();
  publish_large(60);
  wait_for([&] { return segments() == 8; });

  std::ofstream(config) << "user-share = 25\n";
  ASSERT_EQ(::kill(broker_->pid(), SIGHUP), 0);
  wait_for([&] { return segments() == 4; });
  EXPECT_EQ(run_as_nobody("sleeper", {"cursor=greedy", "look=1"}), "expired, wanted 1\n");
  EXPECT_EQ(broker_->log().find("cursor 'ours' of user"), std::string::npos) << "it was never overtaken";
}

TEST_F(HostShares, NamedCursorsAreSharedAsWell) {
  broker_->set("--allow-publish", "any");
  broker_->set("--allow-subscribe", "any");
  broker_->set("--user-share", "10");
  start();
  publish_some(1);
  const std::string said = run_as_nobody("greedy", {"cursors=1"});
  expect_line(said, "cursors: 102, then busy: user 65534");
  expect_line(said, "has 102 of this feed's 1024 named cursors, and the share of one user is 102 (--user-share 10)");
}

TEST_F(HostShares, AreThoseOfTheLastReload) {
  const auto config = broker_->scratch() / "leatd.toml";
  std::ofstream(config) << "user-share = 25\n";
  broker_->set("--config", config.string());
  broker_->set("--allow-publish", "any");
  broker_->set("--max-producers", "8");
  start();
  std::ofstream(config) << "user-share = 50\n";
  ASSERT_EQ(::kill(broker_->pid(), SIGHUP), 0);
  while (broker_->log().find("changed: --user-share 50") == std::string::npos) {
    ASSERT_TRUE(broker_->running()) << broker_->log();
    std::this_thread::sleep_for(milliseconds(2));
  }
  const std::string said = run_as_nobody("greedy", {});
  expect_line(said, "large: 4, then busy: user 65534");
  expect_line(said, "(--user-share 50)");
}

TEST_F(HostShares, AUserInHundredsOfGroupsIsLetInByTheLastOfThem) {
  broker_->set("--allow-publish", "gid:2300");
  start();
  publish_some(1);
  const std::string output = (broker_->scratch() / "groups").string();
  std::string groups;
  for (int i = 2000; i <= 2300; ++i) groups += std::to_string(i) + (i < 2300 ? "," : "");
  if (!std::filesystem::exists("/usr/bin/setpriv")) GTEST_SKIP() << "no setpriv here";
  const auto run = [&](const std::string& user) {
    ChildProcess pub({.arguments = {"/usr/bin/setpriv", "--reuid=" + user, "--regid=" + user, "--groups=" + groups,
                                    program().string(), "--helper", "outsider", "feed=" + broker_->address().feed,
                                    "runtime=" + broker_->address().runtime_dir, "data=" + broker_->address().data_dir,
                                    "page=" + page_->path().string()},
                      .environment = {},
                      .output = output,
                      .user = std::nullopt});
    return pub.wait();
  };
  EXPECT_EQ(run("65534"), 0);
  std::string said = read_file(output);
  expect_line(said, "publish: ok");
  expect_line(said,
              "subscribe: permission_denied: user 65534 may not subscribe to this feed (there is no rule of "
              "--allow-subscribe, its pid is ");
  std::filesystem::remove(output);
  EXPECT_EQ(run("0"), 0);
  said = read_file(output);
  expect_line(said, "publish: ok");
  expect_line(said, "subscribe: ok");
}

}  // namespace
}  // namespace leat::test
