// How a client waits.
#pragma once

#include <cstdint>

namespace leat {

/// How a consumer waits for the next event, or a producer for a receipt.
enum class Idle : std::uint8_t {
  adaptive,  ///< spin a few microseconds if a core is free for it and spinning has paid of late, then sleep on a futex
  spin,      ///< never sleep: lowest latency, one core
  block,     ///< sleep at once: least CPU
};

}  // namespace leat
