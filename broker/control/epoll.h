// What the control thread sleeps on: descriptors, each with the number by which its events are known.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <span>

#include <leat/result.h>

#include "base/unique_fd.h"

namespace leat::broker {

/// The number of what an event is about.
using EventId = std::uint64_t;

/// One thread.
class Epoll {
 public:
  /// Error: io_error.
  Result<void> open();
  /// Events when there is something to read. A descriptor that is watched already keeps its number. Error: io_error.
  Result<void> watch(int fd, EventId id);
  void unwatch(int fd);
  /// How many events there are by now, or after `timeout_ms`; -1: see errno.
  int wait(std::span<epoll_event> events, int timeout_ms);

 private:
  internal::UniqueFd fd_;
};

}  // namespace leat::broker
