// How a feed stands, as producers, consumers and observers see it.
#pragma once

#include <cstdint>

namespace leat::internal {

/// Whether the feed takes events. Written by the broker.
enum class FeedState : std::uint32_t { running = 0, stalled = 1, failed = 2, stopped = 3 };

}  // namespace leat::internal
