#include "tools/demo/input.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace leat::demo {
namespace {

constexpr std::size_t kCopyBytes = 64 << 10;

Result<void> write_all(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(errno, "write the snapshot of the input");
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
  return {};
}

Result<void> copy_all(int from, int to, const std::string& path) {
  std::array<char, kCopyBytes> buffer{};
  while (true) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(errno, "read " + path);
    if (got == 0) return {};
    if (auto written = write_all(to, buffer.data(), static_cast<std::size_t>(got)); !written) return written;
  }
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    lines.push_back(line);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return lines;
}

}  // namespace

Input::Input(int fd, const char* bytes, std::size_t size)
    : fd_(fd), bytes_(bytes), size_(size), lines_(split_lines({bytes, size})) {}

Input::Input(Input&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      bytes_(std::exchange(other.bytes_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      lines_(std::move(other.lines_)) {}

Input::~Input() {
  if (bytes_ != nullptr) ::munmap(const_cast<char*>(bytes_), size_);
  if (fd_ >= 0) ::close(fd_);
}

Result<Input> Input::snapshot(const std::string& path) {
  const bool from_stdin = path == "-";
  const int source = from_stdin ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (source < 0) return system_error(errno, "open the input " + path);
  const int memory = ::memfd_create("leat-demo-input", MFD_CLOEXEC);
  if (memory < 0) {
    Error error = system_error(errno, "memfd_create");
    if (!from_stdin) ::close(source);
    return error;
  }
  auto copied = copy_all(source, memory, path);
  if (!from_stdin) ::close(source);
  if (!copied) {
    ::close(memory);
    return std::move(copied).error();
  }
  auto input = inherited(memory);
  if (!input && input.error().code == ErrorCode::invalid_argument) {
    return Error{ErrorCode::invalid_argument, "the input " + path + " has no lines", "name another with --input"};
  }
  return input;
}

Result<Input> Input::inherited(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    Error error = system_error(errno, "fstat of the input's snapshot");
    ::close(fd);
    return error;
  }
  if (status.st_size <= 0) {
    ::close(fd);
    return Error{ErrorCode::invalid_argument, "the snapshot of the input is empty"};
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) {
    Error error = system_error(errno, "map the input's snapshot");
    ::close(fd);
    return error;
  }
  return Input(fd, static_cast<const char*>(bytes), size);
}

}  // namespace leat::demo
