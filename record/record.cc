#include "record/record.h"

namespace leat::internal {

std::uint64_t checksum_bytes(const void* bytes, std::size_t count, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes, count, seed);
}

std::uint64_t feed_checksum_seed(const FeedUuid& uuid) noexcept { return checksum_bytes(uuid.data(), uuid.size(), 0); }

}  // namespace leat::internal
