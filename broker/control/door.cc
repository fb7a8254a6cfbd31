#include "broker/control/door.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "broker/log.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr int kAcceptsPerRound = 64;
constexpr int kSendBufferBytes = 32 * 1024;  // answers, and descriptors in them, to one who does not read
constexpr std::int64_t kComplaintPeriodNs = kNanosPerSecond;
constexpr std::int64_t kNameComplaintPeriodNs = 60 * kNanosPerSecond;

}  // namespace

Result<void> Door::open(std::unique_ptr<ListeningSocket> socket) {
  LEAT_ASSERT(socket != nullptr && socket_ == nullptr);
  socket_ = std::move(socket);
  take_spare();
  if (auto done = socket_->listen(); !done) return done;
  return epoll_.watch(socket_->fd(), id_);
}

void Door::close() {
  if (socket_ != nullptr) socket_->close();
}

void Door::set_mode(mode_t mode) {
  if (socket_ != nullptr) socket_->set_mode(mode);
}

UniqueFd Door::accept_one() {
  return UniqueFd(::accept4(socket_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

void Door::accept_some(const Visitor& let_in, const Visitor& turn_away) {
  LEAT_ASSERT(socket_ != nullptr);
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    UniqueFd socket = accept_one();
    if (!socket.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      const int failed = errno;
      if (failed == EMFILE || failed == ENFILE) turn_one_away(turn_away);
      if (failed != EAGAIN) pause(failed);
      return;
    }
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
    let_in(std::move(socket));
  }
}

// One descriptor is kept for this: a client that hears why can say so, and come again.
void Door::turn_one_away(const Visitor& turn_away) {
  if (!spare_fd_.valid()) return;
  spare_fd_.reset();
  if (UniqueFd socket = accept_one(); socket.valid()) turn_away(std::move(socket));
  take_spare();
}

void Door::take_spare() { spare_fd_ = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

// Without a free descriptor, or memory, the client must wait in the listener's queue, which would wake us for ever: the
// queue is left alone until the next tick.
void Door::pause(int reason) {
  epoll_.unwatch(socket_->fd());
  paused_ = true;
  const std::int64_t now = monotonic_ns();
  if (now < next_complaint_ns_) return;
  next_complaint_ns_ = now + kComplaintPeriodNs;
  if (reason == EMFILE || reason == ENFILE) {
    log::warn(
        "new clients are refused, or have to wait: this process has no file descriptor left; raise its limit "
        "(ulimit -n, or LimitNOFILE of systemd) or close some clients");
  } else {
    log::warn("new clients have to wait: {}", system_error(reason, "accept4").message);
  }
}

void Door::go_on() {
  if (!spare_fd_.valid()) take_spare();
  if (!paused_) return;
  paused_ = !epoll_.watch(socket_->fd(), id_).ok();
}

// The name is ours while we hold the lock: whoever took it away, or put something else there, meant no harm to the
// feed, or did, but clients must find it.
void Door::keep_in_place() {
  LEAT_ASSERT(socket_ != nullptr);
  if (!socket_->valid() || socket_->is_in_place()) return;
  paused_ = false;
  auto renewed = socket_->renew();
  if (renewed) renewed = epoll_.watch(socket_->fd(), id_);
  if (renewed) {
    log::warn(
        "the socket {} was removed or replaced while the feed was served: it is made anew, and clients find the "
        "feed again; those who were connected noticed nothing",
        socket_->path());
    return;
  }
  const std::int64_t now = monotonic_ns();
  if (now < next_name_complaint_ns_) return;
  next_name_complaint_ns_ = now + kNameComplaintPeriodNs;
  log::error(
      "the socket {} was removed or replaced, and cannot be made anew: {}; new clients do not find the feed, "
      "those who are connected go on; tried again each second",
      socket_->path(), renewed.error().message);
}

}  // namespace leat::broker
