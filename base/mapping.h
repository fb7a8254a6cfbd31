// Shared mappings, by Boost.Interprocess. Boost's exceptions end here.
#pragma once

#include <cstddef>
#include <memory>

#include <leat/result.h>

namespace leat::internal {

enum class Access { read_only, read_write };

/// One shared mapping of a descriptor. Move-only; unmapped when it dies. Not inherited over fork (MADV_DONTFORK), so
/// that a child can never write into the rings of its parent; destroyed in a child it unmaps nothing.
class Mapping {
 public:
  Mapping();
  Mapping(Mapping&&) noexcept;
  Mapping& operator=(Mapping&&) noexcept;
  ~Mapping();

  /// Maps [offset, offset + bytes) of `fd`; page-aligned offset. The descriptor may be closed afterwards.
  static Result<Mapping> map(int fd, Access access, std::size_t offset, std::size_t bytes);

  /// Maps a header of `header_bytes` and behind it the `data_bytes` that follow in the file twice, back to back, so
  /// that no run of bytes in the data ever wraps. Both sizes are multiples of the page size.
  static Result<Mapping> map_mirrored(int fd, Access access, std::size_t header_bytes, std::size_t data_bytes);

  /// Takes the page faults of the first kMaxPopulatedBytes now: otherwise the first lap of a ring pays one, three
  /// microseconds, in every page. A hint: what cannot be populated (older kernel, file cut short) is left alone.
  void populate(Access access) noexcept;
  static constexpr std::size_t kMaxPopulatedBytes = std::size_t{256} << 20;

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }  ///< of address space, mirror included
  [[nodiscard]] bool valid() const noexcept { return data_ != nullptr; }

 private:
  struct Regions;
  struct Release {
    void operator()(Regions* regions) const noexcept;
  };
  std::unique_ptr<Regions, Release> regions_;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace leat::internal
