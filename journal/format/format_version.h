// The version of everything in the journal's directory.
#pragma once

#include <cstdint>

namespace leat::internal {

/// Version of segments and records, of the feed's identity and of the cursors' file. A change of any of them raises
/// it; a file of another version is refused by name and left as it is. Journals outlive releases: a new version comes
/// with the code that reads the one before it (CONTRIBUTING.md).
///
///   1  until November 2026
///   2  records: headers, in a byte that was 0 before, and tombstones. A file of version 1 is a file of version 2
///      without any of these, so it is read as such; a broker that serves the feed writes version 2 from then on.
inline constexpr std::uint32_t kJournalFormatVersion = 2;
inline constexpr std::uint32_t kOldestJournalFormatVersion = 1;

constexpr bool is_known_journal_format(std::uint32_t version) noexcept {
  return version >= kOldestJournalFormatVersion && version <= kJournalFormatVersion;
}

}  // namespace leat::internal
