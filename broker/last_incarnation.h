// What the rings say of the broker that served them last.
#pragma once

#include <cstdint>

namespace leat::broker {

/// What the rings of the last broker, still on tmpfs, tell about how far it came.
struct LastIncarnation {
  bool known = false;
  std::uint64_t committed = 0;              ///< visible to consumers
  std::uint64_t round_position = kNoRound;  ///< start of the round in progress; kNoRound: no tickets are left of one
  static constexpr std::uint64_t kNoRound = ~0ULL;
  bool failed = false;             ///< it stopped on a disk error
  std::uint64_t epoch = 0;         ///< in which it wrote; another one than the journal's: it was repaired since
  bool ingest = false;             ///< arenas are left of it
  std::uint64_t ingest_epoch = 0;  ///< of the events that their producers have receipts of; 0: it did not say
};

}  // namespace leat::broker
