// The repair of a damaged journal. What cannot be had back is given up openly: a gap record takes its place.
//
// A repair may be killed at any step, or lose power there, and the next run finishes it. This is due to the order of
// the steps:
//   1. every damaged byte is copied aside and synced before anything is overwritten (torn-<position>-<n>.bin, where n
//      follows from the bytes, so that a second run writes the same file);
//   2. the file `feed` gets a new epoch before the first byte of the journal changes: whatever a reader sees from
//      then on, the reader sees under an epoch that says so. `feed` keeps what it says about how the journal was
//      closed: that is the proof of an end that is lost;
//   3. a segment with holes is copied, and the holes are filled in the copy: a hole that is filled by half could say
//      that other events are lost than the damage said. Where all records of a segment are good, its header, index and
//      size are repaired in place;
//   4. copies, and files that are made anew, get their name when they are whole and synced;
//   5. last of all `feed` notes where the journal now ends, if it was closed cleanly before.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <leat/result.h>

#include "base/file_lock.h"
#include "journal/check/check_journal.h"

namespace leat::internal {

/// Takes the lock that a broker holds while it runs, without waiting. Error: busy, which says who holds it, and who
/// waits.
Result<FileLock> lock_journal(const JournalDirectory& directory);

/// Who holds that lock just now, as lock_holders(); nothing is made, locked or written.
std::string who_works_on(const JournalDirectory& directory);

/// What a repair has done.
struct RepairReport {
  std::vector<std::string> kept;  ///< files in the journal directory that hold what was there before
  std::vector<std::string> done;  ///< for people, in order
  std::uint64_t epoch = 0;        ///< the new one
  std::uint64_t next_sequence = 0;
};

/// Repairs what `check` found; the caller has held the lock since before the check. An intact journal is left alone.
/// Errors: corrupt, if some damage cannot be repaired here (nothing has been changed then); no_space, io_error.
Result<RepairReport> repair_journal(const JournalDirectory& directory, const JournalCheck& check);

}  // namespace leat::internal
