#include <leat/error.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace leat {
namespace {

constexpr std::size_t kJoinBytes = 2;  // "; " or ": " between what happened and the advice

}  // namespace

std::string_view error_name(ErrorCode code) noexcept {
  static constexpr std::array<std::string_view, 24> kNames = {"ok",
                                                              "no_broker",
                                                              "unknown_feed",
                                                              "permission_denied",
                                                              "layout_mismatch",
                                                              "invalid_argument",
                                                              "too_large",
                                                              "bad_topic",
                                                              "would_block",
                                                              "timed_out",
                                                              "feed_failed",
                                                              "revoked",
                                                              "receipt_expired",
                                                              "refused",
                                                              "corrupt",
                                                              "io_error",
                                                              "no_space",
                                                              "busy",
                                                              "ephemeral",
                                                              "protocol_error",
                                                              "closed",
                                                              "used_after_fork",
                                                              "untrusted",
                                                              "pending"};
  const auto index = static_cast<std::size_t>(code);
  return index < kNames.size() ? kNames[index] : "unknown_error";
}

Error::Error(ErrorCode error_code, std::string what_happened, std::string_view advice, Join join)
    : Error(error_code, std::move(what_happened)) {
  if (advice.empty()) return;
  message += static_cast<char>(join);
  message += ' ';
  message += advice;
  advice_bytes_ = static_cast<std::uint32_t>(advice.size());
}

Error Error::from_sentence(ErrorCode code, std::string sentence, std::size_t advice_at) {
  Error error(code, std::move(sentence));
  const std::string& text = error.message;
  if (advice_at <= kJoinBytes || advice_at >= text.size() || text[advice_at - 1] != ' ') return error;
  const char join = text[advice_at - kJoinBytes];
  if (join != static_cast<char>(Join::semicolon) && join != static_cast<char>(Join::colon)) return error;
  error.advice_bytes_ = static_cast<std::uint32_t>(text.size() - advice_at);
  return error;
}

std::string_view Error::advice() const noexcept {
  // `message` is anybody's to write, and empty once it was moved from: what is not in it is no advice.
  if (advice_bytes_ == 0 || message.size() < kJoinBytes + advice_bytes_) return {};
  return std::string_view(message).substr(message.size() - advice_bytes_);
}

std::string_view Error::what() const noexcept {
  const std::size_t advised = advice().size();
  return std::string_view(message).substr(0, advised == 0 ? message.size() : message.size() - advised - kJoinBytes);
}

std::size_t Error::advice_at() const noexcept {
  const std::size_t advised = advice().size();
  return advised == 0 ? 0 : message.size() - advised;
}

Error Error::in(std::string_view context) const {
  Error error = *this;
  error.message.insert(0, ": ").insert(0, context);
  return error;
}

Error Error::with_advice(std::string_view more) const {
  const std::string_view advised = advice();
  if (advised.empty()) return {code, message, more};
  Error error = *this;
  if (more.empty()) return error;
  error.message.append("; ").append(more);
  error.advice_bytes_ += static_cast<std::uint32_t>(kJoinBytes + more.size());
  return error;
}

namespace {

// What to do about it, for those errors that say something about the machine and not about the name or the caller.
std::string_view advice_for(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT: return "free some space there";
    case EMFILE:
    case ENFILE: return "raise the limit of open files (ulimit -n, LimitNOFILE of systemd) or close some clients";
    case ENOMEM:
    case ENOBUFS: return "free some memory, or raise the limit that this process runs under";
    case ENOSYS:
      return "this kernel, or a seccomp profile over this process, does not know the call: allow it (containers: "
             "--security-opt seccomp=...)";
    case EFBIG: return "raise the limit on the size of files (ulimit -f, LimitFSIZE of systemd)";
    case EAGAIN: return "try again, or raise the limit of processes and threads (ulimit -u, TasksMax of systemd)";
    case ENOLCK:
    case EINTR: return "try again";
    case EIO: return "check the disk (dmesg), then try again";
    case EROFS: return "mount it writable, or choose another place";
    case EACCES:
    case EPERM: return "check its owner and mode, and the user that this process runs as";
    default: return "";
  }
}

}  // namespace

Error system_error(int error_number, std::string_view what) {
  ErrorCode code = ErrorCode::io_error;
  if (error_number == EACCES || error_number == EPERM) code = ErrorCode::permission_denied;
  if (error_number == ENOSPC || error_number == EDQUOT) code = ErrorCode::no_space;
  return {code,
          std::string(what) + ": " + std::strerror(error_number) + " (errno " + std::to_string(error_number) + ")",
          advice_for(error_number)};
}

}  // namespace leat
