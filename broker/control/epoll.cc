#include "broker/control/epoll.h"

#include <cerrno>

#include "base/check.h"

namespace leat::broker {

Result<void> Epoll::open() {
  fd_ = internal::UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  return fd_.valid() ? Result<void>{} : system_error(errno, "epoll_create1");
}

Result<void> Epoll::watch(int fd, EventId id) {
  LEAT_ASSERT(fd_.valid());
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = id;
  if (::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) != 0 && errno != EEXIST) {
    return system_error(errno, "epoll_ctl");
  }
  return {};
}

void Epoll::unwatch(int fd) { ::epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr); }

int Epoll::wait(std::span<epoll_event> events, int timeout_ms) {
  return ::epoll_wait(fd_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
}

}  // namespace leat::broker
