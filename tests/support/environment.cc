#include "support/environment.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

#include "support/number.h"

namespace leat::test {

bool sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
#else
  return false;
#endif
}

std::uint64_t scaled(std::uint64_t count) {
  constexpr std::uint64_t kSlowdown = 8;
  if (!sanitized()) return count;
  return count < kSlowdown ? 1 : count / kSlowdown;
}

std::uint64_t test_seed() {
  static const std::uint64_t seed = [] {
    const std::uint64_t value = number_from_environment("LEAT_TEST_SEED", std::random_device{}());
    std::fprintf(stderr, "seed %llu (repeat with LEAT_TEST_SEED=%llu)\n", static_cast<unsigned long long>(value),
                 static_cast<unsigned long long>(value));
    return value;
  }();
  return seed;
}

std::filesystem::path make_unique_directory(const std::filesystem::path& parent, const std::string& tag) {
  static std::atomic<int> next{0};
  for (;;) {
    const auto path = parent / ("leat-test-" + tag + "-" + std::to_string(::getpid()) + "-" + std::to_string(next++));
    if (std::filesystem::create_directories(path)) return path;
  }
}

std::filesystem::path shared_memory_root() { return "/dev/shm"; }

std::filesystem::path temporary_root() {
  const char* given = std::getenv("TMPDIR");
  return given != nullptr && *given != '\0' ? given : "/tmp";
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string own_executable() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

}  // namespace leat::test
