#include "tools/leat/output.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "tools/leat/exit_code.h"
#include "tools/leat/stop_signal.h"

namespace leat::tool {
namespace {

constexpr int kFinishLineMs = 1000;
/// A pipe that poll() calls writable takes this much without blocking.
constexpr std::size_t kSurePipeBytes = 4096;

}  // namespace

bool Output::take_error(int error_number, std::size_t written) {
  const bool cut = written > 0 && buffer_[written - 1] != '\n';
  buffer_.clear();
  if (error_number == EPIPE || error_number == ECONNRESET) {
    state_ = State::closed;
  } else {
    state_ = State::failed;
    error_ = system_error(error_number, "writing standard output");
    if (cut) error_ = error_.with_advice("its last line is cut short");
  }
  return false;
}

/// After a stop signal only the rest of a line begun is still worth waiting for.
bool Output::may_go_on(std::size_t written) const {
  if (stop_signal() == 0) return true;
  pollfd writable{.fd = fd_, .events = POLLOUT, .revents = 0};
  const bool at_line_start = written == 0 || buffer_[written - 1] == '\n';
  return ::poll(&writable, 1, at_line_start ? 0 : kFinishLineMs) > 0;
}

bool Output::flush() {
  std::size_t written = 0;
  while (state_ == State::open && written < buffer_.size()) {
    if (!may_go_on(written)) break;
    const std::size_t left = buffer_.size() - written;
    const std::size_t chunk = stop_signal() == 0 ? left : std::min(left, kSurePipeBytes);
    const ssize_t done = ::write(fd_, buffer_.data() + written, chunk);
    if (done > 0) written += static_cast<std::size_t>(done);
    if (done >= 0 || errno == EINTR) continue;
    if (errno != EAGAIN) return take_error(errno, written);
    pollfd writable{.fd = fd_, .events = POLLOUT, .revents = 0};  // somebody made the terminal non-blocking
    (void)::poll(&writable, 1, static_cast<int>(kStopSlice.count()));
  }
  if (written < buffer_.size()) complete_ = false;
  buffer_.clear();
  return state_ == State::open;
}

bool Output::reader_is_there(int timeout_ms) {
  if (state_ != State::open) return false;
  pollfd gone{.fd = fd_, .events = 0, .revents = 0};
  if (::poll(&gone, 1, timeout_ms) > 0 && (gone.revents & (POLLERR | POLLHUP)) != 0) return take_error(EPIPE, 0);
  return true;
}

int Output::status(int otherwise) const {
  switch (state_) {
    case State::open: return otherwise;
    case State::closed: return kExitOk;
    case State::failed: return fail(error_);
  }
  return otherwise;
}

}  // namespace leat::tool
