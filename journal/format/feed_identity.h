// Who a feed is: its UUID, its epochs, and how its journal was last left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <leat/cursor.h>
#include <leat/result.h>

#include "journal/format/format_version.h"
#include "journal/format/journal_directory.h"
#include "record/feed_uuid.h"

namespace leat::internal {

inline constexpr std::uint64_t kIdentityMagic = 0x3144494654'41454cULL;  // "LEATFID1"

// The file `feed` in the journal directory, always replaced whole (written beside it, synced, renamed, directory
// synced):
//
// off size field
//   0    8 magic
//   8    4 layout_version
//  12    4 epoch_count       1..kMaxEpochs
//  16   16 feed_uuid
//  32    8 directory_inode   of the journal directory: another one means the journal was copied or restored
//  40    8 closed_position   end of the journal at a clean close; kNotClosed while a broker runs, or after it died
//  48    8 closed_sequence
//  56    8 closed_change_ns  ctime of the last segment at a clean close: another one means it was written since, by
//                            somebody else, as a restore from a backup does
//  64      epochs, oldest first: EpochEntry
//  end   8 checksum          XXH3-64 over all before it, seed 0
struct EpochEntry {
  std::uint64_t id;              //  0 random
  std::uint64_t first_sequence;  //  8 of the first event that belongs to it
  std::uint64_t first_position;  // 16
  friend bool operator==(const EpochEntry&, const EpochEntry&) = default;
};
static_assert(sizeof(EpochEntry) == 24);

struct IdentityHeader {
  std::uint64_t magic;
  std::uint32_t layout_version;
  std::uint32_t epoch_count;
  FeedUuid feed_uuid;
  std::uint64_t directory_inode;
  std::uint64_t closed_position;
  std::uint64_t closed_sequence;
  std::int64_t closed_change_ns;
};
static_assert(sizeof(IdentityHeader) == 64 && offsetof(IdentityHeader, closed_position) == 40);

inline constexpr std::uint64_t kNotClosed = ~0ULL;
inline constexpr std::size_t kMaxEpochs = 65536;

/// How a cursor stands to a feed's epochs.
enum class CursorCheck {
  ok,
  lost_tail,      ///< beyond the end of its epoch: what it saw was lost
  unknown_epoch,  ///< not of this feed
};

struct FeedIdentity {
  FeedUuid uuid = {};
  std::uint64_t directory_inode = 0;
  std::uint64_t closed_position = kNotClosed;
  std::uint64_t closed_sequence = 0;
  std::int64_t closed_change_ns = 0;
  std::vector<EpochEntry> epochs;
  std::uint32_t format = kJournalFormatVersion;  ///< of the journal: the newest that any of its files may have

  [[nodiscard]] const EpochEntry& current() const { return epochs.back(); }
  [[nodiscard]] bool closed_cleanly() const noexcept { return closed_position != kNotClosed; }
  /// A cursor of the future is not found out here: that takes the newest sequence.
  [[nodiscard]] CursorCheck check(const Cursor& cursor) const noexcept;
  friend bool operator==(const FeedIdentity&, const FeedIdentity&) = default;
};

/// "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx".
std::string format_uuid(const FeedUuid& uuid);

/// A new feed: random UUID (version 4) and one epoch that starts at sequence 1, position 0.
FeedIdentity create_identity(std::uint64_t directory_inode);

/// Reads `feed` in the directory. Errors: unknown_feed when there is none, corrupt, layout_mismatch, io_error.
Result<FeedIdentity> load_identity(const JournalDirectory& directory);

/// The same from the file's bytes. Errors: corrupt, layout_mismatch.
Result<FeedIdentity> decode_identity(const std::string& bytes, const std::string& directory);
inline constexpr std::size_t kMaxIdentityBytes = sizeof(IdentityHeader) + kMaxEpochs * sizeof(EpochEntry) + 8;

/// The same from an open descriptor of the file; and the error for a file that could not be opened.
Result<FeedIdentity> read_identity(int fd, const std::string& directory);
Error identity_unreadable(int error_number, const std::string& directory);

/// Replaces `feed` durably: when this returns ok it survives a loss of power.
Result<void> store_identity(const JournalDirectory& directory, const FeedIdentity& identity);

}  // namespace leat::internal
