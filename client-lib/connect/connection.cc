#include "client-lib/connect/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/words.h"

namespace leat::client {

using namespace internal;

namespace {

Error cannot_reach(const std::string& feed, const FeedPaths& paths, const std::filesystem::path& runtime, int failed) {
  const std::string socket = (runtime / "control.sock").string();
  if (failed == EAGAIN || failed == EINTR) {
    return {ErrorCode::timed_out,
            "the broker of feed '" + feed + "' does not answer: too many clients wait for it already",
            "is it stopped (SIGSTOP), or is the machine overloaded?"};
  }
  if (failed == EACCES || failed == EPERM) {
    return {ErrorCode::permission_denied, "no right to reach feed '" + feed + "' at " + socket,
            "ask its owner for --allow-publish or --allow-subscribe"};
  }
  // One that may not be looked at is not one that is not there.
  struct stat journal {};
  const bool no_journal =
      ::stat((paths.journal / "feed").c_str(), &journal) != 0 && (errno == ENOENT || errno == ENOTDIR);
  if (failed == ENOENT && no_journal) {
    return {ErrorCode::unknown_feed,
            "unknown feed '" + feed + "': neither " + socket + " nor a journal in " + paths.journal.string(),
            "start it with: leatd --feed " + feed};
  }
  if (failed == ENOENT || failed == ECONNREFUSED) {
    return {ErrorCode::no_broker, "no broker serves feed '" + feed + "' (nothing listens on " + socket + ")",
            "start it with: leatd --feed " + feed};
  }
  return system_error(failed, "connecting to " + socket);
}

// connect() waits while the listener's queue is full, as long as sending may: that bound is set anew after each signal.
int connect_until(int socket, const sockaddr_un& address, Deadline deadline) {
  for (;;) {
    if (!deadline.is_never()) {
      const std::int64_t left_us = std::max<std::int64_t>(deadline.left_ns() / kNanosPerMicro, 1);
      const timeval limit{.tv_sec = left_us / 1'000'000, .tv_usec = left_us % 1'000'000};
      ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return 0;
    if (errno != EINTR || deadline.has_passed()) return errno;
  }
}

Result<UniqueFd> open_socket(const Endpoint& endpoint, Deadline deadline) {
  const std::filesystem::path& runtime = pick_runtime(endpoint.paths.runtime_choices);
  const std::string path = (runtime / "control.sock").string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::invalid_argument, "the socket's path " + path + " is too long",
                 "choose a shorter --runtime-dir"};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int nonblocking = deadline.has_passed() ? SOCK_NONBLOCK : 0;
  UniqueFd socket =
      off_standard_descriptors(UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | nonblocking, 0)));
  if (!socket.valid()) return system_error(errno, "creating a socket");
  if (const int failed = connect_until(socket.get(), address, deadline); failed != 0) {
    // Also where nobody listens: whoever holds the place could do so at the next moment, and the feed's owner never.
    if (auto theirs = endpoint.trust.check_directory(runtime); !theirs) return theirs.error();
    return cannot_reach(endpoint.feed, endpoint.paths, runtime, failed);
  }
  if (auto trusted = endpoint.trust.check_listener(socket.get(), runtime); !trusted) return trusted.error();
  return socket;
}

}  // namespace

Result<Endpoint> Endpoint::resolve(const FeedAddress& address) {
  auto paths = resolve_feed(address);
  if (!paths) return paths.error();
  auto trust = Trust::of(address, *paths);
  if (!trust) return trust.error();
  std::error_code failed;
  const auto make_absolute = [&](std::filesystem::path& path) {
    std::filesystem::path whole = std::filesystem::absolute(path, failed);
    if (!failed) path = std::move(whole);
  };
  make_absolute(paths->runtime);
  make_absolute(paths->journal);
  for (std::filesystem::path& choice : paths->runtime_choices) make_absolute(choice);
  return Endpoint{.feed = address.feed, .paths = std::move(*paths), .trust = std::move(*trust)};
}

Result<Connecting> Connecting::begin(const ConnectRequest& request, Deadline deadline) {
  if (request.endpoint == nullptr) {
    auto resolved = Endpoint::resolve(request.address);
    if (!resolved) return resolved.error();
    ConnectRequest known = request;
    known.endpoint = &*resolved;
    return begin(known, deadline);
  }
  if (request.endpoint->paths.runtime_choices.empty())
    return Error{ErrorCode::no_broker, "no runtime directory is known"};
  auto socket = open_socket(*request.endpoint, deadline);
  if (!socket) return socket.error();
  HelloMessage hello{};
  hello.header = make_header(MessageType::hello, sizeof hello);
  hello.role = static_cast<std::uint32_t>(request.role);
  hello.resume_slot = request.resume_slot;
  hello.resume_token = request.resume_token;
  hello.arena_bytes = request.arena_bytes;
  std::memcpy(hello.name, request.name.data(), std::min(request.name.size(), sizeof hello.name));
  if (auto sent = send_message(socket->get(), &hello, sizeof hello, deadline); !sent) {
    if (sent.error().code != ErrorCode::closed) return sent.error();  // else its answer may lie there all the same
  }
  Connecting connecting;
  connecting.feed_ = request.endpoint->feed;
  connecting.socket_ = std::move(*socket);
  return connecting;
}

