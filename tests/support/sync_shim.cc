// LD_PRELOAD: fdatasync fails with EIO while the first word of the file $LEAT_TEST_SYNC is not 0.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

namespace {

std::atomic<std::uint64_t>* g_fails = nullptr;

__attribute__((constructor)) void set_up() {
  const char* path = std::getenv("LEAT_TEST_SYNC");
  const int fd = path != nullptr ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void* mapped = ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (mapped != MAP_FAILED) g_fails = static_cast<std::atomic<std::uint64_t>*>(mapped);
}

}  // namespace

extern "C" int fdatasync(int fd) {
  if (g_fails != nullptr && g_fails->load() != 0) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
