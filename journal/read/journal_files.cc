#include "journal/read/journal_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/whole_io.h"

namespace leat::internal {

Result<std::vector<SegmentName>> read_segment_names(const JournalDirectory& directory) {
  // A new open file description, so that concurrent listings do not share a read offset. Who may not open the directory
  // was given a description of his own.
  UniqueFd fd(::openat(directory.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() && errno == EACCES) fd = UniqueFd(::fcntl(directory.fd, F_DUPFD_CLOEXEC, 0));
  if (!fd.valid()) return system_error(errno, "opening " + directory.path);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd.get()), &::closedir);
  if (!stream) return system_error(errno, "listing " + directory.path);
  (void)fd.release();  // the stream's now
  ::rewinddir(stream.get());
  std::vector<SegmentName> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    if (const auto name = SegmentName::parse(entry->d_name)) names.push_back(*name);
  }
  if (errno != 0) return system_error(errno, "listing " + directory.path);
  std::ranges::sort(names, {}, &SegmentName::first_position);
  return names;
}

Result<std::vector<SegmentName>> list_segments(const JournalDirectory& directory) {
  auto read = read_segment_names(directory);
  if (!read) return read;
  const std::vector<SegmentName>& names = *read;
  for (std::size_t i = 1; i < names.size(); ++i) {
    if (names[i].first_position == names[i - 1].first_position ||
        names[i].first_sequence < names[i - 1].first_sequence) {
      return Error{ErrorCode::corrupt,
                   directory.path + ": segments " + names[i - 1].to_string() + " and " + names[i].to_string() +
                       " contradict each other",
                   "move one of them away"};
    }
  }
  return read;
}

Result<JournalFiles> JournalFiles::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) {
    return Error{ErrorCode::unknown_feed, "no journal at " + path, "check the path or the feed's name"};
  }
  if (!fd.valid()) return system_error(errno, "opening journal directory " + path);
  return open(std::move(fd), path);
}

Result<JournalFiles> JournalFiles::open(const JournalDirectory& directory) {
  UniqueFd own(::fcntl(directory.fd, F_DUPFD_CLOEXEC, 0));
  if (!own.valid()) return system_error(errno, "a second descriptor of " + directory.path);
  return open(std::move(own), directory.path);
}

Result<JournalFiles> JournalFiles::open(UniqueFd directory_fd, std::string path, Opener opener) {
  JournalFiles files;
  files.opener_ = std::move(opener);
  files.directory_ = {.fd = directory_fd.get(), .path = std::move(path)};
  files.directory_fd_ = std::move(directory_fd);
  if (auto done = files.refresh(); !done) return done.error();
  files.feed_seed_ = feed_checksum_seed(files.identity_.uuid);
  return files;
}

Result<void> JournalFiles::refresh() {
  const UniqueFd file = open_file(std::string(kIdentityFileName));
  const int failed = errno;
  auto identity = file.valid()       ? read_identity(file.get(), directory_.path)
                  : failed == ENOENT ? identity_unreadable(failed, directory_.path)
                                     : cannot_open(failed, directory_.file(kIdentityFileName));
  if (!identity) return identity.error();
  identity_ = std::move(*identity);
  auto names = list_segments(directory_);
  if (!names) return names.error();
  segments_ = std::move(*names);
  return {};
}

