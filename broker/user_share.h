// How much of anything that all users of a feed share one of them may have.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace leat::broker {

/// `percent` of `total`, at least 1 unless there is nothing; all of it for the broker's own user and root.
inline std::uint64_t user_share_of(uid_t uid, std::uint64_t total, std::uint32_t percent) noexcept {
  if (total == 0 || uid == ::geteuid() || uid == 0) return total;
  constexpr std::uint64_t kPercent = 100;
  const std::uint64_t share = total / kPercent * percent + total % kPercent * percent / kPercent;
  return std::clamp<std::uint64_t>(share, 1, total);
}

}  // namespace leat::broker
