#include "broker/control/listening_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/fixtures/temp_directory.h"

namespace leat::broker {
namespace {

namespace fs = std::filesystem;

class ListeningSocketTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return (directory_.path() / "control.sock").string(); }
  [[nodiscard]] mode_t mode() const {
    struct stat status {};
    return ::lstat(path().c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }
  [[nodiscard]] bool can_connect() const {
    const internal::UniqueFd client(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path().c_str(), path().size() + 1);
    return ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  // As one that a broker which was killed has left.
  void leave_a_socket() {
    ListeningSocket left;
    test::must(left.prepare(path(), 0600));
    test::must(left.listen());
    fs::rename(path(), path() + ".kept");
    left.close();
    fs::rename(path() + ".kept", path());
  }
  void open_door(mode_t mode = 0600) {
    test::must(door_.prepare(path(), mode));
    test::must(door_.listen());
  }

  test::TempDirectory directory_;
  ListeningSocket door_;
};

TEST_F(ListeningSocketTest, IsThereFromListenToCloseAndNotBefore) {
  test::must(door_.prepare(path(), 0600));
  EXPECT_FALSE(fs::exists(path())) << "scripts wait for it";
  EXPECT_FALSE(door_.valid());
  test::must(door_.listen());
  EXPECT_TRUE(can_connect());
  door_.close();
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(ListeningSocketTest, TakesThePlaceOfOneThatWasLeft) {
  leave_a_socket();
  ASSERT_TRUE(fs::exists(path()));
  EXPECT_FALSE(can_connect());
  open_door();
  EXPECT_TRUE(can_connect());
}

TEST_F(ListeningSocketTest, HasTheModeThatItWasGivenWhateverUmaskSays) {
  const mode_t before = ::umask(077);
  open_door(0666);
  ::umask(before);
  EXPECT_EQ(mode(), 0666U);
  door_.set_mode(0600);
  EXPECT_EQ(mode(), 0600U);
  test::must(door_.renew());
  EXPECT_EQ(mode(), 0600U) << "what was set last holds for the next one too";
}

TEST_F(ListeningSocketTest, KnowsAnotherSocketAndLeavesItAlone) {
  open_door();
  EXPECT_TRUE(door_.is_in_place());
  fs::remove(path());
  EXPECT_FALSE(door_.is_in_place());
  leave_a_socket();
  EXPECT_FALSE(door_.is_in_place());
  door_.close();
  EXPECT_TRUE(fs::exists(path())) << "it is not ours to take away";
}

TEST_F(ListeningSocketTest, OpensNoFileThatStandsInItsPlace) {
  open_door();
  fs::remove(path());
  std::ofstream(path()) << "secret";
  fs::permissions(path(), fs::perms::owner_read);
  door_.set_mode(0666);
  EXPECT_EQ(mode(), 0400U);
  test::must(door_.renew());
  EXPECT_EQ(mode(), 0666U) << "but the next socket";
  EXPECT_TRUE(can_connect());
}

TEST_F(ListeningSocketTest, RefusesAPathThatNoSocketCanHave) {
  const std::string path = "/" + std::string(106, 'x');
  EXPECT_TRUE(check_socket_path(path).ok());
  EXPECT_FALSE(check_socket_path(path + "x").ok());
  EXPECT_FALSE(door_.prepare(path + "x", 0600).ok());
}

TEST_F(ListeningSocketTest, RefusesADirectoryInItsPlaceByName) {
  fs::create_directory(path());
  const auto prepared = door_.prepare(path(), 0600);
  ASSERT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(prepared.error().message.find("is a directory"), std::string::npos) << prepared.error().message;
  EXPECT_TRUE(fs::is_directory(path()));
}

}  // namespace
}  // namespace leat::broker
