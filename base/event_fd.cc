#include "base/event_fd.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace leat::internal {

bool make_readable(int event_fd) noexcept {
  constexpr int kAttempts = 100;
  constexpr std::uint64_t kOne = 1;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (::write(event_fd, &kOne, sizeof kOne) == sizeof kOne) return true;
    if (errno == EAGAIN) return true;  // it holds as much as it can
  }
  return false;
}

}  // namespace leat::internal
