// Reading the last segment to its end, and judging what is found there.
//
//   what stands at the first place P that holds no good record        verdict
//   ----------------------------------------------------------------  -----------
//   a later segment exists, and this one has no segment_end           corruption
//   a mark of this segment says the journal was durable beyond P      corruption
//   the feed's identity says it was closed cleanly beyond P           corruption
//   nothing: the segment ends with its segment_end                    sealed (not asked of judge_tail)
//   a zero checksum in the middle of a batch                          torn tail, from the batch's begin
//   a zero checksum (nothing was written), none of the above          clean end
//   anything else, none of the above                                  torn tail
//
// Marks behind P count too: they are looked for in all that follows, as their checksum, seeded with their position,
// proves them. A good record behind a bad one proves nothing otherwise: the later of two unsynced writes may persist
// alone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <leat/result.h>

#include "shm/journal/journal_files.h"

namespace leat::shm {

enum class TailVerdict { clean_end, sealed, torn, corrupt };

struct TailScan {
  TailVerdict verdict = TailVerdict::clean_end;
  std::uint64_t end_position = 0;       ///< behind the last whole batch: where the journal goes on
  std::uint64_t end_sequence = 0;       ///< newest event below it
  std::int64_t last_timestamp_ns = 0;
  std::uint64_t bad_position = 0;       ///< torn, corrupt: P
  std::uint64_t durable_position = 0;   ///< the furthest that a mark, or the identity, vouches for
  std::uint64_t durable_sequence = 0;   ///< the newest event that the same vouches for
  std::uint64_t garbage_end = 0;        ///< torn: position behind the last byte that is not zero
  std::uint32_t next_producer_id = 1;   ///< above every id in the segment
  std::uint32_t marks = 0;              ///< good marks in it
};

/// Scans segment `name` to its end. `on_record` is called for each good record, at its position, also for those of an
/// unfinished batch at the very end (which lie at or beyond end_position). Errors: io_error, corrupt (segment header).
Result<TailScan> scan_tail(JournalFiles& files, const SegmentName& name,
                           const std::function<void(std::uint64_t position, const RecordView&)>& on_record = {});

/// The table above, as a function of its inputs.
TailVerdict judge_tail(std::uint64_t stop_position, bool zero_checksum, bool unfinished_batch, bool later_segment,
                       std::uint64_t durable_position) noexcept;

}  // namespace leat::shm
