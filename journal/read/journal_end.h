// Where a journal ends: over all its segments, what tail_scan.h says of one. The same for recovery and for readers
// without a broker.
//
// From the oldest on, those segments belong to the journal that hang together: the segment has a good header, and the
// segment before ends, with its segment end, where this one begins. Segments of which nothing proves that they were on
// disk are read from end to end. P is the first place that does not hold what it should: a record, a segment's header,
// a whole segment.
//
//   what is found                                                              verdict
//   -------------------------------------------------------------------------  ---------------------------------------
//   a mark in any segment, or the feed's identity, proves bytes beyond P       corrupt
//   a segment beyond P is not as long as it was made                           corrupt: length is synced before use
//   no such proof                                                              the journal ends at P, as tail_scan.h
//                                                                              says of the segment; those behind it
//                                                                              were begun and never got there whole
//   there is no such place                                                     the end of the last segment
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <leat/result.h>

#include "journal/read/tail_scan.h"

namespace leat::internal {

struct JournalEnd {
  std::size_t segments = 0;         ///< how many of files.segments() belong to the journal, from the oldest on
  TailScan scan;                    ///< of the last of them; durable_* and next_producer_id of all that was read
  std::string bad_place;            ///< torn, corrupt: segment and offset of P
  std::uint64_t last_affected = 0;  ///< corrupt: the newest event that is known to be missing, or more
};

/// Finds the end. `read_from`: at least every record from this position on is shown to `on_record`, segment by segment,
/// the newest segment first; also those that turn out to lie beyond the end. Errors: io_error; corrupt when a segment
/// has been cut short. Corruption of records is a verdict.
Result<JournalEnd> find_journal_end(
    JournalFiles& files, std::uint64_t read_from = ~0ULL,
    const std::function<void(std::uint64_t position, const RecordView&)>& on_record = {});

/// What a verdict of corruption means to whoever asked: segment, offset, position and sequences.
Error corruption_error(const JournalEnd& end);

}  // namespace leat::internal
