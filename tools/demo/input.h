// The lines to publish: one snapshot of the input, shared by all processes of a run.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <leat/result.h>

namespace leat::demo {

/// The input's bytes and its lines, without the line ends. Move-only: the lines point into the bytes, which lie in a
/// memory file that the producer processes inherit, so that all see the same lines while the log goes on growing.
class Input {
 public:
  /// Takes a snapshot of a file; "-" is standard input. Errors: io_error, permission_denied; invalid_argument when it
  /// has no line.
  static Result<Input> snapshot(const std::string& path);

  /// Maps the snapshot that the parent process took and passed on as descriptor `fd`. The descriptor is taken over,
  /// also on error.
  static Result<Input> inherited(int fd);

  Input(Input&& other) noexcept;
  Input& operator=(Input&&) = delete;
  ~Input();

  [[nodiscard]] const std::vector<std::string_view>& lines() const noexcept { return lines_; }
  [[nodiscard]] int fd() const noexcept { return fd_; }  ///< of the memory file; close-on-exec

 private:
  Input(int fd, const char* bytes, std::size_t size);

  int fd_ = -1;
  const char* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::vector<std::string_view> lines_;
};

}  // namespace leat::demo
