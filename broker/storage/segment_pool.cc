#include "broker/storage/segment_pool.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "broker/log.h"
#include "base/make_file.h"
#include "base/whole_io.h"

namespace leat::broker {

using namespace internal;

namespace {
constexpr std::string_view kPreparedPrefix = "prepared-";

// The size of the writes that fill a segment decides the size of the page cache's folios, and a store into a folio
// makes all of it dirty. Measured (ext4, Linux 6.18): a store and a sync write 1024 KiB after 1 MiB writes (540 us), 4
// KiB after 4 KiB writes (91 us); but streaming stores cost 64 ns per 120 bytes against 30 ns with 64 KiB ones, because
// each folio faults once.
constexpr std::size_t kSmallFillBytes = 4 * 1024;
constexpr std::size_t kLargeFillBytes = 64 * 1024;
// What is written and synced in one go: a sync that producers wait for waits no longer than this takes.
constexpr std::uint64_t kSmallSliceBytes = 256 * 1024;
constexpr std::uint64_t kLargeSliceBytes = 8 * 1024 * 1024;

// Room of its own for all of an old segment, holes and shared bytes included. 0 or an errno.
int take_room(int fd, std::uint64_t bytes) noexcept {
  if (const int failed = allocate_file(fd, bytes); failed != 0) return failed;
  // Bytes that are shared with a clone (cp does so by itself where it can) need new room when they are stored into.
  if (::fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, static_cast<off_t>(bytes)) == 0) return 0;
  return errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS || errno == EINTR ? 0 : errno;
}
}  // namespace

SegmentPool::SegmentPool(JournalDirectory directory, std::uint64_t segment_bytes, bool sync_often, SegmentWrites writes)
    : directory_(std::move(directory)),
      segment_bytes_(segment_bytes),
      writes_(writes),
      fill_chunk_bytes_(sync_often ? kSmallFillBytes : kLargeFillBytes),
      slice_bytes_(sync_often ? kSmallSliceBytes : kLargeSliceBytes) {}

Result<void> SegmentPool::clear_leftovers() {
  UniqueFd fd(::openat(directory_.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return system_error(errno, "opening " + directory_.path);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd.get()), &::closedir);
  if (!stream) return system_error(errno, "listing " + directory_.path);
  (void)fd.release();  // the stream's now
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    if (!std::string_view(entry->d_name).starts_with(kPreparedPrefix)) continue;
    if (::unlinkat(directory_.fd, entry->d_name, 0) != 0 && errno != ENOENT) {
      return system_error(errno, "removing " + directory_.file(entry->d_name));
    }
  }
  return errno == 0 ? Result<void>{} : system_error(errno, "listing " + directory_.path);
}

int SegmentPool::open_flags() const noexcept {
  return O_RDWR | O_CLOEXEC | O_NOFOLLOW | (writes_ == SegmentWrites::synced ? O_DSYNC : 0);
}

Result<std::unique_ptr<MappedSegment>> SegmentPool::make(UniqueFd fd, std::string name, std::uint64_t bytes,
                                                         bool mapped) const {
  auto segment = std::make_unique<MappedSegment>();
  if (mapped) {
    auto mapping = Mapping::map(fd.get(), Access::read_write, 0, bytes);
    if (!mapping) return mapping.error().in(directory_.file(name));
    segment->mapping = std::move(*mapping);
    segment->fault_range = FaultRange(segment->mapping.data(), bytes, FaultKind::journal, fd.get());
  }
  segment->fd = std::move(fd);
  segment->file_name = std::move(name);
  segment->file_bytes = bytes;
  return segment;
}

Error SegmentPool::give_up_new(int failed, const char* doing) {
  ::unlinkat(directory_.fd, new_.name.c_str(), 0);
  Error error = system_error(failed, std::string(doing) + " " + directory_.file(new_.name) + " (" +
                                         std::to_string(segment_bytes_) + " bytes)");
  new_ = {};
  return error;
}

Result<void> SegmentPool::begin_new() {
  new_.name = std::string(kPreparedPrefix) + std::to_string(next_number_++) + ".tmp";
  auto made = make_file(directory_.fd, directory_.path, new_.name, open_flags(), Existing::refuse);
  if (!made) return made.error();
  new_.fd = std::move(*made);
  if (writes_ == SegmentWrites::mapped) {
    const int failed = allocate_file(new_.fd.get(), segment_bytes_);
    if (failed != 0) return give_up_new(failed, "allocating");
  } else {
    if (::ftruncate(new_.fd.get(), static_cast<off_t>(segment_bytes_)) != 0) return give_up_new(errno, "making");
    new_.filled = segment_bytes_;  // with nothing
  }
  // Its length is on disk before anything else of it: a segment that is shorter was cut by somebody, not by a loss of
  // power, whether or not its bytes got there.
  if (sync_all(new_.fd.get()) != 0) return give_up_new(errno, "syncing the length of");
  return {};
}

