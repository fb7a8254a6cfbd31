#include "support/watchdog.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "support/child_process.h"

namespace leat::test {

Watchdog::Watchdog(std::string what, std::chrono::seconds limit)
    : what_(std::move(what)), thread_([this, limit] { run(limit); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

void Watchdog::run(std::chrono::seconds limit) {
  constexpr std::chrono::seconds kGrace(10);
  std::unique_lock lock(mutex_);
  if (ended_.wait_for(lock, limit, [this] { return end_; })) return;
  fired_.store(true);
  std::fprintf(stderr, "watchdog: %s hangs after %lld s; killing its processes\n", what_.c_str(),
               static_cast<long long>(limit.count()));
  kill_all_children();
  if (ended_.wait_for(lock, kGrace, [this] { return end_; })) return;
  std::fprintf(stderr, "watchdog: %s still hangs; ending the test program\n", what_.c_str());
  std::fflush(nullptr);
  ::_exit(99);
}

}  // namespace leat::test
