// The descriptor for event loops: an epoll set of our eventfd, of the connection, whose end is news too, and of a timer
// that stands in for both while there is no broker.
//
// It is readable, always, but for one state: armed, in which poll() has looked at everything there is and found
// nothing. Then the broker writes the eventfd at the next commit, the connection's end wakes us, or the timer does.
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <cerrno>

#include "client-lib/consume/consumer_impl.h"
#include "base/clock.h"

namespace leat {

using namespace internal;

namespace {
constexpr std::int64_t kRetryNs = 100 * kNanosPerMilli;
constexpr std::size_t kEventFd = 3;  // of the connection's descriptors

void drain(int fd) noexcept {
  std::uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t got = ::read(fd, &ignored, sizeof ignored);
}
}  // namespace

Result<int> Consumer::Impl::event_fd() {
  if (auto ours = check_owner(); !ours) return ours.error();
  if (event_poll.valid()) return event_poll.get();
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return system_error(errno, "timerfd_create");
  UniqueFd set(::epoll_create1(EPOLL_CLOEXEC));
  if (!set.valid()) return system_error(errno, "epoll_create1");
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  if (::epoll_ctl(set.get(), EPOLL_CTL_ADD, timer.get(), &wanted) != 0) return system_error(errno, "epoll_ctl");
  event_poll = std::move(set);
  retry_timer = std::move(timer);
  if (auto done = watch_events(); !done) {
    unwatch_events();
    event_poll.reset();
    retry_timer.reset();
    return done.error();
  }
  make_readable();  // whoever takes it before the first poll() learns of what is there already
  return event_poll.get();
}

// Watches the connection, or, without one, the clock.
Result<void> Consumer::Impl::watch_events() {
  if (ring() == nullptr || broker_has_gone()) {
    start_retry_timer(false);
    return {};
  }
  const itimerspec never{};
  ::timerfd_settime(retry_timer.get(), 0, &never, nullptr);
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  for (const int fd : {connection.fds[kEventFd].get(), connection.socket.get()}) {
    if (::epoll_ctl(event_poll.get(), EPOLL_CTL_ADD, fd, &wanted) != 0 && errno != EEXIST) {
      return system_error(errno, "epoll_ctl");
    }
  }
  return {};
}

// Closing would do, were there no fork: a child holds the same descriptions open, and an ended connection would stay in
// the set.
void Consumer::Impl::unwatch_events() noexcept {
  if (!event_poll.valid()) return;
  if (connection.socket.valid()) ::epoll_ctl(event_poll.get(), EPOLL_CTL_DEL, connection.socket.get(), nullptr);
  if (connection.fds.size() > kEventFd) {
    ::epoll_ctl(event_poll.get(), EPOLL_CTL_DEL, connection.fds[kEventFd].get(), nullptr);
  }
}

void Consumer::Impl::start_retry_timer(bool at_once) noexcept {
  const itimerspec period{.it_interval = {.tv_sec = 0, .tv_nsec = kRetryNs},
                          .it_value = {.tv_sec = 0, .tv_nsec = at_once ? 1 : kRetryNs}};
  ::timerfd_settime(retry_timer.get(), 0, &period, nullptr);
}

void Consumer::Impl::make_readable() noexcept {
  set(kEventFdArmed, false);
  if (ring() == nullptr || blocked || connection.fds.size() <= kEventFd) return start_retry_timer(true);
  const std::uint64_t one = 1;
  if (::write(connection.fds[kEventFd].get(), &one, sizeof one) < 0 && errno != EAGAIN) start_retry_timer(true);
}

// poll() is about to say that there is nothing. True: something came meanwhile, or the broker is another one; look
// again.
bool Consumer::Impl::settle_event_fd() {
  if (!connection.fds.empty()) drain(connection.fds[kEventFd].get());
  drain(retry_timer.get());
  set(kEventFdArmed, true);
  if (ring() == nullptr || blocked) {
    start_retry_timer(false);
    return false;
  }
  if (broker_has_gone()) {
    // In place of the dead connection the clock wakes the event loop, so that we look for the next broker.
    ::epoll_ctl(event_poll.get(), EPOLL_CTL_DEL, connection.socket.get(), nullptr);
    start_retry_timer(false);
    if (tend_now(monotonic_ns())) return true;
  }
  slot->armed.store(1, std::memory_order_seq_cst);
  doorbell->armed_events.store(1, std::memory_order_seq_cst);
  fence_seq_cst();  // SYNC POINT: pairs with the sequencer's fence in ring_doorbell
  return stream->limit() > stream->position();
}

}  // namespace leat
