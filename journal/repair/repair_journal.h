// Mending a damaged journal. What cannot be had back is given up in so many words: a gap record takes its place.
//
// The order of the steps makes a repair that is killed at any of them, or loses power there, one that the next run
// finishes:
//   1. every damaged byte is copied aside and synced before anything is overwritten (torn-<position>-<n>.bin, where n
//      follows from the bytes, so that a second run writes the same file);
//   2. the file `feed` gets a new epoch before the first byte of the journal changes: whatever a reader sees from
//      then on, it sees under an epoch that says so. It keeps what it says about how the journal was closed, which
//      vouches for a lost end;
//   3. a segment with holes is copied, and they are filled in the copy: a hole filled by half could tell another story
//      of what is lost than the damage did. Header, index and size of one whose records are good are mended in place;
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

/// Mends what `check` found; the caller holds the lock since before the check. Nothing to do if it is intact. Errors:
/// corrupt, if there is something that no repair here can mend (nothing has been changed then); no_space, io_error.
Result<RepairReport> repair_journal(const JournalDirectory& directory, const JournalCheck& check);

}  // namespace leat::internal
