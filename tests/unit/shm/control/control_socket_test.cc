// Control messages over a real socket pair: what is passed, what is refused, and that no descriptor leaks in.
#include "shm/control/control_socket.h"
#include "shm/layout_version.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <csignal>
#include <cstring>
#include <filesystem>

namespace leat::internal {
namespace {

class ControlSocket : public ::testing::Test {
 protected:
  ControlSocket() {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    a_ = UniqueFd(pair[0]);
    b_ = UniqueFd(pair[1]);
  }
  static HelloMessage hello() {
    HelloMessage message{};
    message.header = make_header(MessageType::hello, sizeof message);
    message.role = static_cast<std::uint32_t>(Role::producer);
    return message;
  }
  static std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
  }
  // Checks a message whose header was spoiled.
  ErrorCode checked(const HelloMessage& message, std::size_t bytes = sizeof(HelloMessage)) {
    EXPECT_TRUE(send_message(a_.get(), &message, bytes).ok());
    Received received;
    EXPECT_TRUE(receive_message(b_.get(), received, 1000).ok());
    const auto result = check_message(received, MessageType::hello, sizeof(HelloMessage));
    return result.ok() ? ErrorCode::ok : result.error().code;
  }

  UniqueFd a_;
  UniqueFd b_;
};

TEST_F(ControlSocket, PassesAMessageWithItsDescriptors) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int fds[] = {null.get(), null.get(), null.get(), null.get()};
  const HelloMessage message = hello();
  ASSERT_TRUE(send_message(a_.get(), &message, sizeof message, fds).ok());
  Received received;
  ASSERT_TRUE(receive_message(b_.get(), received, 1000).ok());
  EXPECT_TRUE(check_message(received, MessageType::hello, sizeof message).ok());
  ASSERT_EQ(received.fd_count, 4u);
  for (const UniqueFd& fd : received.fds) EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(ControlSocket, RefusesTooManyDescriptorsAndKeepsNone) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  int fds[200];
  for (int& fd : fds) fd = null.get();
  const std::size_t before = open_descriptors();
  for (const std::size_t count : {kMaxPassedFds + 1, 2 * kMaxPassedFds, 2 * kMaxPassedFds + 1, std::size_t{200}}) {
    // send_message itself refuses to be used so: send as a stranger would.
    HelloMessage message = hello();
    iovec part{.iov_base = &message, .iov_len = sizeof message};
    std::vector<std::byte> control(CMSG_SPACE(count * sizeof(int)));
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    packet.msg_control = control.data();
    packet.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&packet);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    ASSERT_GT(::sendmsg(a_.get(), &packet, 0), 0);
    Received received;
    const auto result = receive_message(b_.get(), received, 1000);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::protocol_error);
    EXPECT_EQ(open_descriptors(), before) << count;
  }
}

TEST_F(ControlSocket, RefusesAPacketThatIsTooLong) {
  const std::vector<char> bytes(kMaxMessageBytes + 1, 'x');
  ASSERT_TRUE(send_message(a_.get(), bytes.data(), bytes.size()).ok());
  Received received;
  EXPECT_EQ(receive_message(b_.get(), received, 1000).error().code, ErrorCode::protocol_error);
}

TEST_F(ControlSocket, ChecksMagicVersionTypeAndSize) {
  EXPECT_EQ(checked(hello()), ErrorCode::ok);
  HelloMessage bad = hello();
  bad.header.magic ^= 1;
  EXPECT_EQ(checked(bad), ErrorCode::protocol_error);
  bad = hello();
  bad.header.layout_version = 77;
  EXPECT_EQ(checked(bad), ErrorCode::layout_mismatch);
  bad = hello();
  bad.header.type = static_cast<std::uint16_t>(MessageType::welcome);
  EXPECT_EQ(checked(bad), ErrorCode::protocol_error);
  bad = hello();
  bad.header.bytes += 8;
  EXPECT_EQ(checked(bad), ErrorCode::protocol_error);
  bad = hello();
  bad.header.bytes -= 8;
  EXPECT_EQ(checked(bad, sizeof bad - 8), ErrorCode::protocol_error) << "a hello, but of another size";
  EXPECT_EQ(checked(hello(), sizeof(HelloMessage) - 1), ErrorCode::protocol_error);
  EXPECT_EQ(checked(hello(), sizeof(MessageHeader)), ErrorCode::protocol_error);
  EXPECT_EQ(checked(hello(), sizeof(MessageHeader) - 1), ErrorCode::protocol_error);
}

