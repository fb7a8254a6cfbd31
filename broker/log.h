// The broker's log: spdlog's levels and formats in front of a LogWriter, one logger for the process.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <string>

#include <leat/result.h>

#include "broker/host/log_writer.h"

namespace leat::broker {

/// The log of this process while it lives: logging never waits for the file. A line of level critical gives what is
/// before it, and itself, kCriticalWaitNs to be written; the end of this object gives the rest LogWriter::kLastWaitNs.
class Log {
 public:
  static constexpr std::int64_t kCriticalWaitNs = 500'000'000;

  /// Sets up spdlog's default logger: standard error (coloured on a terminal), or a file. Errors: io_error, ...
  static Result<std::unique_ptr<Log>> open(const std::string& level, const std::string& file);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// Any thread.
  static void set_level(const std::string& level);
  /// Any thread: the file by that name from now on, as after logrotate has renamed the old one.
  void reopen() { writer_->reopen(); }

 private:
  explicit Log(std::unique_ptr<LogWriter> writer) : writer_(std::move(writer)) {}

  std::unique_ptr<LogWriter> writer_;
};

}  // namespace leat::broker
