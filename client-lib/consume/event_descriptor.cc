#include "client-lib/consume/event_descriptor.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/event_fd.h"
#include "base/words.h"

namespace leat::client {

using namespace internal;

namespace {

constexpr std::int64_t kTimerPeriodNs = 100 * kNanosPerMilli;

void drain(int fd) noexcept {
  std::uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t got = ::read(fd, &ignored, sizeof ignored);
}

bool add_to(int set, int fd) noexcept {
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  return ::epoll_ctl(set, EPOLL_CTL_ADD, fd, &wanted) == 0;
}

}  // namespace

Result<int> EventDescriptor::open() {
  if (auto ours = reader_.check_owner(); !ours) return ours.error();
  if (exists()) return set_.get();
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return system_error(errno, "timerfd_create");
  UniqueFd set(::epoll_create1(EPOLL_CLOEXEC));
  if (!set.valid()) return system_error(errno, "epoll_create1");
  if (!add_to(set.get(), timer.get())) return system_error(errno, "epoll_ctl");
  set_ = std::move(set);
  timer_ = std::move(timer);
  if (auto done = watch(); !done) {
    unwatch();
    set_.reset();
    timer_.reset();
    return done.error();
  }
  make_readable();  // whoever takes it before the first poll() learns of what is there already
  LEAT_ASSERT(exists() && !armed_);
  return set_.get();
}

// Watches the connection, or, without one, the clock.
Result<void> EventDescriptor::watch() {
  LEAT_ASSERT(exists());
  if (reader_.ring() == nullptr || session_.has_gone()) {
    start_timer(false);
    return {};
  }
  const itimerspec never{};
  ::timerfd_settime(timer_.get(), 0, &never, nullptr);
  for (const int fd : {session_.event_fd(), session_.socket()}) {
    if (!add_to(set_.get(), fd) && errno != EEXIST) return system_error(errno, "epoll_ctl");
  }
  return {};
}

void EventDescriptor::watch_anew() {
  if (!exists()) return;
  if (!watch().ok()) start_timer(false);
  make_readable();
}

void EventDescriptor::watch_clock() noexcept {
  if (exists()) start_timer(false);
}

// Closing would do, were there no fork: a child holds the same descriptions open, and an ended connection would stay in
// the set.
void EventDescriptor::unwatch() noexcept {
  if (!exists()) return;
  for (const int fd : {session_.socket(), session_.event_fd()}) {
    if (fd >= 0) ::epoll_ctl(set_.get(), EPOLL_CTL_DEL, fd, nullptr);
  }
}

void EventDescriptor::start_timer(bool at_once) noexcept {
  LEAT_ASSERT(timer_.valid());
  const itimerspec period{.it_interval = {.tv_sec = 0, .tv_nsec = kTimerPeriodNs},
                          .it_value = {.tv_sec = 0, .tv_nsec = at_once ? 1 : kTimerPeriodNs}};
  ::timerfd_settime(timer_.get(), 0, &period, nullptr);
}

// While it is armed each poll takes the slow way, on whose every way out but one it is made readable.
void EventDescriptor::set_armed(bool armed) noexcept {
  armed_ = armed;
  reader_.keep_to_slow_way(armed);
}

void EventDescriptor::make_readable() noexcept {
  LEAT_ASSERT(exists());
  set_armed(false);
  const int event_fd = session_.event_fd();
  if (!has_writer() || event_fd < 0) return start_timer(true);
  if (!internal::make_readable(event_fd)) start_timer(true);
}

bool EventDescriptor::begin_arming() noexcept {
  LEAT_ASSERT(exists());
  if (session_.event_fd() >= 0) drain(session_.event_fd());
  drain(timer_.get());
  set_armed(true);
  if (has_writer()) return true;
  start_timer(false);
  return false;
}

void EventDescriptor::drop_dead_connection() noexcept {
  ::epoll_ctl(set_.get(), EPOLL_CTL_DEL, session_.socket(), nullptr);
  start_timer(false);
}

bool EventDescriptor::arm() noexcept {
  LEAT_ASSERT(armed_);
  session_.ask_for_event();
  fence_seq_cst();  // SYNC POINT: pairs with the sequencer's fence in ring_doorbell
  return reader_.has_more();
}

}  // namespace leat::client
