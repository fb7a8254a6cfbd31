#include "journal/read/salvage.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "base/random.h"
#include "base/unique_fd.h"
#include "base/replace_file.h"
#include "record/record.h"

namespace leat::internal {

std::optional<std::string> repair_one_byte(const std::string& bytes) {
  if (bytes.size() < 2 * kWordBytes || bytes.size() > kMaxRepairedBytes) return std::nullopt;
  const std::size_t body = bytes.size() - kWordBytes;
  std::uint64_t stored = 0;
  std::memcpy(&stored, bytes.data() + body, kWordBytes);
  const std::uint64_t sum = checksum_bytes(bytes.data(), body, 0);
  std::string repaired = bytes;
  // One byte of the checksum itself is wrong: its other bytes prove the rest.
  const std::uint64_t differs = sum ^ stored;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    if ((differs & ~(0xffULL << shift)) != 0) continue;
    std::memcpy(repaired.data() + body, &sum, kWordBytes);
    return repaired;
  }
  for (std::size_t at = 0; at < body; ++at) {
    for (int value = 0; value < 256; ++value) {
      repaired[at] = static_cast<char>(value);
      if (checksum_bytes(repaired.data(), body, 0) == stored) return repaired;
    }
    repaired[at] = bytes[at];
  }
  return std::nullopt;
}

bool closing_checksum_matches(const std::string& bytes) noexcept {
  if (bytes.size() < 2 * kWordBytes) return false;
  std::uint64_t stored = 0;
  std::memcpy(&stored, bytes.data() + bytes.size() - kWordBytes, kWordBytes);
  return stored == checksum_bytes(bytes.data(), bytes.size() - kWordBytes, 0);
}

namespace {

template <typename T, typename Decoder>
Result<Salvaged<T>> salvage(const JournalDirectory& directory, const std::string& name, std::size_t most,
                            Decoder decode) {
  Salvaged<T> file;
  const UniqueFd fd(::openat(directory.fd, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid() && errno == ENOENT) return file;
  if (!fd.valid()) return system_error(errno, "opening " + directory.file(name));
  file.exists = true;
  auto bytes = read_whole_file(fd.get(), most, directory.file(name));
  if (!bytes && bytes.error().code != ErrorCode::io_error) return bytes.error();
  if (!bytes) {
    file.what = bytes.error().message;
    return file;
  }
  file.bytes = std::move(*bytes);
  auto content = decode(file.bytes);
  if (!content && content.error().code == ErrorCode::layout_mismatch && closing_checksum_matches(file.bytes)) {
    return content.error();
  }
  file.good = content.ok();
  if (content) {
    file.content = std::move(*content);
    return file;
  }
  file.what = "its bytes fail their check";
  const auto repaired = repair_one_byte(file.bytes);
  if (!repaired) return file;
  if (auto again = decode(*repaired); again) {
    file.content = std::move(*again);
    file.what = "one byte of it is wrong, and which one is known";
  }
  return file;
}

}  // namespace

Result<Salvaged<FeedIdentity>> salvage_identity(const JournalDirectory& directory) {
  return salvage<FeedIdentity>(directory, std::string(kIdentityFileName), kMaxIdentityBytes,
                               [&](const std::string& bytes) { return decode_identity(bytes, directory.path); });
}

Result<Salvaged<std::vector<CursorEntry>>> salvage_cursors(const JournalDirectory& directory, const FeedUuid& uuid) {
  return salvage<std::vector<CursorEntry>>(directory, std::string(kCursorsFileName), kMaxCursorFileBytes,
                                           [&](const std::string& bytes) {
                                             return decode_cursors(bytes, directory.path, uuid);
                                           });
}

Result<FeedIdentity> identity_from_segments(const std::vector<HeaderWitness>& headers, const std::string& directory) {
  const auto needs = [&](const std::string& why) {
    return Error{ErrorCode::corrupt, directory + "/" + std::string(kIdentityFileName) + " cannot be made anew: " + why,
                 "put back the file 'feed' from a backup of this journal, however old"};
  };
  if (headers.empty()) return needs("no segment has an intact header that names the feed");
  FeedIdentity identity;
  identity.uuid = headers.front().uuid;
  for (const HeaderWitness& header : headers) {
    if (header.uuid != identity.uuid) return needs("the segments are of several feeds");
  }
  const SegmentName* before = nullptr;
  for (const HeaderWitness& header : headers) {
    if (!identity.epochs.empty() && identity.epochs.back().id == header.epoch) {
      before = &header.name;
      continue;
    }
    // It began somewhere behind the begin of the last segment that has the epoch before it.
    const SegmentName& since = before != nullptr ? *before : header.name;
    identity.epochs.push_back(
        {.id = header.epoch, .first_sequence = since.first_sequence, .first_position = since.first_position});
    before = &header.name;
  }
  // Other epochs may have begun since the last segment did, and nothing says so.
  identity.epochs.push_back(
      {.id = random_id(), .first_sequence = before->first_sequence, .first_position = before->first_position});
  return identity;
}

}  // namespace leat::internal
