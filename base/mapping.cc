#include "base/mapping.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/mapped_region.hpp>

#include "base/process_mark.h"

namespace leat::internal {
namespace {

namespace bip = boost::interprocess;

// What Boost calls a MemoryMappable: a descriptor that came over a socket has no name to open a file_mapping by.
class DescriptorMappable {
 public:
  explicit DescriptorMappable(int fd) : fd_(fd) {}
  [[nodiscard]] bip::mapping_handle_t get_mapping_handle() const { return {fd_, false}; }

 private:
  int fd_;
};

bip::mode_t boost_mode(Access access) { return access == Access::read_only ? bip::read_only : bip::read_write; }

// Address space only: the mappings are laid over it with MAP_FIXED, so no other thread can take the room between.
class Reservation {
 public:
  explicit Reservation(std::size_t bytes)
      : base_(mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)), bytes_(bytes) {}
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  ~Reservation() {
    if (ok() && bytes_ > 0) munmap(base_, bytes_);
  }
  [[nodiscard]] bool ok() const { return base_ != MAP_FAILED; }
  [[nodiscard]] std::byte* base() const { return static_cast<std::byte*>(base_); }

  // The first `bytes` now belong to a mapping laid over them, which will unmap them itself.
  void hand_over(std::size_t bytes) {
    base_ = base() + bytes;
    bytes_ -= bytes;
  }

 private:
  void* base_;
  std::size_t bytes_;
};

}  // namespace

struct Mapping::Regions {
  std::vector<bip::mapped_region> regions;
  ProcessOwner owner;
  Regions* next = nullptr;  // in the list of those that are not this process's
};

// A fork's child has nothing mapped there (MADV_DONTFORK), or by now something of its own: to unmap by address would
// take that away. What its parent had is put aside, where a leak checker still finds it.
void Mapping::Release::operator()(Regions* regions) const noexcept {
  static std::atomic<Regions*> put_aside{nullptr};
  if (regions->owner.is_here()) {
    delete regions;
    return;
  }
  regions->next = put_aside.load(std::memory_order_relaxed);
  while (
      !put_aside.compare_exchange_weak(regions->next, regions, std::memory_order_release, std::memory_order_relaxed)) {
  }
}

Mapping::Mapping() = default;
Mapping::Mapping(Mapping&& other) noexcept { *this = std::move(other); }
Mapping& Mapping::operator=(Mapping&& other) noexcept {
  regions_ = std::move(other.regions_);
  data_ = std::exchange(other.data_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}
Mapping::~Mapping() = default;

Result<Mapping> Mapping::map(int fd, Access access, std::size_t offset, std::size_t bytes) {
  Mapping mapping;
  mapping.regions_.reset(new Regions);
  try {
    mapping.regions_->regions.emplace_back(DescriptorMappable(fd), boost_mode(access),
                                           static_cast<bip::offset_t>(offset), bytes);
  } catch (const bip::interprocess_exception& error) {
    return system_error(error.get_native_error(), "mapping " + std::to_string(bytes) + " bytes");
  }
  mapping.data_ = static_cast<std::byte*>(mapping.regions_->regions.back().get_address());
  mapping.bytes_ = bytes;
  madvise(mapping.data_, bytes, MADV_DONTFORK);
  return mapping;
}

Result<Mapping> Mapping::map_mirrored(int fd, Access access, std::size_t header_bytes, std::size_t data_bytes) {
  Mapping mapping;
  mapping.regions_.reset(new Regions);
  const std::size_t total = header_bytes + 2 * data_bytes;
  Reservation reservation(total);
  if (!reservation.ok()) {
    return system_error(errno, "reserving " + std::to_string(total) + " bytes of address space");
  }
  std::byte* const base = reservation.base();
  const DescriptorMappable file(fd);
  try {
    auto& regions = mapping.regions_->regions;
    regions.reserve(2);
    // Header and data are contiguous in the file; the mirror repeats the data alone.
    regions.emplace_back(file, boost_mode(access), 0, header_bytes + data_bytes, base, MAP_FIXED);
    reservation.hand_over(header_bytes + data_bytes);
    regions.emplace_back(file, boost_mode(access), static_cast<bip::offset_t>(header_bytes), data_bytes,
                         base + header_bytes + data_bytes, MAP_FIXED);
    reservation.hand_over(data_bytes);
  } catch (const bip::interprocess_exception& error) {
    return system_error(error.get_native_error(), "mapping " + std::to_string(total) + " bytes twice");
  }
  mapping.data_ = base;
  mapping.bytes_ = total;
  madvise(mapping.data_, total, MADV_DONTFORK);
  return mapping;
}

void Mapping::populate(Access access) noexcept {
  const int advice = access == Access::read_only ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;
  madvise(data_, std::min(bytes_, kMaxPopulatedBytes), advice);
}

}  // namespace leat::internal
