// Where lines of the log go to: a bounded queue, and a thread of its own that writes. Whoever logs never waits for the
// file: not for a pipe that nobody reads, not for a disk that is slow or full. leatd never forks, so the thread is
// always there.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <leat/result.h>

#include "base/unique_fd.h"

namespace leat::broker {

/// Lines are written in the order in which they came, whole. What does not fit is left out, counted, and reported in
/// the log as soon as there is room again. All functions from any thread.
class LogWriter {
 public:
  static constexpr std::size_t kMaxBytes = 1 << 20;  ///< of lines that wait

  /// Makes a line that says how many were lost, and why.
  using LossLine = std::function<std::string(std::uint64_t lost, const std::string& why)>;

  /// Appends to the file of that name, made if it is not there; or writes to standard error if `path` is empty.
  /// Errors: io_error, permission_denied.
  static Result<std::unique_ptr<LogWriter>> start(const std::string& path, LossLine loss_line);
  /// Gives what waits kLastWaitNs to be written, then leaves it.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// Takes a line with its newline. Never waits for the file.
  void push(std::string line);
  /// Waits until all that was pushed before is written. False: the time was up first.
  bool flush(std::int64_t timeout_ns);
  /// Opens the file anew, by its name, behind what waits now. What goes wrong is said in the log, and the old file goes
  /// on.
  void reopen();
  /// Lines that were lost so far.
  [[nodiscard]] std::uint64_t lost() const;

  static constexpr std::int64_t kLastWaitNs = 1'000'000'000;

 private:
  // Shared with the thread, which may sleep in write() when everybody else is gone.
  struct Shared {
    std::string path;
    LossLine loss_line;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::string> lines;
    std::size_t bytes = 0;     // of `lines`
    std::uint64_t pushed = 0;  // lines, lost ones not among them
    std::uint64_t written = 0;
    std::uint64_t lost = 0;
    std::uint64_t lost_reported = 0;
    std::string why;  // of the last loss
    bool reopen = false;
    std::uint64_t reopen_after = 0;  // lines that still go to the old file
    bool end = false;
    bool ended = false;
    internal::UniqueFd file;  // of the thread; invalid: standard error
    bool mid_line = false;    // of the thread: what was written last was cut
  };
  static void run(Shared& shared);
  static void write_line(Shared& shared, const std::string& line, std::unique_lock<std::mutex>& lock);
  static void open_anew(Shared& shared, std::unique_lock<std::mutex>& lock);

  explicit LogWriter(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  std::shared_ptr<Shared> shared_;
};

}  // namespace leat::broker
