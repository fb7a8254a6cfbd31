// The signals of leatd: taken by a thread of their own, so that none ever interrupts the others, and none ends the
// broker but those that are meant to.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include <leat/result.h>

#include "base/unique_fd.h"

namespace leat::broker {

/// SIGTERM and SIGINT make stop_fd() readable, for good. SIGHUP calls `on_hangup`. All others that can be blocked are,
/// but those by which a fault or a terminal speaks: SIGUSR1, SIGUSR2, or a timer that a parent left running, do
/// nothing.
class SignalThread {
 public:
  /// In main(), before any thread: threads started later inherit it.
  static void block_signals() noexcept;

  /// `on_hangup` is called from the thread. Error: io_error.
  static Result<std::unique_ptr<SignalThread>> start(std::function<void()> on_hangup);
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

  [[nodiscard]] int stop_fd() const noexcept { return stop_.get(); }

 private:
  SignalThread(internal::UniqueFd stop, std::function<void()> on_hangup)
      : stop_(std::move(stop)), on_hangup_(std::move(on_hangup)) {}
  void run();

  internal::UniqueFd stop_;
  std::function<void()> on_hangup_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace leat::broker
