// Reading one segment to its end, and judging what stands there if the segment is the last. How a journal of many
// segments is judged: journal_end.h.
//
// P is the first place of the segment that holds no good record.
//
//   what stands at P                                                  verdict
//   ----------------------------------------------------------------  -----------
//   a later segment exists, and this one has no segment_end           corruption
//   a mark of this segment says the journal was durable beyond P      corruption
//   the feed's identity says it was closed cleanly beyond P           corruption
//   nothing: the segment ends with its segment_end                    sealed (not asked of judge_tail)
//   a zero checksum in the middle of a batch                          torn tail, from the batch's begin
//   a zero checksum, and behind it a record that is good there        torn tail
//   a zero checksum (nothing was written), none of the above          clean end
//   anything else, none of the above                                  torn tail
//
// A mark behind P counts too. The scan looks for marks in all that follows P: a mark's checksum is seeded with the
// mark's position, so a mark that passes was written there. Any other good record behind P proves nothing, because of
// two writes that were not synced the later one may persist alone. But such a record must be cut. The journal will grow
// until a new record ends where the old one begins. If the terminator between the two were lost then, the old record
// would read as the new one's successor.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>

#include <leat/result.h>

#include "journal/read/journal_files.h"

namespace leat::internal {

enum class TailVerdict { clean_end, sealed, torn, corrupt };

struct TailScan {
  TailVerdict verdict = TailVerdict::clean_end;
  std::uint64_t end_position = 0;      ///< behind the last whole batch: where the journal goes on
  std::uint64_t end_sequence = 0;      ///< newest event below it
  std::int64_t last_timestamp_ns = 0;  ///< of the last record below it
  std::uint64_t bad_position = 0;      ///< torn, corrupt: P
  std::uint64_t durable_position = 0;  ///< the furthest that a mark, or the identity, proves to have been on disk
  std::uint64_t durable_sequence = 0;  ///< the newest event that the same proves
  std::uint64_t garbage_end = 0;       ///< torn: position behind the last byte that is not zero
  std::uint32_t next_producer_id = 1;  ///< above every id in the segment
  std::uint32_t marks = 0;             ///< good marks in the segment
  bool sealed = false;                 ///< the segment ends with its segment_end; else, at P:
  bool zero_checksum = false;          ///<   nothing was written there
  bool unfinished_batch = false;       ///<   the records before P are a batch that is not whole
  bool record_behind = false;          ///<   a record behind P is good, or may be

  /// There is proof that everything below `position` was on disk.
  void prove(std::uint64_t position, std::uint64_t sequence) noexcept {
    if (position <= durable_position) return;
    durable_position = position;
    durable_sequence = sequence;
  }
  /// What another segment's scan knows of the whole journal.
  void take_over(const TailScan& other) noexcept {
    prove(other.durable_position, other.durable_sequence);
    next_producer_id = std::max(next_producer_id, other.next_producer_id);
    if (last_timestamp_ns == 0) last_timestamp_ns = other.last_timestamp_ns;
    marks += other.marks;
  }
};

/// Scans segment `name` to its end. `on_record` is called for each good record, at its position. That includes the
/// records of an unfinished batch at the very end, which lie at or beyond end_position. The scan gives no verdict,
/// which depends on the other segments: see journal_end.h. Errors: io_error, corrupt (segment header).
Result<TailScan> scan_segment(JournalFiles& files, const SegmentName& name,
                              const std::function<void(std::uint64_t position, const RecordView&)>& on_record = {});

/// Adds what the marks prove of the segment that `files` last opened, wherever in that segment the marks lie.
Result<void> search_marks(JournalFiles& files, TailScan& scan);

/// The table above, as a function of its inputs.
TailVerdict judge_tail(const TailScan& scan, bool later_segment) noexcept;

}  // namespace leat::internal
