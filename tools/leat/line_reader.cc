#include "tools/leat/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "tools/leat/stop_signal.h"

namespace leat::tool {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

/// Waits for input up to `slice`. False if there was none, or a stop signal came.
bool wait_readable(int fd, std::chrono::milliseconds slice = kStopSlice) {
  if (stop_signal() != 0) return false;
  pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&readable, 1, static_cast<int>(slice.count())) > 0;
}

}  // namespace

LineReader::Filled LineReader::fill(std::chrono::milliseconds slice) {
  if (!wait_readable(fd_, slice)) return Filled::idle;
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  const std::size_t had = buffer_.size();
  buffer_.resize(had + kReadBytes);
  const ssize_t got = ::read(fd_, buffer_.data() + had, kReadBytes);
  const int failed = errno;
  buffer_.resize(had + static_cast<std::size_t>(got > 0 ? got : 0));
  if (got > 0) return Filled::ok;
  if (got == 0) return Filled::end;
  if (failed == EINTR || failed == EAGAIN) return Filled::idle;
  error_ = system_error(failed, "reading standard input");
  return Filled::failed;
}

LineReader::Next LineReader::give(std::size_t length, std::size_t with_newline) {
  line_ = std::string_view(buffer_).substr(begin_, length);
  begin_ += with_newline;
  searched_ = begin_;
  ++line_number_;
  const bool too_long = passing_over_ || length > max_line_bytes_;
  passing_over_ = false;
  return too_long ? Next::too_long : Next::line;
}

LineReader::Next LineReader::next(std::chrono::milliseconds slice) {
  for (;;) {
    const std::size_t newline = buffer_.find('\n', searched_);
    if (newline != std::string::npos) return give(newline - begin_, newline - begin_ + 1);
    searched_ = buffer_.size();
    if (searched_ - begin_ > max_line_bytes_) {
      passing_over_ = true;
      begin_ = searched_;
    }
    if (at_end_) {
      const std::size_t left = buffer_.size() - begin_;
      return left == 0 && !passing_over_ ? Next::end : give(left, left);
    }
    switch (fill(slice)) {
      case Filled::ok: break;
      case Filled::idle: return Next::idle;
      case Filled::end: at_end_ = true; break;
      case Filled::failed: return Next::failed;
    }
  }
}

Result<std::string> read_all(int fd, std::size_t max_bytes, const EventBound& bound) {
  std::string all;
  while (stop_signal() == 0) {
    if (!wait_readable(fd)) continue;
    const std::size_t had = all.size();
    all.resize(had + kReadBytes);
    const ssize_t got = ::read(fd, all.data() + had, kReadBytes);
    const int failed = errno;
    all.resize(had + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got == 0) return all;
    if (got < 0 && failed != EINTR && failed != EAGAIN) return system_error(failed, "reading standard input");
    if (all.size() > max_bytes) {
      return Error{ErrorCode::too_large, "standard input holds more than the " + bound.text,
                   bound.advice + ", or use --lines for an event a line"};
    }
  }
  return Error{ErrorCode::closed, "stopped while reading standard input; nothing was published"};
}

}  // namespace leat::tool
