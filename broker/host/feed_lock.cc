#include "broker/host/feed_lock.h"

#include <fcntl.h>

#include <cstdint>

#include "base/clock.h"
#include "broker/host/start_trace.h"
#include "broker/log.h"

namespace leat::broker {

using namespace internal;

namespace {

Result<FileLock> open_lock(const std::filesystem::path& path) {
  auto lock = FileLock::open(path.string());
  if (lock && lock->was_made()) StartTrace::made_file(path);
  return lock;
}

}  // namespace

Result<FileLock> take_lock(const std::filesystem::path& path, const std::string& feed) {
  auto lock = open_lock(path);
  if (!lock) return lock.error();
  const auto taken = lock->try_take();
  if (!taken) return taken.error();
  if (*taken) return lock;
  const std::string who = lock->holders();
  return Error{ErrorCode::busy,
               "another broker serves feed '" + feed + "' (it holds " + path.string() +
                   (who.empty() ? "" : ": " + who) + ")",
               "stop it first, or choose another --feed, --runtime-dir or --data-dir"};
}

Result<FileLock> wait_for_lock(const std::filesystem::path& path, const std::string& feed, int stop_fd,
                               const std::function<void()>& waits) {
  auto lock = open_lock(path);
  if (!lock) return lock.error();
  const auto taken = lock->try_take();
  if (!taken) return taken.error();
  if (*taken) return lock;
  log::info("standby: another broker serves feed '{}'; waiting for {}", feed, path.string());
  if (waits) waits();
  const std::int64_t began_ns = monotonic_ns();
  if (auto waited = lock->wait(stop_fd); !waited) {
    if (waited.error().code != ErrorCode::closed) return waited.error();
    return Error{ErrorCode::closed, "standby: told to stop while it waited"};
  }
  log::info("standby: takes over feed '{}' after {} ms of waiting", feed, (monotonic_ns() - began_ns) / kNanosPerMilli);
  return lock;
}

bool lock_is_in_place(const FileLock& lock) {
  return FileLock::place_of(lock.fd(), AT_FDCWD, lock.path()) == FileLock::Place::in_place;
}

}  // namespace leat::broker
