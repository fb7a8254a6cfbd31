// Memory of a handle that a fork's child is not to read: the kernel hands it to the child as zeros.
//
// A reader's buffer lies in it. A child finds no record there, leaves the path of the common case, and learns why on
// the slow one: the check costs the parent nothing.
#pragma once

#include <cstddef>

namespace leat::internal {

/// Zeroed, 8-byte aligned (page-aligned, in fact). Move-only; one thread at a time. Throws std::bad_alloc.
class WipedMemory {
 public:
  explicit WipedMemory(std::size_t bytes);
  WipedMemory(WipedMemory&& other) noexcept;
  WipedMemory& operator=(WipedMemory&& other) noexcept;
  ~WipedMemory();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  /// Makes room for `bytes` in all; what is there stays, elsewhere perhaps. Never shrinks.
  void grow(std::size_t bytes);

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;   // asked for
  std::size_t mapped_ = 0;  // whole pages
};

}  // namespace leat::internal
