#include "journal/format/cursor_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "journal/format/format_version.h"
#include "base/unique_fd.h"
#include "base/replace_file.h"
#include "record/record.h"

namespace leat::internal {

bool is_cursor_name(std::string_view name) noexcept {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  return !name.empty() && name.size() < kCursorNameBytes && std::ranges::all_of(name, allowed);
}

std::string cursor_name(const CursorEntry& entry) {
  return std::string(entry.name, ::strnlen(entry.name, sizeof entry.name));
}

Result<std::vector<CursorEntry>> load_cursors(const JournalDirectory& directory, const FeedUuid& uuid) {
  const std::string path = directory.file(kCursorsFileName);
  const UniqueFd fd(::openat(directory.fd, std::string(kCursorsFileName).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid() && errno == ENOENT) return std::vector<CursorEntry>{};
  if (!fd.valid()) return system_error(errno, "opening " + path);
  auto bytes = read_whole_file(fd.get(), kMaxCursorFileBytes, path);
  return bytes ? decode_cursors(*bytes, directory.path, uuid) : bytes.error();
}

Result<std::vector<CursorEntry>> decode_cursors(const std::string& bytes, const std::string& directory,
                                                const FeedUuid& uuid) {
  const std::string path = directory + "/" + std::string(kCursorsFileName);
  const auto corrupt = [&](const char* why) {
    return Error{ErrorCode::corrupt, path + " is damaged: " + why,
                 "leat repair sets it aside, or restore it from a backup, or remove it: then "
                 "named cursors begin anew where their consumers say"};
  };
  CursorsHeader header{};
  if (bytes.size() < sizeof header + kWordBytes) return corrupt("too short");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kCursorsMagic) return corrupt("bad magic");
  if (!is_known_journal_format(header.layout_version)) {
    return Error{ErrorCode::layout_mismatch,
                 path + " has layout version " + std::to_string(header.layout_version) + ", this program knows " +
                     std::to_string(kOldestJournalFormatVersion) + " to " + std::to_string(kJournalFormatVersion),
                 "use the release that wrote it, or a later one"};
  }
  if (header.count > kMaxCursors || bytes.size() != sizeof header + header.count * sizeof(CursorEntry) + kWordBytes) {
    return corrupt("its length contradicts its count");
  }
  std::uint64_t checksum = 0;
  const std::size_t body = bytes.size() - kWordBytes;
  std::memcpy(&checksum, bytes.data() + body, kWordBytes);
  if (checksum != checksum_bytes(bytes.data(), body, 0)) return corrupt("its checksum does not match");
  if (header.feed_uuid != uuid) return corrupt("it is of another feed");
  std::vector<CursorEntry> cursors(header.count);
  if (header.count > 0) std::memcpy(cursors.data(), bytes.data() + sizeof header, header.count * sizeof(CursorEntry));
  return cursors;
}

Result<void> store_cursors(const JournalDirectory& directory, const FeedUuid& uuid,
                           const std::vector<CursorEntry>& cursors) {
  const CursorsHeader header{.magic = kCursorsMagic,
                             .layout_version = kJournalFormatVersion,
                             .count = static_cast<std::uint32_t>(cursors.size()),
                             .feed_uuid = uuid};
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.append(reinterpret_cast<const char*>(cursors.data()), cursors.size() * sizeof(CursorEntry));
  const std::uint64_t checksum = checksum_bytes(bytes.data(), bytes.size(), 0);
  bytes.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  return replace_file(directory.fd, directory.path, std::string(kCursorsFileName), bytes);
}

}  // namespace leat::internal
