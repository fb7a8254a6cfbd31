// The version of everything in the journal's directory.
#pragma once

#include <cstdint>

namespace leat::internal {

/// Version of segments and records, of the feed's identity and of the cursors' file. A change of any of them raises
/// it; a file of another version is refused by name and left as it is. Journals outlive releases: a new version comes
/// with the code that reads the one before it (CONTRIBUTING.md).
inline constexpr std::uint32_t kJournalFormatVersion = 1;

}  // namespace leat::internal
