#include "tools/leat/acknowledgements.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "text/text_encoding.h"

namespace leat::tool {
namespace {

constexpr std::size_t kAnswerBytes = 4096;
/// A sequence has 20 digits at most.
constexpr std::size_t kMaxLineBytes = 64;

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = line.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kBlank) - begin + 1);
}

}  // namespace

void AckLedger::note_printed(const Cursor& event) { printed_.push_back(event); }

Result<void> AckLedger::take_line(std::string_view line) {
  const std::string_view text = trimmed(line);
  const std::string quoted = "acknowledgement '" + std::string(text.substr(0, kMaxLineBytes)) + "'";
  const std::string waiting = printed_.empty() ? "no event waits for one"
                                               : "those of " + std::to_string(printed_.front().sequence) + " to " +
                                                     std::to_string(printed_.back().sequence) + " are waited for";
  if (printed_.empty())
    return Error{ErrorCode::invalid_argument, quoted + ": " + waiting, "write one line for each event"};
  std::uint64_t sequence = printed_.front().sequence;
  if (!text.empty()) {
    const auto number = parse_decimal(text);
    if (!number) {
      return Error{ErrorCode::invalid_argument, quoted + " is neither empty nor a sequence; " + waiting};
    }
    sequence = *number;
  }
  const auto event = std::ranges::lower_bound(printed_, sequence, {}, &Cursor::sequence);
  if (event == printed_.end() || event->sequence != sequence) {
    return Error{ErrorCode::invalid_argument,
                 quoted + " is of no event that was printed and not acknowledged; " + waiting};
  }
  acknowledged_ = *event;
  printed_.erase(printed_.begin(), event + 1);
  return {};
}

Result<void> AckReader::listen(std::chrono::nanoseconds wait) {
  int timeout_ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
  while (!ended_) {
    pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&readable, 1, timeout_ms);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return {};
    char bytes[kAnswerBytes];
    const ssize_t got = ready < 0 ? -1 : ::read(fd_, bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return {};
    if (got < 0 && errno != ECONNRESET) {
      return system_error(errno, "reading acknowledgements from descriptor " + std::to_string(fd_));
    }
    if (got <= 0) {
      ended_ = true;
      buffer_.clear();  // half a line of a reader that was killed acknowledges nothing
    } else {
      buffer_.append(bytes, static_cast<std::size_t>(got));
    }
    if (auto taken = take_lines(); !taken) return taken;
    timeout_ms = 0;
  }
  return {};
}

Result<void> AckReader::take_lines() {
  std::size_t begin = 0;
  for (std::size_t end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n', begin)) {
    auto taken = ledger_.take_line(std::string_view(buffer_).substr(begin, end - begin));
    begin = end + 1;
    if (!taken) {
      buffer_.erase(0, begin);
      return taken;
    }
  }
  buffer_.erase(0, begin);
  if (buffer_.size() <= kMaxLineBytes) return {};
  return Error{ErrorCode::invalid_argument,
               "an acknowledgement of more than " + std::to_string(kMaxLineBytes) + " bytes",
               "write an empty line, or a sequence, for each event"};
}

}  // namespace leat::tool
