#include "base/random.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace leat::internal {

bool read_random(void* to, std::size_t bytes) noexcept {
  std::size_t done = 0;
  bool has_call = true;
  UniqueFd device;
  while (done < bytes) {
    char* const at = static_cast<char*>(to) + done;
    const ssize_t got = has_call ? ::getrandom(at, bytes - done, 0) : ::read(device.get(), at, bytes - done);
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else if (has_call) {
      has_call = false;
      device = UniqueFd(::open("/dev/urandom", O_RDONLY | O_CLOEXEC));
      if (!device.valid()) return false;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace leat::internal
