// leatd around one feed: its directories and locks, its socket, and the order in which all of it begins and ends. Two
// threads are the feed's (broker/feed/feed.h); the control thread (broker/control) is the one that calls run().
#pragma once

#include <filesystem>
#include <memory>

#include <leat/feed_paths.h>
#include <leat/result.h>

#include "base/file_lock.h"
#include "base/unique_fd.h"
#include "broker/control/admission.h"
#include "broker/control/control_server.h"
#include "broker/control/name_watch.h"
#include "broker/feed/feed.h"
#include "broker/host/notify.h"
#include "broker/host/start_trace.h"
#include "broker/options.h"

namespace leat::broker {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitAnotherBroker = 3;
/// No exit status: the names of the rings were lost, and all of the feed is journaled. Another Broker can serve it.
inline constexpr int kServeAgain = -1;

/// One feed's broker.
class Broker {
 public:
  /// `notifier`: hears how the broker stands; may be null.
  explicit Broker(Options options, Notifier* notifier = nullptr) : options_(std::move(options)), notifier_(notifier) {}
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  /// Locks, recovers, maps and creates everything. A standby waits for the locks first, until a byte is readable on
  /// `stop_fd`. Errors: busy (another broker), closed (a standby was told to stop), corrupt, no_space, ...
  Result<void> open(int stop_fd = -1);
  /// Serves until a byte is readable on `stop_fd`, then stops cleanly. Returns the exit status, or kServeAgain.
  int run(int stop_fd);
  /// Other rules from now on. After open(); any thread.
  void set_admission(Admission admission);

 private:
  Result<void> open_traced(int stop_fd);
  Result<void> check_resources();
  void mind_real_time();
  void mind_parents(const std::filesystem::path& directory);
  enum class Modes : bool { leave, set };
  Result<void> open_directories(Modes modes);
  Result<void> become_the_broker(int stop_fd);
  Result<void> lock(internal::FileLock& held, const std::filesystem::path& path, int stop_fd);
  enum class Names : bool { in_place, lost };
  int shut_down(Names names);
  NameWatch watched_names();

  Options options_;
  Notifier* notifier_;
  FeedPaths paths_;
  StartTrace* trace_ = nullptr;    // while open() runs
  internal::UniqueFd runtime_fd_;  // the feed's own runtime directory
  Admission admission_;
  internal::FileLock journal_lock_;
  internal::FileLock runtime_lock_;
  internal::UniqueFd journal_fd_;
  std::unique_ptr<Feed> feed_;
  std::unique_ptr<ControlServer> control_;
};

}  // namespace leat::broker
