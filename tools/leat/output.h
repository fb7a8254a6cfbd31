// Standard output in whole lines.
#pragma once

#include <string>
#include <string_view>

#include <leat/result.h>

namespace leat::tool {

/// Collects lines and writes them in few system calls. The caller appends whole lines to buffer() and calls
/// end_line() after each, and flush() whenever nothing more is ready. Not thread-safe.
class Output {
 public:
  enum class State {
    open,
    closed,  ///< the reader has gone (EPIPE): end quietly
    failed,  ///< see error()
  };

  explicit Output(int fd = 1) : fd_(fd) {}

  [[nodiscard]] std::string& buffer() noexcept { return buffer_; }
  /// Call after each line: writes once a good deal has come together. False unless still open.
  bool end_line() { return buffer_.size() < kFlushBytes ? state_ == State::open : flush(); }
  /// Writes everything. After a stop signal it gives a reader that does not read one second to take the rest of a line
  /// begun, then drops what is left; otherwise it waits as long as the reader takes. False unless still open.
  bool flush();
  /// Looks whether the reader has gone, waiting up to `timeout_ms` for that to happen. False unless still open.
  bool reader_is_there(int timeout_ms);

  /// False once lines had to be dropped after a stop signal.
  [[nodiscard]] bool complete() const noexcept { return complete_; }
  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] const Error& error() const noexcept { return error_; }
  /// The exit status that goes with the state: `otherwise` if open. Complains if failed.
  int status(int otherwise) const;

 private:
  static constexpr std::size_t kFlushBytes = 64 * 1024;

  bool take_error(int error_number, std::size_t written);
  bool may_go_on(std::size_t written) const;

  int fd_;
  std::string buffer_;
  State state_ = State::open;
  bool complete_ = true;
  Error error_;
};

}  // namespace leat::tool
