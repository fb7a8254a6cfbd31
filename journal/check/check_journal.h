// Reading a whole journal and telling what is wrong with it: what `leat verify` prints and what a repair works from.
// Only reads; a broker may write meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <leat/result.h>

#include "journal/format/damage.h"
#include "journal/format/feed_identity.h"
#include "journal/format/segment_layout.h"

namespace leat::internal {

struct GapFound {
  std::string file;
  std::uint64_t position = 0;
  std::uint64_t first_missing = 0;
  std::uint64_t last_missing = 0;
};

/// One segment, as far as it could be made out.
struct SegmentCheck {
  SegmentName name;
  std::string file;  ///< differs from the name's if that was wrong
  std::uint64_t file_bytes = 0;
  std::uint64_t wanted_bytes = 0;  ///< as it was made
  std::uint64_t inode = 0;
  std::uint64_t epoch = 0;  ///< of its header; 0 if that is damaged
  bool header_good = false;
  bool index_good = true;
  bool records_good = true;
  bool sealed = false;
  std::uint64_t end_position = 0;
  std::int64_t first_timestamp_ns = 0;
  std::vector<IndexEntry> index;  ///< made anew from the records, where anything is damaged
};

struct JournalCheck {
  FeedIdentity identity;  ///< put right, if it was damaged
  bool identity_good = true;
  std::vector<SegmentCheck> segments;  ///< oldest first
  std::vector<Damage> damages;         ///< in order of position, but for whole files, which come first
  std::vector<GapFound> gaps;
  std::vector<std::string> notes;  ///< what is no damage, yet worth saying

  std::uint64_t bytes = 0;  ///< of segment files
  std::uint64_t events = 0;
  std::uint64_t marks = 0;
  std::uint64_t index_entries = 0;
  std::uint64_t earliest_sequence = 1;
  std::uint64_t end_position = 0;  ///< where the journal goes on, losses included
  std::uint64_t end_sequence = 0;
  std::int64_t end_timestamp_ns = 0;
  std::uint64_t torn_bytes = 0;  ///< behind the end, no records: the next start of leatd cuts them
  std::uint32_t next_producer_id = 1;

  /// The journal is damaged, but only where nothing is proven to have been on disk, as a loss of power can leave it:
  /// leatd starts on it as it is, and cuts the journal behind this sequence.
  std::optional<std::uint64_t> cut_behind;

  [[nodiscard]] bool intact() const noexcept { return damages.empty(); }
  [[nodiscard]] std::uint64_t events_lost() const noexcept;
};

struct CheckProgress {
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;
};

/// Checks everything in the directory. Damage is no error. `on_progress` is called about once a MiB; false ends the
/// check with an error of code closed. Memory: one buffer, one segment's index, and what is reported. Errors:
/// unknown_feed, permission_denied, io_error, layout_mismatch; corrupt if the feed's UUID cannot be made out.
Result<JournalCheck> check_journal(const JournalDirectory& directory,
                                   const std::function<bool(const CheckProgress&)>& on_progress = {});

}  // namespace leat::internal
