// The control socket: packets with descriptors as they come, and the broker's whole end of it, driven by hostile
// clients.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <vector>

#include "broker/control/control_server.h"
#include "shm/control/control_socket.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/unit/fixtures/one_feed.h"

namespace leat::fuzz {
namespace {

using namespace internal;

constexpr std::pair<MessageType, std::size_t> kKinds[] = {
    {MessageType::hello, sizeof(HelloMessage)},        {MessageType::welcome, sizeof(WelcomeMessage)},
    {MessageType::refresh, sizeof(BareMessage)},       {MessageType::refreshed, sizeof(BareMessage)},
    {MessageType::open_file, sizeof(OpenFileMessage)}, {MessageType::file_opened, sizeof(FileOpenedMessage)},
    {MessageType::take_cursor, sizeof(CursorMessage)}, {MessageType::save_cursor, sizeof(CursorMessage)},
    {MessageType::drop_cursor, sizeof(CursorMessage)}, {MessageType::cursor_answer, sizeof(CursorMessage)},
};

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

int null_descriptor() {
  static const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return null.get();
}

// One packet with any number of descriptors, as a hostile peer sends it.
bool send_packet(int socket, Bytes bytes, std::size_t fd_count) {
  constexpr std::size_t kMost = 32;
  iovec part{.iov_base = const_cast<std::uint8_t*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(kMost * sizeof(int))> control{};
  msghdr packet{};
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  if (fd_count > 0) {
    fd_count = std::min(fd_count, kMost);
    packet.msg_control = control.data();
    packet.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    cmsghdr* const rights = CMSG_FIRSTHDR(&packet);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
    for (std::size_t i = 0; i < fd_count; ++i) {
      const int fd = null_descriptor();
      std::memcpy(CMSG_DATA(rights) + i * sizeof(int), &fd, sizeof fd);
    }
  }
  return ::sendmsg(socket, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

// A message of a known kind, right in its header unless the input says otherwise, its body from the input.
std::vector<std::uint8_t> make_message(Reader& reader) {
  const std::uint8_t how = reader.byte();
  const auto& [type, size] = kKinds[how % std::size(kKinds)];
  std::vector<std::uint8_t> message(size);
  const MessageHeader header = make_header(type, size);
  std::memcpy(message.data(), &header, sizeof header);
  const Bytes body = reader.bytes(reader.below(size - sizeof header + 1));
  std::ranges::copy(body, message.begin() + sizeof header);
  if ((how & 0x80) != 0) message.resize(reader.below(2 * size));
  if ((how & 0x40) != 0 && !message.empty()) {
    message[reader.below(std::min<std::size_t>(16, message.size()))] = reader.byte();
  }
  return message;
}

}  // namespace

LEAT_FUZZ_TARGET(control_packet) {
  (void)null_descriptor();
  const std::size_t before = open_descriptors();
  {
    int ends[2];
    LEAT_FUZZ_CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    const UniqueFd peer(ends[0]);
    const UniqueFd own(ends[1]);
    Reader reader(input);
    const std::size_t fds = reader.below(8) == 0 ? reader.below(33) : 0;
    const bool made = (reader.byte() & 1) != 0;
    const auto message = made ? make_message(reader) : std::vector<std::uint8_t>();
    const Bytes packet = made ? Bytes(message) : reader.rest();
    if (send_packet(peer.get(), packet, fds)) {
      Received received;
      const auto got = receive_message(own.get(), received, 0);
      const bool fits = packet.size() <= kMaxMessageBytes && fds <= kMaxPassedFds;
      LEAT_FUZZ_CHECK(got.ok() == fits || packet.empty());
      if (got.ok()) {
        LEAT_FUZZ_CHECK(received.size == packet.size());
        int accepted = 0;
        for (const auto& [type, size] : kKinds) accepted += check_message(received, type, size).ok() ? 1 : 0;
        LEAT_FUZZ_CHECK(accepted <= 1);
        if (accepted == 1) {  // then it says of itself what it is
          MessageHeader header;
          std::memcpy(&header, received.bytes.data(), sizeof header);
          LEAT_FUZZ_CHECK(header.magic == kControlMagic && header.bytes == packet.size());
        }
      }
    }
  }
  LEAT_FUZZ_CHECK(open_descriptors() == before);  // none that a peer sent stays with us
}

namespace {

// The broker's end without its threads: what has happened on the sockets is served when the target says so.
class Server {
 public:
  Server() : socket_(feed_.runtime_path().string() + "/s"), uuid_(feed_.recovered().identity.uuid) {
    server_.emplace(feed_.feed(), admission_);
    LEAT_FUZZ_CHECK(server_->open().ok() && server_->listen(socket_).ok());
  }

  UniqueFd connect() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket_.c_str(), socket_.size() + 1);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    return socket;
  }

  void serve() {
    const UniqueFd stop(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
    LEAT_FUZZ_CHECK(server_->run(stop.get()).ok());
    feed_.drain();
    feed_.sequencer->take_commands();
    server_->take_notices();
  }

  // One who says what it should is let in, whatever the others do.
  void expect_that_honest_ones_get_in() {
    for (const Role role : {Role::producer, Role::consumer, Role::observer}) {
      const UniqueFd socket = connect();
      LEAT_FUZZ_CHECK(socket.valid());
      HelloMessage hello{};
      hello.header = make_header(MessageType::hello, sizeof hello);
      hello.role = static_cast<std::uint32_t>(role);
      LEAT_FUZZ_CHECK(send_message(socket.get(), &hello, sizeof hello).ok());
      serve();
      Received answer;
      LEAT_FUZZ_CHECK(receive_message(socket.get(), answer, 0).ok());
      LEAT_FUZZ_CHECK(check_message(answer, MessageType::welcome, sizeof(WelcomeMessage)).ok());
      WelcomeMessage welcome;
      std::memcpy(&welcome, answer.bytes.data(), sizeof welcome);
      const auto status = static_cast<ErrorCode>(welcome.status);
      // All slots may be taken by those who were let in before: that is told, and no more.
      LEAT_FUZZ_CHECK(status == ErrorCode::ok || status == ErrorCode::busy);
      LEAT_FUZZ_CHECK((answer.fd_count > 0) == (status == ErrorCode::ok));
    }
  }

 private:
  test::OneFeed feed_;
  std::string socket_;
  FeedUuid uuid_;
  broker::Admission admission_;
  std::optional<broker::ControlServer> server_;
};

}  // namespace

LEAT_FUZZ_TARGET(control_server) {
  Server server;
  std::vector<UniqueFd> clients;
  Reader reader(input);
  for (int steps = 0; steps < 64 && !reader.done(); ++steps) {
    switch (const std::uint8_t what = reader.byte(); what % 8) {
      case 0:
      case 1: clients.push_back(server.connect()); break;
      case 2: server.serve(); break;
      case 3:
        if (!clients.empty())
          clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(reader.below(clients.size())));
        break;
      case 4:
        if (!clients.empty()) {  // reads what it was answered, and uses nothing of it
          Received ignored;
          (void)receive_message(clients[reader.below(clients.size())].get(), ignored, 0).ok();
        }
        break;
      default:
        if (!clients.empty()) {
          const auto message = make_message(reader);
          (void)send_packet(clients[reader.below(clients.size())].get(), message, what >= 0xf0 ? 1 + what % 32 : 0);
        }
    }
  }
  server.serve();
  clients.clear();
  server.serve();
  server.expect_that_honest_ones_get_in();
}

}  // namespace leat::fuzz
