// What has been told to anybody, and whether a disk keeps it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace leat::test {

/// What producers and consumers know at a moment. An event is known by a number that its payload begins with.
struct Told {
  std::vector<std::uint64_t> line;  ///< the events in order: of sequence 1, 2, 3, ...; newer ones not yet visible
  std::uint64_t visible_sequence = 0;
  std::uint64_t durable_sequence = 0;
  std::uint64_t durable_position = 0;
  std::uint64_t earliest_sequence = 1;  ///< older ones may have been pruned
  bool feed_made = false;               ///< the first start has come to its end
  std::uint64_t cursor_durable = 0;     ///< of the named cursor: what was flushed,
  std::uint64_t cursor_saved = 0;       ///< and what may have been
  /// By epoch: the events, in order, that consumers have seen under it.
  std::map<std::uint64_t, std::vector<std::uint64_t>> seen;
};

struct Verdict {
  std::string broken;                 ///< empty: all promises held
  std::vector<std::uint64_t> events;  ///< what the disk holds, from `first_sequence` on
  std::uint64_t first_sequence = 1;
  std::uint64_t last_sequence = 0;
};

inline constexpr char kCursorName[] = "place";

/// Opens the journal in `directory` as a reader without a broker does, then as a starting broker does, and compares
/// with `told`. Changes the directory. `thorough`: also stores what recovery found, and opens once more.
Verdict judge_disk(const std::filesystem::path& directory, const Told& told, bool thorough);

}  // namespace leat::test
