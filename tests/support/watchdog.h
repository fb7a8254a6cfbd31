// Ends a test that hangs. Not a measure of speed: its limit is far beyond what any test needs.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace leat::test {

/// When `limit` passes before it is destroyed: says so, kills all children; if that does not unlock the test, ends the
/// process. One at a time.
class Watchdog {
 public:
  Watchdog(std::string what, std::chrono::seconds limit);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  [[nodiscard]] bool fired() const noexcept { return fired_.load(); }

 private:
  void run(std::chrono::seconds limit);

  std::string what_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::atomic<bool> fired_{false};
  std::thread thread_;
};

}  // namespace leat::test
