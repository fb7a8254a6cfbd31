#include "broker/host/notify.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "broker/log.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "base/whole_io.h"

namespace leat::broker {

namespace {

std::string_view environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

std::int64_t number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && end == text.data() + text.size() ? number : 0;
}

}  // namespace

Result<Notifier> Notifier::open(int ready_fd) {
  if (ready_fd >= 0 && ::fcntl(ready_fd, F_GETFD) < 0) {
    return Error{ErrorCode::invalid_argument, "--ready-fd " + std::to_string(ready_fd) + ": no such descriptor is open",
                 "leave it out, or start leatd with " + std::to_string(ready_fd) + ">FILE"};
  }
  Notifier notifier;
  notifier.ready_fd_ = ready_fd;
  notifier.socket_ = environment("NOTIFY_SOCKET");
  const std::int64_t watchdog_us = number_of(environment("WATCHDOG_USEC"));
  const std::int64_t watched = number_of(environment("WATCHDOG_PID"));
  if (watchdog_us > 0 && watchdog_us < internal::kNanosPerSecond * 1000 && (watched == 0 || watched == ::getpid())) {
    notifier.watchdog_period_ns_ = watchdog_us * internal::kNanosPerMicro / 2;
  }
  return notifier;
}

void Notifier::ready(const std::string& status) {
  send("READY=1\nSTATUS=" + status);
  if (ready_fd_ < 0) return;
  const std::string line = "ready: " + status + "\n";
  if (!internal::write_all(ready_fd_, line.data(), line.size())) {
    log::warn("--ready-fd {}: {}", ready_fd_, std::strerror(errno));
  }
  if (ready_fd_ > STDERR_FILENO) ::close(ready_fd_);
  if (ready_fd_ <= STDERR_FILENO) {  // closed as well for whoever reads it, but the number stays taken
    const internal::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (null.valid()) ::dup2(null.get(), ready_fd_);
  }
  ready_fd_ = -1;
}

void Notifier::reloading() const {
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(internal::monotonic_ns() / internal::kNanosPerMicro));
}

void Notifier::alive() {
  if (watchdog_period_ns_ == 0 || internal::monotonic_ns() < next_alive_ns_) return;
  next_alive_ns_ = internal::monotonic_ns() + watchdog_period_ns_ / 2;
  send("WATCHDOG=1");
}

void Notifier::send(const std::string& text) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path || (socket_[0] != '/' && socket_[0] != '@')) return;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';  // a name that no file stands for
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const internal::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval patience{.tv_sec = 1, .tv_usec = 0};  // that socket's queue may be full for a moment
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  ssize_t sent = -1;
  do {
    sent = ::sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
                    bytes);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) log::debug("telling NOTIFY_SOCKET {}: {}", socket_, std::strerror(errno));
}

}  // namespace leat::broker
