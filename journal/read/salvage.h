// Putting the small files of a journal right again, as far as that can be proven.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <leat/result.h>

#include "journal/format/cursor_file.h"
#include "journal/format/feed_identity.h"
#include "journal/format/segment_layout.h"

namespace leat::internal {

/// The bytes with one of them put right, if that makes their closing checksum match: then they are what they were, as
/// sure as the checksum is. Tries nothing if there are more than kMaxRepairedBytes.
std::optional<std::string> repair_one_byte(const std::string& bytes);
inline constexpr std::size_t kMaxRepairedBytes = 8192;

/// True if the bytes end with the XXH3-64 of all before.
bool closing_checksum_matches(const std::string& bytes) noexcept;

/// A small file of the journal directory, as it stands and as it can be had.
template <typename T>
struct Salvaged {
  bool exists = false;
  bool good = false;
  std::string bytes;
  std::optional<T> content;  ///< if good, or if one byte could be put right
  std::string what;          ///< what is wrong with it
};
/// Errors: layout_mismatch (of a file that is intact), permission_denied, io_error.
Result<Salvaged<FeedIdentity>> salvage_identity(const JournalDirectory& directory);
Result<Salvaged<std::vector<CursorEntry>>> salvage_cursors(const JournalDirectory& directory, const FeedUuid& uuid);

/// What a segment's header says about the feed.
struct HeaderWitness {
  SegmentName name;
  FeedUuid uuid = {};
  std::uint64_t epoch = 0;
};

/// A feed's identity from the headers of its segments, oldest first. Where an epoch began is not in the headers, so
/// each epoch is taken to begin as early as it can have begun: a cursor may get a Reset without need, but always gets
/// one where one is due.
/// Error: corrupt, when there are no headers, or they are of several feeds.
Result<FeedIdentity> identity_from_segments(const std::vector<HeaderWitness>& headers, const std::string& directory);

}  // namespace leat::internal
