#include "shm/control/control_socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "shm/layout_version.h"

namespace leat::internal {

MessageHeader make_header(MessageType type, std::size_t bytes) noexcept {
  return {.magic = kControlMagic,
          .layout_version = kSharedLayoutVersion,
          .type = static_cast<std::uint16_t>(type),
          .reserved = 0,
          .bytes = static_cast<std::uint32_t>(bytes)};
}

namespace {

// One try. False: the peer's queue is full just now.
Result<bool> send_packet(int socket, const msghdr& packet, int flags) {
  for (;;) {
    if (::sendmsg(socket, &packet, flags | MSG_NOSIGNAL) >= 0) return true;
    if (errno == EINTR) continue;
    if (errno == EAGAIN && (flags & MSG_DONTWAIT) != 0) return false;
    if (errno == EPIPE || errno == ECONNRESET) {
      return Error{ErrorCode::closed, "the peer closed the control socket", "see leatd's log, then connect again"};
    }
    return system_error(errno, "sending on the control socket");
  }
}

// Waits until the socket is ready for `events`, or something else has happened to it. False: not before `deadline`.
Result<bool> wait_for(int socket, short events, Deadline deadline) {
  pollfd wait{.fd = socket, .events = events, .revents = 0};
  for (;;) {
    const int ready = ::poll(&wait, 1, deadline.left_ms());
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return system_error(errno, "waiting on the control socket");
    if (deadline.has_passed()) return false;  // a signal begins no wait anew
  }
}

Error no_answer() {
  return {ErrorCode::timed_out, "the broker does not answer on its control socket: it hangs or is stopped",
          "see its process and its log"};
}

}  // namespace

Result<void> send_message(int socket, const void* message, std::size_t bytes, std::span<const int> fds) {
  iovec part{.iov_base = const_cast<void*>(message), .iov_len = bytes};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(kMaxPassedFds * sizeof(int))] = {};
  msghdr packet{};
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  if (!fds.empty()) {
    packet.msg_control = control;
    packet.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&packet);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  auto sent = send_packet(socket, packet, 0);
  return sent ? Result<void>{} : sent.error();
}

Result<void> send_message(int socket, const void* message, std::size_t bytes, Deadline deadline) {
  iovec part{.iov_base = const_cast<void*>(message), .iov_len = bytes};
  msghdr packet{};
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  for (;;) {
    auto sent = send_packet(socket, packet, MSG_DONTWAIT);
    if (!sent) return sent.error();
    if (*sent) return {};
    auto room = wait_for(socket, POLLOUT, deadline);
    if (!room) return room.error();
    if (!*room) return no_answer();
  }
}

namespace {

// Takes ownership of every descriptor in the packet, also of those that are too many: a peer must not leak into us.
bool take_descriptors(msghdr& packet, Received& received) {
  bool too_many = false;
  for (cmsghdr* part = CMSG_FIRSTHDR(&packet); part != nullptr; part = CMSG_NXTHDR(&packet, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      UniqueFd owned = off_standard_descriptors(UniqueFd(fd));
      if (received.fd_count < kMaxPassedFds) {
        received.fds[received.fd_count++] = std::move(owned);
      } else {
        too_many = true;
      }
    }
  }
  return !too_many;
}

// Of a packet that is there. False: there was none after all.
Result<bool> receive_packet(int socket, msghdr& packet, Received& received) {
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  received.size = 0;
  received.fd_count = 0;
  if (got < 0) packet.msg_controllen = 0;  // then nothing was written there
  if (got < 0 && errno == EAGAIN) return false;
  if (got < 0 && (errno == ECONNRESET || errno == EPIPE)) return true;
  if (got < 0) return system_error(errno, "receiving on the control socket");
  received.size = static_cast<std::size_t>(got);
  return true;
}

}  // namespace

Result<void> receive_message(int socket, Received& received, Deadline deadline) {
  iovec part{.iov_base = received.bytes.data(), .iov_len = received.bytes.size()};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(2 * kMaxPassedFds * sizeof(int))];
  msghdr packet{};
  for (;;) {
    auto ready = wait_for(socket, POLLIN, deadline);
    if (!ready) return ready.error();
    if (!*ready) return no_answer();
    packet = {};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    packet.msg_control = control;
    packet.msg_controllen = sizeof control;
    auto got = receive_packet(socket, packet, received);
    if (!got) return got.error();
    if (*got) break;
  }
  const bool fds_fit = take_descriptors(packet, received);
  const bool cut = (packet.msg_flags & MSG_CTRUNC) != 0;
  if (fds_fit && !cut && (packet.msg_flags & MSG_TRUNC) == 0) return {};
  for (UniqueFd& fd : received.fds) fd.reset();
  received.fd_count = 0;
  received.size = 0;
  if (cut && fds_fit) {  // room for twice as many as are ever passed: so it was not the room that was short
    return Error{ErrorCode::io_error,
                 "the descriptors of a control message could not be received: this process has none left",
                 "raise its limit of open files (ulimit -n, LimitNOFILE of systemd) or close some"};
  }
  return Error{ErrorCode::protocol_error, "a control message is longer than any that is known",
               "use broker and clients of one release"};
}

Result<void> receive_message(int socket, Received& received, int timeout_ms) {
  return receive_message(socket, received, timeout_ms < 0 ? Deadline::never() : Deadline::after_ms(timeout_ms));
}

Result<void> check_message(const Received& received, MessageType type, std::size_t bytes) {
  MessageHeader header{};
  if (received.size == 0) {
    return Error{ErrorCode::closed, "the peer closed the control socket without an answer",
                 "see leatd's log, then connect again"};
  }
  if (received.size >= sizeof header) std::memcpy(&header, received.bytes.data(), sizeof header);
  if (header.magic != kControlMagic) {
    return Error{ErrorCode::protocol_error,
                 "not a Leat control message (bad magic): something else speaks on this socket"};
  }
  if (header.layout_version != kSharedLayoutVersion) {
    return Error{ErrorCode::layout_mismatch,
                 "the peer speaks layout version " + std::to_string(header.layout_version) + ", this program " +
                     std::to_string(kSharedLayoutVersion),
                 "use broker and clients of one release"};
  }
  if (header.type != static_cast<std::uint16_t>(type) || header.bytes != received.size || received.size != bytes) {
    return Error{ErrorCode::protocol_error,
                 "unexpected control message: type " + std::to_string(header.type) + ", " +
                     std::to_string(received.size) + " bytes; expected type " + std::to_string(static_cast<int>(type)) +
                     ", " + std::to_string(bytes) + " bytes",
                 "use broker and clients of one release"};
  }
  return {};
}

std::uint32_t put_error_text(const Error& error, std::span<char> text) noexcept {
  const std::size_t bytes = std::min(error.message.size(), text.size() - 1);
  std::memcpy(text.data(), error.message.data(), bytes);
  text[bytes] = '\0';
  return error.advice_at() < bytes ? static_cast<std::uint32_t>(error.advice_at()) : 0;
}

Error take_error_text(std::uint32_t status, std::span<const char> text, std::uint32_t advice_at) {
  return Error::from_sentence(static_cast<ErrorCode>(status), {text.data(), ::strnlen(text.data(), text.size())},
                              advice_at);
}

}  // namespace leat::internal