// Real zeroes, not unwritten extents: later syncs then have data to write and no metadata.
Result<void> SegmentPool::fill_new(std::uint64_t bytes) {
  const std::vector<char> zeroes(fill_chunk_bytes_, '\0');
  const std::uint64_t end = std::min(segment_bytes_, new_.filled + bytes);
  while (new_.filled < end) {
    const std::size_t chunk = std::min<std::uint64_t>(fill_chunk_bytes_, end - new_.filled);
    if (!write_at(new_.fd.get(), zeroes.data(), chunk, static_cast<off_t>(new_.filled))) {
      return give_up_new(errno, "filling");
    }
    new_.filled += chunk;
  }
  return {};
}

// A file that cannot be written is given up, so that it is not tried for ever; one that only cannot be opened or mapped
// just now is kept: on a full disk it is all there is.
Result<std::unique_ptr<MappedSegment>> SegmentPool::reopen_recycled() {
  const std::string name = recycled_.back();
  // First its new name: should a loss of power bring the old one back, it must not stand for what is written from now
  // on.
  if (sync_all(directory_.fd) != 0) {
    directory_failed_ = true;
    return system_error(errno, "fsync of directory " + directory_.path);
  }
  UniqueFd fd(::openat(directory_.fd, name.c_str(), open_flags()));
  if (!fd.valid() && errno == ENOENT) {  // somebody has removed it
    recycled_.pop_back();
    return std::unique_ptr<MappedSegment>();
  }
  if (!fd.valid()) return system_error(errno, "opening " + directory_.file(name));
  // Header and index go; old records may stay, as no checksum lets them pass at another position. Not synced: should a
  // loss of power bring the old header back under a new name, it contradicts that name.
  const SegmentGeometry geometry = segment_geometry(segment_bytes_);
  const std::vector<char> zeroes(geometry.data_offset + kWordBytes, '\0');
  if (!write_at(fd.get(), zeroes.data(), zeroes.size(), 0)) {
    const int failed = errno;
    recycled_.pop_back();
    ::unlinkat(directory_.fd, name.c_str(), 0);
    return system_error(failed, "clearing the header of " + directory_.file(name));
  }
  auto segment = make(std::move(fd), name, segment_bytes_, true);
  if (segment) recycled_.pop_back();
  return segment;
}

Result<std::unique_ptr<MappedSegment>> SegmentPool::prepare_some(Hurry hurry) {
  if (!recycled_.empty()) return reopen_recycled();
  if (!new_.fd.valid()) {
    if (auto begun = begin_new(); !begun) return begun.error();
  }
  if (auto filled = fill_new(hurry == Hurry::yes ? segment_bytes_ : slice_bytes_); !filled) return filled.error();
  // Each slice is synced, or the last one would have to wait for all.
  if (hurry == Hurry::no && sync_all(new_.fd.get()) != 0) return give_up_new(errno, "syncing");
  if (new_.filled < segment_bytes_) return std::unique_ptr<MappedSegment>();
  NewSegment done = std::move(new_);
  new_ = {};
  auto segment = make(std::move(done.fd), done.name, segment_bytes_, writes_ == SegmentWrites::mapped);
  if (!segment) ::unlinkat(directory_.fd, done.name.c_str(), 0);
  return segment;
}

Result<std::unique_ptr<MappedSegment>> SegmentPool::prepare() {
  for (;;) {
    auto segment = prepare_some();
    if (!segment || *segment != nullptr) return segment;
  }
}

Result<bool> SegmentPool::recycle(const SegmentName& name) {
  const std::string file = name.to_string();
  struct stat status {};
  if (::fstatat(directory_.fd, file.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return false;  // somebody has removed it already
    return system_error(errno, "fstat of " + directory_.file(file));
  }
  const bool fits = static_cast<std::uint64_t>(status.st_size) == segment_bytes_;
  // What is not mapped gains nothing from an old file's room.
  if (fits && writes_ == SegmentWrites::mapped && recycled_.size() < kMaxRecycled) {
    const std::string kept = std::string(kPreparedPrefix) + std::to_string(next_number_++) + ".tmp";
    if (::renameat(directory_.fd, file.c_str(), directory_.fd, kept.c_str()) != 0) {
      return system_error(errno, "recycling " + directory_.file(file));
    }
    recycled_.push_back(kept);
    return true;
  }
  if (::unlinkat(directory_.fd, file.c_str(), 0) != 0) return system_error(errno, "removing " + directory_.file(file));
  return false;
}

Result<std::unique_ptr<MappedSegment>> SegmentPool::open_current(const SegmentName& name) const {
  const std::string file = name.to_string();
  UniqueFd fd(::openat(directory_.fd, file.c_str(), open_flags()));
  if (!fd.valid()) return system_error(errno, "opening segment " + directory_.file(file));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return system_error(errno, "fstat of segment " + file);
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  const int failed = writes_ == SegmentWrites::mapped ? take_room(fd.get(), bytes) : 0;
  if (failed != 0) {
    log::warn("segment {}/{} is written, not mapped, until it is full: its room cannot be had ahead: {}",
              directory_.path, file, std::strerror(failed));
  }
  auto segment = make(std::move(fd), file, bytes, writes_ == SegmentWrites::mapped && failed == 0);
  if (segment) (*segment)->name = name;
  return segment;
}

}  // namespace leat::broker