TEST(ErrorText, KeepsItsPartsOverTheSocket) {
  char text[64];
  for (const Error& error :
       {Error(ErrorCode::busy, "all are taken", "close some"), Error(ErrorCode::busy, "all are taken"),
        Error(ErrorCode::busy, "bad name", "use letters", Error::Join::colon), Error(ErrorCode::busy, "")}) {
    const std::uint32_t advice_at = put_error_text(error, text);
    const Error taken = take_error_text(static_cast<std::uint32_t>(error.code), text, advice_at);
    EXPECT_EQ(taken.code, error.code);
    EXPECT_EQ(taken.message, error.message);
    EXPECT_EQ(taken.what(), error.what());
    EXPECT_EQ(taken.advice(), error.advice());
  }
}

TEST(ErrorText, IsCutToTheRoom) {
  const Error error(ErrorCode::busy, "0123456", "abcdef");
  char text[16];
  const auto sent = [&](std::size_t room) {
    std::memset(text, '#', sizeof text);
    const std::span<char> part(text, room);
    const std::uint32_t advice_at = put_error_text(error, part);
    EXPECT_EQ(text[room], '#') << room;
    return take_error_text(1, part, advice_at);
  };
  EXPECT_EQ(sent(15).message, "0123456; abcde");
  EXPECT_EQ(sent(15).advice(), "abcde");
  EXPECT_EQ(sent(11).advice(), "a");
  EXPECT_EQ(sent(10).message, "0123456; ");
  EXPECT_EQ(sent(10).advice(), "");
  EXPECT_EQ(put_error_text(error, std::span<char>(text, 10)), 0U);
  EXPECT_EQ(put_error_text(error, std::span<char>(text, 11)), 9U);
  EXPECT_EQ(sent(8).message, "0123456");
  EXPECT_EQ(sent(1).message, "");
}

// The peer may be anybody.
TEST(ErrorText, BelievesNoPlaceOutsideOfTheText) {
  const char text[16] = "0123456; abcdef";
  char unterminated[16];
  std::memset(unterminated, 'x', sizeof unterminated);
  for (std::uint32_t at = 0; at <= 2 * sizeof text; ++at) {
    const Error error = take_error_text(1, text, at);
    EXPECT_EQ(error.message, text) << at;
    EXPECT_EQ(error.advice(), at == 9 ? "abcdef" : "") << at;
    EXPECT_EQ(error.what(), at == 9 ? "0123456" : text) << at;
    EXPECT_EQ(take_error_text(1, unterminated, at).what(), std::string(16, 'x')) << at;
  }
  for (const std::uint32_t at : {UINT32_MAX, UINT32_MAX - 1, 1U << 31}) {
    EXPECT_EQ(take_error_text(1, text, at).what(), text) << at;
  }
  for (const char* const joint : {"; ", ": ", ";", "; a", " ; ", "a; ", "a;bc", "a, b", ""}) {
    const std::string all(joint);
    for (std::uint32_t at = 0; at <= 4; ++at) {
      EXPECT_EQ(take_error_text(1, {all.c_str(), all.size() + 1}, at).advice(), "") << all << at;
    }
  }
}

TEST_F(ControlSocket, NamesBothVersions) {
  HelloMessage other = hello();
  other.header.layout_version = 77;
  ASSERT_TRUE(send_message(a_.get(), &other, sizeof other).ok());
  Received received;
  ASSERT_TRUE(receive_message(b_.get(), received, 1000).ok());
  const std::string message = check_message(received, MessageType::hello, sizeof other).error().message;
  EXPECT_NE(message.find("77"), std::string::npos) << message;
  EXPECT_NE(message.find(std::to_string(kSharedLayoutVersion)), std::string::npos) << message;
}

TEST_F(ControlSocket, TellsAPeerThatHasGoneFromOneThatIsSilent) {
  Received received;
  EXPECT_EQ(receive_message(b_.get(), received, 1).error().code, ErrorCode::timed_out);
  a_.reset();
  ASSERT_TRUE(receive_message(b_.get(), received, 1000).ok());
  EXPECT_EQ(received.size, 0u);
  EXPECT_EQ(check_message(received, MessageType::hello, 72).error().code, ErrorCode::closed);
  const HelloMessage message = hello();
  const auto before = ::signal(SIGPIPE, SIG_DFL);  // whoever started us may have left it ignored
  EXPECT_EQ(send_message(b_.get(), &message, sizeof message).error().code, ErrorCode::closed);
  ::signal(SIGPIPE, before);
}

}  // namespace
}  // namespace leat::internal
