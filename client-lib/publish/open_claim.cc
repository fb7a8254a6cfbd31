#include "client-lib/publish/open_claim.h"

#include <cstring>
#include <utility>

#include "base/check.h"
#include "record/record.h"

namespace leat::client {

using namespace internal;

void OpenClaim::open(std::byte* record, std::uint32_t bytes) noexcept {
  LEAT_DCHECK(!is_open() && record != nullptr);
  record_ = record;
  bytes_ = bytes;
  bounds_.close_for(Bounds::Obstacle::open_claim);
}

void OpenClaim::close() noexcept {
  record_ = nullptr;
  former_arena_ = {};
  bounds_.open_again(Bounds::Obstacle::open_claim);
}

void OpenClaim::keep(Mapping arena) noexcept {
  if (is_open() && !former_arena_.valid()) former_arena_ = std::move(arena);  // the caller's span stays valid
}

void OpenClaim::copy_to(std::byte* room, std::uint64_t producer_sequence) const noexcept {
  LEAT_DCHECK(is_open());
  std::memcpy(room, record_, bytes_);
  std::memcpy(room + offsetof(RecordHeader, producer_sequence), &producer_sequence, sizeof producer_sequence);
}

}  // namespace leat::client
