// What named cursors keep from being pruned.
#pragma once

#include <cstdint>
#include <string>

namespace leat::broker {

/// What the cursors of one user hold: everything from the lowest of them on.
struct CursorHold {
  std::string name;                     ///< of the lowest
  std::uint32_t uid = 0;                ///< whose they are
  std::uint64_t next_sequence = ~0ULL;  ///< the first event that must be kept for its consumer
  std::uint64_t most_bytes = 0;  ///< how large the journal may be for it: this user's share of --cursor-hold-bytes
};

}  // namespace leat::broker
