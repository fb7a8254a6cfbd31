// LD_PRELOAD: moves CLOCK_REALTIME by the nanoseconds that lie in the first word of the file $LEAT_TEST_CLOCK.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

std::atomic<std::int64_t>* map_offset() {
  const char* path = std::getenv("LEAT_TEST_CLOCK");
  const int fd = path != nullptr ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return nullptr;
  void* mapped = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return mapped == MAP_FAILED ? nullptr : static_cast<std::atomic<std::int64_t>*>(mapped);
}

// Mapped before any thread; calls that come earlier see the true clock.
std::atomic<std::int64_t>* g_offset_ns = nullptr;
__attribute__((constructor)) void set_up() { g_offset_ns = map_offset(); }

}  // namespace

extern "C" int clock_gettime(clockid_t id, timespec* now) noexcept {
  const long failed = ::syscall(SYS_clock_gettime, id, now);
  if (failed != 0 || g_offset_ns == nullptr || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) {
    return static_cast<int>(failed);
  }
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t moved = now->tv_sec * kSecond + now->tv_nsec + g_offset_ns->load(std::memory_order_relaxed);
  now->tv_sec = moved / kSecond;
  now->tv_nsec = moved % kSecond;
  return 0;
}
