// A process that a test starts, and that never outlives it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace leat::test {

struct SpawnOptions {
  std::vector<std::string> arguments;    ///< arguments[0] is the program's path
  std::vector<std::string> environment;  ///< NAME=VALUE, added to our own
  std::string output;                    ///< file that standard output and error are appended to; empty: ours
  std::optional<uid_t> user;             ///< run as this user and group (needs root)
};

/// Move-only. fork and exec, so nothing of the parent's handles is shared. Dies with the test (PR_SET_PDEATHSIG).
class ChildProcess {
 public:
  ChildProcess() = default;
  explicit ChildProcess(const SpawnOptions& options);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// False once it has ended; never waits.
  bool running();
  void send_signal(int signal_number) const;
  /// Kills at once and waits for the end.
  void kill9();
  /// Sends SIGSTOP and returns when every thread stands still.
  void stop();
  void cont() const;
  /// Waits for the child to stop itself (raise(SIGSTOP)). False if it ended instead.
  bool wait_stopped();
  /// Waits for the end. Exit status, or 128 + signal. No time limit of its own: see Watchdog.
  int wait();

 private:
  void forget();
  void take_status(int status);

  pid_t pid_ = -1;
  std::optional<int> status_;
};

/// Kills every child that is still there. For Watchdog.
void kill_all_children();

}  // namespace leat::test
