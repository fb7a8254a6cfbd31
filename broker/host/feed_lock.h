// The locks that make one broker at a time of a feed.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include <leat/result.h>

#include "base/file_lock.h"

namespace leat::broker {

/// Takes the lock, or says who is in the way. Error: busy, io_error, ...
Result<internal::FileLock> take_lock(const std::filesystem::path& path, const std::string& feed);

/// Takes the lock, asleep until it is free; says in the log that it waits and, then, that it takes over. Of several who
/// wait one gets it. Error: closed, when a byte became readable on `stop_fd` first; io_error, ...
/// Uses SIGUSR1 while it waits, as FileLock::wait() does. Others may send that as well.
/// `waits` is called when it does not get the lock at once.
Result<internal::FileLock> wait_for_lock(const std::filesystem::path& path, const std::string& feed, int stop_fd,
                                         const std::function<void()>& waits);

/// Whether a lock that is held is still the file of its path: while one waits, the directory may be moved away, and
/// another broker then locks another file.
bool lock_is_in_place(const internal::FileLock& lock);

}  // namespace leat::broker
