// Named cursors: places in a feed that the broker keeps for its consumers, and holds segments for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <leat/cursor.h>
#include <leat/result.h>

#include "journal/format/journal_directory.h"
#include "record/feed_uuid.h"

namespace leat::internal {

inline constexpr std::uint64_t kCursorsMagic = 0x3152554354'41454cULL;  // "LEATCUR1"
inline constexpr std::string_view kCursorsFileName = "cursors";
inline constexpr std::size_t kCursorNameBytes = 64;  ///< 1 to 63 of A-Z a-z 0-9 . _ -, then zeros
inline constexpr std::size_t kMaxCursors = 1024;

// The file `cursors` in the journal directory, always replaced whole (replace_file.h):
//
// off size field
//   0    8 magic
//   8    4 layout_version
//  12    4 count           0..kMaxCursors
//  16   16 feed_uuid
//  32      entries, in order of their names: CursorEntry
//  end   8 checksum        XXH3-64 over all before it, seed 0
struct CursorsHeader {
  std::uint64_t magic;
  std::uint32_t layout_version;
  std::uint32_t count;
  FeedUuid feed_uuid;
};
static_assert(sizeof(CursorsHeader) == 32);

struct CursorEntry {
  char name[kCursorNameBytes];  //  0 terminated
  std::uint64_t epoch;          // 64
  std::uint64_t sequence;       // 72 of the last event that its consumer is done with
  std::int64_t saved_ns;        // 80 CLOCK_REALTIME; for show
  std::uint32_t uid;            // 88 whose it is: nobody else may take, move or drop it
  std::uint32_t reserved;       // 92 0
};
static_assert(sizeof(CursorEntry) == 96 && offsetof(CursorEntry, uid) == 88);

/// True for what a cursor may be called.
bool is_cursor_name(std::string_view name) noexcept;
std::string cursor_name(const CursorEntry& entry);

/// All cursors of the feed; none if there is no file yet. Errors: io_error, layout_mismatch; corrupt when damaged, or
/// of another feed.
Result<std::vector<CursorEntry>> load_cursors(const JournalDirectory& directory, const FeedUuid& uuid);

/// The same from the file's bytes.
Result<std::vector<CursorEntry>> decode_cursors(const std::string& bytes, const std::string& directory,
                                                const FeedUuid& uuid);
inline constexpr std::size_t kMaxCursorFileBytes = sizeof(CursorsHeader) + kMaxCursors * sizeof(CursorEntry) + 8;

/// Replaces the file durably.
Result<void> store_cursors(const JournalDirectory& directory, const FeedUuid& uuid,
                           const std::vector<CursorEntry>& cursors);

}  // namespace leat::internal
