#include <leat/error.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace leat {

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

namespace {

// What to do about it, for those errors that say something about the machine and not about the name or the caller.
std::string_view advice_for(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT: return "; free some space there";
    case EMFILE:
    case ENFILE: return "; raise the limit of open files (ulimit -n, LimitNOFILE of systemd) or close some clients";
    case ENOMEM:
    case ENOBUFS: return "; free some memory, or raise the limit that this process runs under";
    case ENOSYS:
      return "; this kernel, or a seccomp profile over this process, does not know the call: allow it (containers: "
             "--security-opt seccomp=...)";
    case EFBIG: return "; raise the limit on the size of files (ulimit -f, LimitFSIZE of systemd)";
    case EAGAIN: return "; try again, or raise the limit of processes and threads (ulimit -u, TasksMax of systemd)";
    case ENOLCK:
    case EINTR: return "; try again";
    case EIO: return "; check the disk (dmesg), then try again";
    case EROFS: return "; mount it writable, or choose another place";
    case EACCES:
    case EPERM: return "; check its owner and mode, and the user that this process runs as";
    default: return "";
  }
}

}  // namespace

Error system_error(int error_number, std::string_view what) {
  ErrorCode code = ErrorCode::io_error;
  if (error_number == EACCES || error_number == EPERM) code = ErrorCode::permission_denied;
  if (error_number == ENOSPC || error_number == EDQUOT) code = ErrorCode::no_space;
  return {code, std::string(what) + ": " + std::strerror(error_number) + " (errno " + std::to_string(error_number) +
                    ")" + std::string(advice_for(error_number))};
}

}  // namespace leat
