// Finding the position of a sequence or of a time: a binary search over the segments' names, one over the sparse index,
// then a short scan.
#pragma once

#include <cstdint>

#include <leat/result.h>

#include "journal/read/journal_files.h"

namespace leat::internal {

/// Where a search ended: the first event that meets the condition, or the end of what is written.
struct Located {
  std::uint64_t position = 0;
  std::uint64_t sequence = 0;     ///< of the event at `position`; at the end: the next one to come
  bool found = false;             ///< false: no event meets it yet
  bool in_gap = false;            ///< locate_sequence: `position` is that of the gap in which the sequence is missing
  std::int64_t timestamp_ns = 0;  ///< of the event that was found
};

/// The first event with sequence >= `sequence`. Looks no further than `limit_position`.
Result<Located> locate_sequence(JournalFiles& files, std::uint64_t sequence, std::uint64_t limit_position);

/// Time stamps decrease only where the broker's clock was set back by more than this, and never run further ahead of
/// that clock than this.
inline constexpr std::int64_t kStampsAheadNs = 3 * 3600 * 1'000'000'000LL;

/// The first event with time stamp >= `timestamp_ns`. An event whose stamp lies hours in the future has it from a clock
/// that was wrong, and is passed over, unless such a time is asked for: then the event may be found. Where the clock
/// was set back, the event that is found may be one from before, with such a stamp. No event that came at that time or
/// later is passed over for it.
Result<Located> locate_time(JournalFiles& files, std::int64_t timestamp_ns, std::uint64_t limit_position);

}  // namespace leat::internal
