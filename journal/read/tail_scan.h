// Reading a segment to its end, and judging what is found there if it is the last. Over all segments: journal_end.h.
//
//   what stands at the first place P that holds no good record        verdict
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
// Marks behind P count too: they are looked for in all that follows, as their checksum, seeded with their position,
// proves them. A good record behind a bad one proves nothing otherwise: the later of two unsynced writes may persist
// alone. But it must go: once a new record ends where it begins, it would follow that one, should the terminator
// between them be lost.
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
  std::uint64_t durable_position = 0;  ///< the furthest that a mark, or the identity, vouches for
  std::uint64_t durable_sequence = 0;  ///< the newest event that the same vouches for
  std::uint64_t garbage_end = 0;       ///< torn: position behind the last byte that is not zero
  std::uint32_t next_producer_id = 1;  ///< above every id in the segment
  std::uint32_t marks = 0;             ///< good marks in it
  bool sealed = false;                 ///< it ends with its segment_end; else, at P:
  bool zero_checksum = false;          ///<   nothing was written there
  bool unfinished_batch = false;       ///<   the records before it are a batch that is not whole
  bool record_behind = false;          ///<   a record behind it is good, or may be

  /// Takes a witness: everything below its position was on disk.
  void vouch(std::uint64_t position, std::uint64_t sequence) noexcept {
    if (position <= durable_position) return;
    durable_position = position;
    durable_sequence = sequence;
  }
  /// What another segment's scan knows of the whole journal.
  void take_over(const TailScan& other) noexcept {
    vouch(other.durable_position, other.durable_sequence);
    next_producer_id = std::max(next_producer_id, other.next_producer_id);
    if (last_timestamp_ns == 0) last_timestamp_ns = other.last_timestamp_ns;
    marks += other.marks;
  }
};

/// Scans segment `name` to its end. `on_record` is called for each good record, at its position, also for those of an
/// unfinished batch at the very end (which lie at or beyond end_position). No verdict: that takes what other segments
/// say, see journal_end.h. Errors: io_error, corrupt (segment header).
Result<TailScan> scan_segment(JournalFiles& files, const SegmentName& name,
                              const std::function<void(std::uint64_t position, const RecordView&)>& on_record = {});

/// Takes the marks of the segment that `files` last opened, wherever in it they lie, for witnesses.
Result<void> search_marks(JournalFiles& files, TailScan& scan);

/// The table above, as a function of its inputs.
TailVerdict judge_tail(const TailScan& scan, bool later_segment) noexcept;

}  // namespace leat::internal
