// Standard input in lines, without ever sleeping through a stop signal.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <leat/result.h>

#include "tools/leat/publisher.h"
#include "tools/leat/stop_signal.h"

namespace leat::tool {

/// Reads a descriptor line by line. Not thread-safe.
class LineReader {
 public:
  enum class Next {
    line,      ///< line() is valid until the next call; the last line of the input needs no newline
    too_long,  ///< a line over the bound was passed over
    idle,      ///< nothing to read for a slice, or a stop signal came: look after other things, then call again
    end,
    failed,  ///< see error()
  };

  LineReader(int fd, std::size_t max_line_bytes) : fd_(fd), max_line_bytes_(max_line_bytes) {}

  [[nodiscard]] Next next(std::chrono::milliseconds slice = kStopSlice);
  [[nodiscard]] std::string_view line() const noexcept { return line_; }
  /// Of the line that next() was about, from 1.
  [[nodiscard]] std::uint64_t line_number() const noexcept { return line_number_; }
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  enum class Filled { ok, idle, end, failed };
  Filled fill(std::chrono::milliseconds slice);
  Next give(std::size_t length, std::size_t with_newline);

  int fd_;
  std::size_t max_line_bytes_;
  std::string buffer_;  // unread bytes start at begin_
  std::size_t begin_ = 0;
  std::size_t searched_ = 0;   // no newline in [begin_, searched_)
  bool passing_over_ = false;  // inside a line that is too long
  bool at_end_ = false;
  std::string_view line_;
  std::uint64_t line_number_ = 0;
  Error error_;
};

/// All of `fd` up to its end. Errors: too_large beyond `max_bytes`, which `bound` describes; io_error, closed when a
/// stop signal came.
Result<std::string> read_all(int fd, std::size_t max_bytes, const EventBound& bound);

}  // namespace leat::tool
