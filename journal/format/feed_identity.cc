#include "journal/format/feed_identity.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "journal/format/format_version.h"
#include "base/random.h"
#include "base/unique_fd.h"
#include "base/replace_file.h"
#include "journal/format/segment_layout.h"
#include "record/record.h"

namespace leat::internal {

CursorCheck FeedIdentity::check(const Cursor& cursor) const noexcept {
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    if (epochs[i].id != cursor.epoch) continue;
    // Not the next one alone: what it began behind may have been lost in its turn, and then a later one begins below
    // it.
    const bool ended = std::any_of(epochs.begin() + static_cast<std::ptrdiff_t>(i) + 1, epochs.end(),
                                   [&](const EpochEntry& later) { return cursor.sequence >= later.first_sequence; });
    return ended ? CursorCheck::lost_tail : CursorCheck::ok;
  }
  return CursorCheck::unknown_epoch;
}

std::string format_uuid(const FeedUuid& uuid) {
  std::string text;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", uuid[i]);
    text += hex;
  }
  return text;
}

FeedIdentity create_identity(std::uint64_t directory_inode) {
  FeedIdentity identity;
  fill_random(identity.uuid);
  identity.uuid[6] = static_cast<std::uint8_t>((identity.uuid[6] & 0x0f) | 0x40);  // version 4, RFC 9562
  identity.uuid[8] = static_cast<std::uint8_t>((identity.uuid[8] & 0x3f) | 0x80);  // variant
  identity.directory_inode = directory_inode;
  identity.epochs.push_back({.id = random_id(), .first_sequence = 1, .first_position = 0});
  return identity;
}

namespace {

std::string encode(const FeedIdentity& identity) {
  const IdentityHeader header{.magic = kIdentityMagic,
                              .layout_version = identity.format,
                              .epoch_count = static_cast<std::uint32_t>(identity.epochs.size()),
                              .feed_uuid = identity.uuid,
                              .directory_inode = identity.directory_inode,
                              .closed_position = identity.closed_position,
                              .closed_sequence = identity.closed_sequence,
                              .closed_change_ns = identity.closed_change_ns};
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.append(reinterpret_cast<const char*>(identity.epochs.data()), identity.epochs.size() * sizeof(EpochEntry));
  const std::uint64_t checksum = checksum_bytes(bytes.data(), bytes.size(), 0);
  bytes.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  return bytes;
}

}  // namespace

Error identity_unreadable(int error_number, const std::string& directory) {
  const std::string name(kIdentityFileName);
  if (error_number != ENOENT) return system_error(error_number, "opening " + directory + "/" + name);
  return {ErrorCode::unknown_feed, directory + " holds no journal (no file '" + name + "')",
          "check the feed's name and --data-dir"};
}

Result<FeedIdentity> load_identity(const JournalDirectory& directory) {
  const UniqueFd fd(::openat(directory.fd, std::string(kIdentityFileName).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return identity_unreadable(errno, directory.path);
  return read_identity(fd.get(), directory.path);
}

Result<FeedIdentity> read_identity(int fd, const std::string& directory) {
  auto read = read_whole_file(fd, kMaxIdentityBytes, directory + "/" + std::string(kIdentityFileName));
  return read ? decode_identity(*read, directory) : read.error();
}

Result<FeedIdentity> decode_identity(const std::string& bytes, const std::string& directory) {
  const auto corrupt = [&](const std::string& why) {
    return Error{ErrorCode::corrupt, directory + "/" + std::string(kIdentityFileName) + " is damaged: " + why,
                 "leat repair can put it right, or restore it from a backup of the journal directory"};
  };
  IdentityHeader header{};
  if (bytes.size() < sizeof header + sizeof(EpochEntry) + 8) return corrupt("too short");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kIdentityMagic) return corrupt("bad magic");
  if (!is_known_journal_format(header.layout_version)) {
    return Error{ErrorCode::layout_mismatch,
                 directory + " has journal layout version " + std::to_string(header.layout_version) +
                     ", this program knows " + std::to_string(kOldestJournalFormatVersion) + " to " +
                     std::to_string(kJournalFormatVersion),
                 "use the release that wrote it, or a later one"};
  }
  const std::size_t epochs_bytes = header.epoch_count * sizeof(EpochEntry);
  if (header.epoch_count < 1 || header.epoch_count > kMaxEpochs) return corrupt("epoch count out of bounds");
  if (bytes.size() != sizeof header + epochs_bytes + 8) return corrupt("its length contradicts its epoch count");
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + bytes.size() - 8, 8);
  if (checksum != checksum_bytes(bytes.data(), bytes.size() - 8, 0)) return corrupt("its checksum does not match");
  FeedIdentity identity;
  identity.uuid = header.feed_uuid;
  identity.directory_inode = header.directory_inode;
  identity.closed_position = header.closed_position;
  identity.closed_sequence = header.closed_sequence;
  identity.closed_change_ns = header.closed_change_ns;
  identity.format = header.layout_version;
  identity.epochs.resize(header.epoch_count);
  std::memcpy(identity.epochs.data(), bytes.data() + sizeof header, epochs_bytes);
  return identity;
}

Result<void> store_identity(const JournalDirectory& directory, const FeedIdentity& identity) {
  return replace_file(directory.fd, directory.path, std::string(kIdentityFileName), encode(identity));
}

}  // namespace leat::internal
