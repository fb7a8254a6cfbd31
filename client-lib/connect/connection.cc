#include "connect/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace leat::client {

using namespace shm;

namespace {

Error cannot_reach(const FeedAddress& address, const FeedPaths& paths, int failed) {
  const std::string socket = (paths.runtime / "control.sock").string();
  if (failed == EAGAIN) {
    return {ErrorCode::timed_out, "the broker of feed '" + address.feed + "' does not answer: too many clients wait for it "
                                      "already; is it stopped (SIGSTOP), or is the machine overloaded?"};
  }
  if (failed == EACCES || failed == EPERM) {
    return {ErrorCode::permission_denied, "no right to reach feed '" + address.feed + "' at " + socket +
                                              "; ask its owner for --allow-publish or --allow-subscribe"};
  }
  // One that may not be looked at is not one that is not there.
  struct stat journal {};
  const bool no_journal = ::stat((paths.journal / "feed").c_str(), &journal) != 0 && (errno == ENOENT || errno == ENOTDIR);
  if (failed == ENOENT && no_journal) {
    return {ErrorCode::unknown_feed, "unknown feed '" + address.feed + "': neither " + socket + " nor a journal in " +
                                         paths.journal.string() + "; start it with: leatd --feed " + address.feed};
  }
  if (failed == ENOENT || failed == ECONNREFUSED) {
    return {ErrorCode::no_broker, "no broker serves feed '" + address.feed + "' (nothing listens on " + socket +
                                      "); start it with: leatd --feed " + address.feed};
  }
  return system_error(failed, "connecting to " + socket);
}

Result<UniqueFd> open_socket(const ConnectRequest& request, const FeedPaths& paths) {
  const std::string path = (paths.runtime / "control.sock").string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::invalid_argument, "the socket's path " + path + " is too long; choose a shorter runtime dir"};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return system_error(errno, "creating a socket");
  // connect() waits while the listener's queue is full, as long as sending may.
  if (request.timeout_ms >= 0) {
    const timeval limit{.tv_sec = request.timeout_ms / 1000, .tv_usec = std::max(request.timeout_ms % 1000, 1) * 1000L};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  int done = 0;
  do {
    done = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (done != 0 && errno == EINTR);
  if (done != 0) return cannot_reach(request.address, paths, errno);
  return socket;
}

}  // namespace

Result<Connection> connect_to_broker(const ConnectRequest& request) {
  auto paths = resolve_feed(request.address);
  if (!paths) return paths.error();
  auto socket = open_socket(request, *paths);
  if (!socket) return socket.error();
  HelloMessage hello{};
  hello.header = make_header(MessageType::hello, sizeof hello);
  hello.role = static_cast<std::uint32_t>(request.role);
  hello.resume_slot = request.resume_slot;
  hello.resume_token = request.resume_token;
  hello.arena_bytes = request.arena_bytes;
  std::memcpy(hello.name, request.name.data(), std::min(request.name.size(), sizeof hello.name));
  if (auto sent = send_message(socket->get(), &hello, sizeof hello); !sent) {
    if (sent.error().code != ErrorCode::closed) return sent.error();
  }
  Received received;
  if (auto got = receive_message(socket->get(), received, request.timeout_ms); !got) {
    if (got.error().code == ErrorCode::timed_out) {
      return Error{ErrorCode::timed_out, "the broker of feed '" + request.address.feed +
                                             "' does not answer; is it stopped (SIGSTOP), or is the machine overloaded?"};
    }
    return got.error();
  }
  if (received.size == 0) {
    return Error{ErrorCode::no_broker, "the broker of feed '" + request.address.feed + "' went away while answering"};
  }
  if (auto checked = check_message(received, MessageType::welcome, sizeof(WelcomeMessage)); !checked) {
    return checked.error();
  }
  Connection connection;
  std::memcpy(&connection.welcome, received.bytes.data(), sizeof connection.welcome);
  connection.welcome.text[kWelcomeTextBytes - 1] = '\0';
  if (connection.welcome.status != 0) {
    return Error{static_cast<ErrorCode>(connection.welcome.status), connection.welcome.text};
  }
  for (std::size_t i = 0; i < received.fd_count; ++i) connection.fds.push_back(std::move(received.fds[i]));
  connection.socket = std::move(*socket);
  return connection;
}

bool peer_has_gone(int socket) {
  pollfd state{.fd = socket, .events = POLLIN | POLLRDHUP, .revents = 0};
  return socket < 0 || (::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLIN)) != 0);
}

Result<Mapping> map_shared(int fd, std::uint64_t magic, Access access, bool mirrored, const char* what,
                           SharedFileSpec& spec) {
  auto read = read_shared_header(fd, magic, what);
  if (!read) return read.error();
  spec = *read;
  const bool power_of_two = spec.capacity >= kPageBytes && (spec.capacity & (spec.capacity - 1)) == 0;
  if (mirrored && (!power_of_two || spec.file_bytes != kPageBytes + spec.capacity)) {
    return Error{ErrorCode::protocol_error, std::string(what) + ": its size contradicts its capacity"};
  }
  auto mapping = mirrored ? Mapping::map_mirrored(fd, access, kPageBytes, spec.capacity)
                          : Mapping::map(fd, access, 0, spec.file_bytes);
  if (!mapping) return mapping;
  if (reinterpret_cast<const SharedFileHeader*>(mapping->data())->load_state() != FileState::ready) {
    return Error{ErrorCode::closed, std::string(what) + " is not ready: the broker is making it, or has retired it; "
                                                        "connect again, and if that does not help restart leatd"};
  }
  mapping->populate(access);
  return mapping;
}

Result<Mapping> map_of_size(int fd, Access access, std::uint64_t bytes, const char* what) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return system_error(errno, "fstat of " + std::string(what));
  if (static_cast<std::uint64_t>(status.st_size) != bytes) {
    return Error{ErrorCode::protocol_error, std::string(what) + " is " + std::to_string(status.st_size) +
                                                " bytes long, the broker says " + std::to_string(bytes) +
                                                ": a client has cut it; restart leatd"};
  }
  auto mapping = Mapping::map(fd, access, 0, bytes);
  if (mapping) mapping->populate(access);
  return mapping;
}

std::string program_name() {
  return ::program_invocation_short_name != nullptr ? ::program_invocation_short_name : "client";
}

}  // namespace leat::client
