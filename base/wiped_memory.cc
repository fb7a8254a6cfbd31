#include "base/wiped_memory.h"

#include <sys/mman.h>

#include <cstring>
#include <new>
#include <utility>

#include "base/words.h"

namespace leat::internal {
namespace {

std::byte* map_wiped(std::size_t bytes) {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  // Before Linux 4.14 there is no such advice: a child then finds what its parent had read. See pages_are_wiped().
  (void)::madvise(memory, bytes, MADV_WIPEONFORK);
  return static_cast<std::byte*>(memory);
}

}  // namespace

WipedMemory::WipedMemory(std::size_t bytes) { grow(bytes > 0 ? bytes : 1); }

WipedMemory::WipedMemory(WipedMemory&& other) noexcept { *this = std::move(other); }

WipedMemory& WipedMemory::operator=(WipedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

// A fork's child has this mapping too, so it unmaps its own.
WipedMemory::~WipedMemory() {
  if (data_ != nullptr) ::munmap(data_, mapped_);
}

void WipedMemory::grow(std::size_t bytes) {
  if (bytes <= bytes_) return;
  const std::size_t mapped = align_up(bytes, kPageBytes);
  if (mapped > mapped_) {
    std::byte* const fresh = map_wiped(mapped);
    if (data_ != nullptr) {
      std::memcpy(fresh, data_, bytes_);
      ::munmap(data_, mapped_);
    }
    data_ = fresh;
    mapped_ = mapped;
  }
  bytes_ = bytes;
}

}  // namespace leat::internal
