// What a broker does with the journal before it serves: find the end, cut what was torn, refuse what is corrupt.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <leat/result.h>

#include "base/clock.h"
#include "broker/last_incarnation.h"
#include "journal/read/journal_files.h"
#include "journal/format/journal_directory.h"

namespace leat::broker {

/// producer_id -> (producer_sequence -> sequence): what the journal holds of the round in which the last broker died.
using JournaledTail = std::map<std::uint32_t, std::map<std::uint64_t, std::uint64_t>>;

/// Why it cannot be proven that nothing visible was lost. The first that holds, in this order.
enum class NewEpoch : std::uint8_t {
  no,
  below_rings,      ///< the journal ends below what the rings of the last broker showed
  other_directory,  ///< not closed here, and the directory has another inode: copied, restored, renumbered
  rings_lost,       ///< not closed, and the rings are gone: loss of power, reboot, runtime directory removed
  other_end,        ///< closed, but it ends somewhere else now
  changed_since,    ///< closed, but its last segment was changed since, as a backup that is copied over it does
};

struct Recovered {
  internal::FeedIdentity identity;              ///< with the epoch that is now current
  std::vector<internal::SegmentName> segments;  ///< oldest first; the last one is where appending goes on
  bool needs_segment = false;                   ///< no segment, or the last one is sealed: begin a new one first
  std::uint64_t end_position = 0;
  std::uint64_t end_sequence = 0;
  std::uint64_t durable_position = 0;  ///< everything below was on disk when the last broker ended
  std::int64_t last_timestamp_ns = 0;
  std::uint32_t next_producer_id = 1;
  bool ring_can_go_on = false;  ///< nothing that consumers may have seen is missing
  /// Events from this number on, of which producers may have receipts, are not in the journal any more, or others in
  /// their place; 0: none are missing.
  std::uint64_t lost_from_sequence = 0;
  JournaledTail tail;
  NewEpoch new_epoch = NewEpoch::no;  ///< why `identity` has an epoch more than was stored
};

/// When the inode of a file was last changed, in ns of CLOCK_REALTIME; nobody can set it, unlike the time of its bytes.
inline std::int64_t change_time_ns(const struct stat& status) noexcept {
  return status.st_ctim.tv_sec * internal::kNanosPerSecond + status.st_ctim.tv_nsec;
}

/// Recovers the journal in `directory`, creating it if it is empty. The caller holds its lock, and stores the identity
/// ("not closed", the epoch now current) before anything is written to the journal: a start that fails until then
/// leaves no trace. Errors: corrupt (with segment, offset and sequence; nothing has been changed), layout_mismatch,
/// io_error, no_space.
Result<Recovered> recover_journal(const internal::JournalDirectory& directory, const LastIncarnation& last);

}  // namespace leat::broker