UniqueFd JournalFiles::open_file(const std::string& name) const {
  UniqueFd fd(::openat(directory_.fd, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return !fd.valid() && errno == EACCES && opener_ ? opener_(name) : std::move(fd);
}

Error JournalFiles::cannot_open(int error_number, const std::string& what) {
  if (error_number != kNobodyToAsk) return system_error(error_number, "opening " + what);
  return {ErrorCode::no_broker, "only a broker can open " + what + " for this user, and there is none", "start leatd"};
}

Result<JournalFiles::OpenSegment> JournalFiles::open_with_header(const std::string& file) const {
  OpenSegment opened{.fd = open_file(file)};
  if (!opened.fd.valid()) return cannot_open(errno, "segment " + directory_.file(file));
  struct stat status {};
  if (::fstat(opened.fd.get(), &status) != 0) return system_error(errno, "fstat of segment " + file);
  if (read_at(opened.fd.get(), &opened.header, sizeof opened.header, 0) < 0) {
    return system_error(errno, "reading segment " + file);
  }
  opened.file_bytes = static_cast<std::uint64_t>(status.st_size);
  return opened;
}

Result<void> JournalFiles::open_segment(const SegmentName& name) {
  auto opened = open_with_header(name.to_string());
  if (!opened) return opened.error();
  auto& [fd, header, file_bytes] = *opened;
  if (file_bytes < kMinSegmentBytes ||
      !segment_header_is_valid(header, identity_.uuid, file_bytes, name.first_sequence, name.first_position)) {
    return Error{ErrorCode::corrupt,
                 "segment " + directory_.file(name.to_string()) + " has a damaged header, or is of another feed",
                 "see leat verify, then restore it from a backup or run leat repair"};
  }
  segment_fd_ = std::move(fd);
  opened_raw_ = false;
  current_ = name;
  data_offset_ = header.data_offset;
  data_bytes_ = header.data_bytes;
  return {};
}

Result<bool> JournalFiles::open_raw(const SegmentName& name) {
  auto opened = open_with_header(name.to_string());
  if (!opened) return opened.error();
  auto& [fd, header, file_bytes] = *opened;
  if (!has_segment_length(header, identity_.uuid, file_bytes, name.first_sequence, name.first_position)) return false;
  const SegmentGeometry geometry = segment_geometry(file_bytes);
  segment_fd_ = std::move(fd);
  opened_raw_ = true;
  current_ = name;
  data_offset_ = geometry.data_offset;
  data_bytes_ = geometry.data_bytes;
  return true;
}

std::optional<SegmentName> JournalFiles::find(std::uint64_t position, bool exactly) const {
  const auto after = std::ranges::upper_bound(segments_, position, {}, &SegmentName::first_position);
  if (after == segments_.begin()) return std::nullopt;
  const SegmentName name = *std::prev(after);
  if (exactly && name.first_position != position) return std::nullopt;
  return name;
}

JournalFiles::Fill JournalFiles::fill(RecordBuffer& buffer, bool starts_segment, std::uint64_t limit_position) {
  const std::uint64_t position = buffer.position();
  auto name = find(position, starts_segment);
  const bool in_current = segment_fd_.valid() && name == current_ && !opened_raw_;
  if (!in_current) {
    // What is not in the listing at hand may have come, or gone, since it was made.
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (attempt > 0 || !name) {
        if (auto done = refresh(); !done) {
          error_ = done.error();
          return Fill::failed;
        }
        if (!segments_.empty() && position < segments_.front().first_position) return Fill::expired;
        name = find(position, starts_segment);
        if (!name) return Fill::no_data;
      }
      const auto opened = open_segment(*name);
      if (opened.ok()) break;
      error_ = opened.error();
      if (attempt > 0) return Fill::failed;
    }
  }
  return fill_from_open(buffer, limit_position);
}

JournalFiles::Fill JournalFiles::fill_from_open(RecordBuffer& buffer, std::uint64_t limit_position) {
  const std::uint64_t position = buffer.position();
  const std::uint64_t offset = position - current_.first_position;
  if (offset >= data_bytes_) return Fill::no_data;
  const std::uint64_t wanted = std::min({static_cast<std::uint64_t>(buffer.capacity()), data_bytes_ - offset,
                                         limit_position > position ? limit_position - position : 0});
  const ssize_t got = read_at(segment_fd_.get(), buffer.room(), wanted, static_cast<off_t>(data_offset_ + offset));
  if (got < 0) {
    error_ = system_error(errno, "reading " + describe(position));
    return Fill::failed;
  }
  const auto done = static_cast<std::size_t>(got);
  buffer.filled(align_up(done, kWordBytes) == done ? done : done / kWordBytes * kWordBytes, true);
  return done > 0 ? Fill::ok : Fill::no_data;
}

Result<bool> JournalFiles::still_retained() const {
  const std::string file = current_.to_string();
  struct stat named {};
  struct stat held {};
  if (::fstat(segment_fd_.get(), &held) != 0) return system_error(errno, "fstat of segment " + file);
  int failed = ::fstatat(directory_.fd, file.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
  if (failed == EACCES && opener_) {  // who may not look into the directory has to have the file opened
    const UniqueFd again = opener_(file);
    failed = !again.valid() || ::fstat(again.get(), &named) != 0 ? errno : 0;
  }
  if (failed == ENOENT) return false;
  if (failed != 0) return cannot_open(failed, "segment " + directory_.file(file));
  return named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

std::optional<std::uint64_t> JournalFiles::checksum_at(std::uint64_t position) const {
  if (!segment_fd_.valid() || position < current_.first_position || position - current_.first_position >= data_bytes_)
    return {};
  std::uint64_t word = 0;
  const off_t offset = static_cast<off_t>(data_offset_ + (position - current_.first_position));
  if (read_at(segment_fd_.get(), &word, sizeof word, offset) != static_cast<ssize_t>(sizeof word)) return {};
  return word;
}

Result<JournalFiles::Named> JournalFiles::look_at_name() const {
  struct stat named {};
  struct stat held {};
  if (::fstat(directory_.fd, &held) != 0) return system_error(errno, "fstat of " + directory_.path);
  if (::stat(directory_.path.c_str(), &named) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return Named::nowhere;
    return system_error(errno, "looking at " + directory_.path);
  }
  return named.st_ino == held.st_ino && named.st_dev == held.st_dev ? Named::here : Named::elsewhere;
}

std::string JournalFiles::describe(std::uint64_t position) const {
  return "segment " + directory_.file(current_.to_string()) + ", offset " +
         std::to_string(data_offset_ + (position - current_.first_position));
}

Result<std::vector<IndexEntry>> JournalFiles::read_index(const SegmentName& name) {
  if (!segment_fd_.valid() || !(current_ == name) || opened_raw_) {
    if (auto done = open_segment(name); !done) return done.error();
  }
  std::vector<IndexEntry> entries((data_offset_ - kSegmentHeaderBytes) / sizeof(IndexEntry));
  const ssize_t got = read_at(segment_fd_.get(), entries.data(), entries.size() * sizeof(IndexEntry),
                              static_cast<off_t>(kSegmentHeaderBytes));
  if (got < 0) return system_error(errno, "reading the index of segment " + name.to_string());
  entries.resize(static_cast<std::size_t>(got) / sizeof(IndexEntry));
  std::erase_if(entries, [&](const IndexEntry& entry) { return !index_entry_is_valid(entry, feed_seed_); });
  return entries;
}

}  // namespace leat::internal
