// What names a feed, wherever its bytes lie.
#pragma once

#include <array>
#include <cstdint>

namespace leat::internal {

using FeedUuid = std::array<std::uint8_t, 16>;

}  // namespace leat::internal