Result<std::optional<Connection>> Connecting::finish(Deadline deadline) {
  Received received;
  if (auto got = receive_message(socket_.get(), received, deadline); !got) {
    if (got.error().code == ErrorCode::timed_out) return std::optional<Connection>();
    return got.error();
  }
  if (received.size == 0) {
    return Error{ErrorCode::no_broker, "the broker of feed '" + feed_ + "' went away while answering",
                 "see its log, start leatd, then connect again"};
  }
  if (auto checked = check_message(received, MessageType::welcome, sizeof(WelcomeMessage)); !checked) {
    return checked.error();
  }
  Connection connection;
  std::memcpy(&connection.welcome, received.bytes.data(), sizeof connection.welcome);
  const WelcomeMessage& welcome = connection.welcome;
  if (welcome.status != 0) return take_error_text(welcome.status, welcome.text, welcome.advice_at);
  for (std::size_t i = 0; i < received.fd_count; ++i) connection.fds.push_back(std::move(received.fds[i]));
  connection.socket = std::move(socket_);
  return std::optional<Connection>(std::move(connection));
}

Result<Connection> connect_to_broker(const ConnectRequest& request) {
  const Deadline deadline = request.timeout_ms < 0 ? Deadline::never() : Deadline::after_ms(request.timeout_ms);
  auto connecting = Connecting::begin(request, deadline);
  if (!connecting) return connecting.error();
  auto connected = connecting->finish(deadline);
  if (!connected) return connected.error();
  if (*connected) return std::move(**connected);
  const std::string& feed = request.endpoint != nullptr ? request.endpoint->feed : request.address.feed;
  return Error{ErrorCode::timed_out, "the broker of feed '" + feed + "' does not answer",
               "is it stopped (SIGSTOP), or is the machine overloaded?"};
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
    return Error{ErrorCode::protocol_error, std::string(what) + ": its size contradicts its capacity", "restart leatd"};
  }
  auto mapping = mirrored ? Mapping::map_mirrored(fd, access, kPageBytes, spec.capacity)
                          : Mapping::map(fd, access, 0, spec.file_bytes);
  if (!mapping) return mapping;
  if (reinterpret_cast<const SharedFileHeader*>(mapping->data())->load_state() != FileState::ready) {
    return Error{ErrorCode::closed, std::string(what) + " is not ready: the broker is making it, or has retired it",
                 "connect again, and if that does not help restart leatd"};
  }
  mapping->populate(access);
  return mapping;
}

Result<Mapping> map_of_size(int fd, Access access, std::uint64_t bytes, const char* what) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return system_error(errno, "fstat of " + std::string(what));
  if (static_cast<std::uint64_t>(status.st_size) != bytes) {
    return Error{ErrorCode::protocol_error,
                 std::string(what) + " is " + std::to_string(status.st_size) + " bytes long, the broker says " +
                     std::to_string(bytes) + ": a client has cut it",
                 "restart leatd"};
  }
  auto mapping = Mapping::map(fd, access, 0, bytes);
  if (mapping) mapping->populate(access);
  return mapping;
}

Error used_after_fork(const char* handle) {
  return {ErrorCode::used_after_fork, std::string("used after fork: this ") + handle + " belongs to the parent process",
          "connect anew here"};
}

Result<void> check_name(const std::string& name) {
  const bool printable = std::ranges::all_of(name, [](char c) { return c >= 0x20 && c <= 0x7e; });
  if (printable && name.size() <= kClientNameBytes) return {};
  return Error{ErrorCode::invalid_argument,
               "the client's name is " + std::to_string(name.size()) + " bytes long" +
                   (printable ? "" : " and holds bytes that are not printable ASCII"),
               "use at most " + std::to_string(kClientNameBytes) + " printable ASCII characters"};
}

Result<void> check_timeout(const char* option, std::chrono::nanoseconds timeout) {
  if (timeout.count() >= 0) return {};
  return Error{ErrorCode::invalid_argument,
               std::string(option) + " is negative (" + std::to_string(timeout.count()) + " ns)",
               "use 0 (no waiting) to nanoseconds::max() (no bound)"};
}

std::string program_name() {
  std::string name = ::program_invocation_short_name != nullptr ? ::program_invocation_short_name : "client";
  if (name.size() > kClientNameBytes) name.resize(kClientNameBytes);
  return name;
}

}  // namespace leat::client
