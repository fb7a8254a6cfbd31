// What can be wrong with a journal: what a check finds, and a repair works from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace leat::internal {

enum class DamageKind : std::uint8_t {
  identity,         ///< the file `feed`
  cursors,          ///< the file `cursors`
  name,             ///< a segment's file is not called what its header says
  stray,            ///< a segment's file that does not belong here
  size,             ///< a segment's file is shorter or longer than it was made
  header,           ///< a segment's header
  index,            ///< at least one entry of a segment's index
  records,          ///< bytes of a segment that hold no good record, or one that may not stand there
  missing_segment,  ///< positions that no file holds, with files before and behind them
  lost_end,         ///< the journal was known to go on, to `to_position`
  contradiction,    ///< what leat repair does not know how to repair
};
std::string_view to_string(DamageKind kind) noexcept;

struct Damage {
  DamageKind kind = DamageKind::records;
  std::string file = {};     ///< in the journal directory
  std::uint64_t offset = 0;  ///< of the damaged bytes in it
  std::uint64_t bytes = 0;
  std::uint64_t from_position = 0;  ///< the same in the journal's stream, where it is part of that
  std::uint64_t to_position = 0;
  std::uint64_t first_lost = 1;  ///< the events that are lost; none if first > last
  std::uint64_t last_lost = 0;
  std::uint64_t newest_before = 0;  ///< newest sequence before `from_position`
  std::int64_t timestamp_ns = 0;    ///< its time
  bool ends_segment = false;        ///< the range ends with the segment's end
  std::string what = {};            ///< for people

  [[nodiscard]] bool loses_events() const noexcept { return first_lost <= last_lost; }
  [[nodiscard]] std::uint64_t newest_behind() const noexcept { return loses_events() ? last_lost : newest_before; }
};

}  // namespace leat::internal
