// No admitted user locks the others out; users in many groups; what the client of a refusal is told.
#include <grp.h>
#include <sys/mount.h>
#include <unistd.h>

#include <string>

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
  const std::string said = run_as_nobody("greedy", {"large=" + std::to_string(4 << 20)});
  expect_line(said, "producers: 3, then busy: user 65534 (pid ");
  expect_line(said, "has 4 of this feed's 8 producer slots, and the share of one user is 4 (--user-share 50)");
  expect_line(said, "consumers: 6, then busy: user 65534");
  expect_line(said, "has 6 of this feed's 12 consumer slots");
  expect_line(said, "large: 1, then busy: user 65534");
  expect_line(said, "of arenas in the runtime directory's");
  // The broker's own user, root here, is bound by no share.
  std::vector<Producer> ours;
  while (ours.size() < 7) {  // his slots are free soon
    auto producer = Producer::connect({.address = broker_->address(), .arena_bytes = 4096});
    if (producer) ours.push_back(std::move(*producer));
  }
  expect_line(broker_->log(), "uid 65534 refused: user 65534");
  ours.clear();
  EXPECT_EQ(broker_->terminate(), 0);
  EXPECT_EQ(::umount2(small.c_str(), MNT_DETACH), 0);
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
                      .environment = {}, .output = output, .user = std::nullopt});
    return pub.wait();
  };
  EXPECT_EQ(run("65534"), 0);
  std::string said = read_file(output);
  expect_line(said, "publish: ok");
  expect_line(said, "subscribe: permission_denied: user 65534 may not subscribe to this feed (there is no rule of "
                    "--allow-subscribe, its pid is ");
  std::filesystem::remove(output);
  EXPECT_EQ(run("0"), 0);
  said = read_file(output);
  expect_line(said, "publish: ok");
  expect_line(said, "subscribe: ok");
}

}  // namespace
}  // namespace leat::test
