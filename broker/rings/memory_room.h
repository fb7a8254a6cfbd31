// How much memory is left to this process, by its memory cgroups (v1 and v2) and the machine. tmpfs does not ask them
// before it takes a page: a cgroup at its limit ends in the OOM killer, not in an error, so we ask first.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

namespace leat::broker {

struct MemoryRoom {
  std::uint64_t bytes = std::numeric_limits<std::uint64_t>::max();
  std::string bound;  ///< which of them is the narrowest, for people; empty: none could be found
};

/// The narrowest of: every memory cgroup from the process's own up to the root, as far as this process sees them; the
/// machine's available memory. What the kernel can take back (file pages) and free swap count as room. What cannot be
/// read counts as no bound. `proc` and `root`: where /proc and / are, for tests.
MemoryRoom find_memory_room(const std::filesystem::path& proc = "/proc", const std::filesystem::path& root = "/");

}  // namespace leat::broker
