// A producer in a child process, whose one call is stepped.
#pragma once

#include <cstdint>
#include <span>

#include "process/kill/attacked_feed.h"
#include "process/kill/stepped_call.h"

namespace leat::test {

inline constexpr std::uint64_t kVictimBefore = 2;  ///< events that it has published, and been told so, before its call
inline constexpr std::uint64_t kVictimBatch = 3;   ///< most events of a call

struct VictimCall {
  const char* name;
  std::uint64_t events;
  Publish (*make)(Producer& producer, std::span<const Event> events);
};

/// Publishes as producer `index`. Let go on, it ends when it has been told that all is accepted.
ChildPart make_victim(AttackedFeed& feed, std::uint32_t index, const VictimCall& call, ChildReport& report);

/// One that no victim of this process has had.
std::uint32_t next_victim_index();

}  // namespace leat::test
