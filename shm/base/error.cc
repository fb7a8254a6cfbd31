#include <leat/error.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace leat {

std::string_view error_name(ErrorCode code) noexcept {
  static constexpr std::array<std::string_view, 21> kNames = {
      "ok",          "no_broker", "unknown_feed",    "permission_denied", "layout_mismatch", "invalid_argument",
      "too_large",   "bad_topic", "would_block",     "timed_out",         "feed_failed",     "revoked",
      "receipt_expired", "refused", "corrupt",       "io_error",          "no_space",        "busy",
      "ephemeral",   "protocol_error", "closed"};
  const auto index = static_cast<std::size_t>(code);
  return index < kNames.size() ? kNames[index] : "unknown_error";
}

Error system_error(int error_number, std::string_view what) {
  ErrorCode code = ErrorCode::io_error;
  if (error_number == EACCES || error_number == EPERM) code = ErrorCode::permission_denied;
  if (error_number == ENOSPC || error_number == EDQUOT) code = ErrorCode::no_space;
  return {code, std::string(what) + ": " + std::strerror(error_number) + " (errno " + std::to_string(error_number) +
                    ")"};
}

}  // namespace leat
