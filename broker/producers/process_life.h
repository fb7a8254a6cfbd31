// Whether a process is still there: by a pidfd where the kernel gives one, else by what /proc and kill(pid, 0) say.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.h"

namespace leat::broker {

/// Start time of a process in clock ticks since boot, from /proc; 0 if there is none, or if it cannot be read just now.
/// Tells a reused pid apart.
std::uint64_t process_start_time(pid_t pid);

enum class Life { gone, alive, unknown };

/// What can be found out without a pidfd. Gone: no such process, one that has ended and waits for its parent, or
/// another one under its number. `start_time`: 0 where it is not known.
Life look_at_process(pid_t pid, std::uint64_t start_time);

/// A descriptor that becomes readable when a process ends.
struct ProcessHandle {
  internal::UniqueFd fd;  ///< invalid: see error
  int error = 0;          ///< errno; ESRCH: it is gone
  /// The kernel does not know the call, or a seccomp profile forbids it: no use to try again.
  [[nodiscard]] bool unsupported() const noexcept;
};
ProcessHandle open_process(pid_t pid);
/// Of the process that connected this socket, also one of another pid namespace, or one that has ended since. Linux
/// 6.5.
ProcessHandle open_peer_process(int socket);

}  // namespace leat::broker
