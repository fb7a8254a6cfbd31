#include "broker/control/door.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/fixtures/temp_directory.h"

namespace leat::broker {
namespace {

using internal::UniqueFd;

constexpr EventId kDoorId = 7;

// clang's check of virtual tables asks for memory through a pipe, and takes "no descriptor left" for "no object there".
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
#define LEAT_TEST_NEEDS_DESCRIPTORS 1
#endif
#endif

class DoorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(epoll_.open().ok());
    auto socket = std::make_unique<ListeningSocket>();
    ASSERT_TRUE(socket->prepare(path_, 0600).ok());
    ASSERT_TRUE(door_.open(std::move(socket)).ok());
  }

  UniqueFd connect() const {
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    return socket;
  }
  bool has_event() {
    epoll_event event{};
    return epoll_.wait({&event, 1}, 0) == 1 && event.data.u64 == kDoorId;
  }
  void accept_some() {
    door_.accept_some([this](UniqueFd socket) { in_.push_back(std::move(socket)); },
                      [this](const UniqueFd& socket) { turned_away_ += socket.valid() ? 1 : 0; });
  }

  test::TempDirectory directory_;
  std::string path_ = (directory_.path() / "s").string();
  Epoll epoll_;
  Door door_{epoll_, kDoorId};
  std::vector<UniqueFd> in_;
  int turned_away_ = 0;
};

TEST_F(DoorTest, LetsInAllWhoWait) {
  EXPECT_FALSE(has_event());
  const UniqueFd clients[] = {connect(), connect()};
  EXPECT_TRUE(has_event());
  accept_some();
  EXPECT_EQ(in_.size(), 2U);
  EXPECT_EQ(turned_away_, 0);
  EXPECT_FALSE(has_event());
}

TEST_F(DoorTest, IsMadeAnewWhereItsNameWasTaken) {
  std::filesystem::remove(path_);
  EXPECT_FALSE(connect().valid());
  door_.keep_in_place();
  const UniqueFd client = connect();
  ASSERT_TRUE(client.valid());
  EXPECT_TRUE(has_event());
  accept_some();
  EXPECT_EQ(in_.size(), 1U);
}

TEST_F(DoorTest, TurnsOneAwayForWantOfDescriptorsAndLetsTheOthersInLater) {
#ifdef LEAT_TEST_NEEDS_DESCRIPTORS
  GTEST_SKIP() << "the sanitizer needs descriptors of its own";
#endif
  const UniqueFd clients[] = {connect(), connect(), connect()};
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<UniqueFd> all;
  all.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(all.back().get()) + 1;  // lower numbers are taken: the lowest free one is given
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  accept_some();
  accept_some();
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(in_.empty());
  EXPECT_EQ(turned_away_, 2);
  EXPECT_FALSE(has_event());  // or it would wake us for ever
  door_.go_on();
  EXPECT_TRUE(has_event());
  accept_some();
  EXPECT_EQ(in_.size(), 1U);
}

TEST_F(DoorTest, TakesItsNameAwayWhenItIsClosed) {
  door_.close();
  EXPECT_FALSE(std::filesystem::exists(path_));
  door_.keep_in_place();  // closed for good
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace leat::broker
