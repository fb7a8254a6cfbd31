#include "broker/storage/journal_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/clock.h"
#include "base/whole_io.h"

namespace leat::broker {

using namespace internal;

namespace {
/// From here on an append goes past the caches. Measured: 16 KiB in 2.0 us against 2.65, 1 KiB in 0.40 against 0.20.
constexpr std::uint64_t kStreamingBytes = 8 * 1024;

// Small writes of the broker's own into a segment: header, index entries.
bool put(const MappedSegment& segment, std::uint64_t offset, const void* from, std::size_t bytes) noexcept {
  if (!segment.mapping.valid()) return write_at(segment.fd.get(), from, bytes, static_cast<off_t>(offset));
  std::memcpy(segment.mapping.data() + offset, from, bytes);
  return true;
}

}  // namespace

JournalWriter::JournalWriter(JournalDirectory directory, FeedUuid uuid, std::uint64_t feed_seed, std::uint64_t epoch)
    : directory_(std::move(directory)), uuid_(uuid), feed_seed_(feed_seed), epoch_(epoch) {}

void JournalWriter::attach(std::unique_ptr<MappedSegment> segment, std::uint64_t offset) noexcept {
  const SegmentGeometry geometry = segment_geometry(segment->file_bytes);
  const bool mapped = segment->mapping.valid();
  data_ = mapped ? segment->mapping.data() + geometry.data_offset : nullptr;
  data_bytes_ = geometry.data_bytes;
  touchable_bytes_ = mapped ? data_bytes_ : 0;
  at_length_bytes_ = mapped ? kStreamingBytes : 0;
  offset_ = offset;
  touched_ = align_up(offset_, kPageBytes);
  index_room_ = geometry.index_entries;
  segment_ = std::move(segment);
  // After a restart the index goes on at the interval that the appends have reached; what is missing in between only
  // costs a longer scan.
  index_used_ = offset / kIndexIntervalBytes + (offset % kIndexIntervalBytes != 0 ? 1 : 0);
  next_index_position_ = segment_->name.first_position + index_used_ * kIndexIntervalBytes;
}

// Read through the descriptor: the index is a help, and must not end the broker if the disk does not give it.
void JournalWriter::repair_index() {
  std::vector<IndexEntry> entries(index_room_);
  const ssize_t got =
      read_at(segment_->fd.get(), entries.data(), entries.size() * sizeof(IndexEntry), kSegmentHeaderBytes);
  entries.resize(got > 0 ? static_cast<std::size_t>(got) / sizeof(IndexEntry) : 0);
  const std::uint64_t end = segment_->name.first_position + offset_;
  const IndexEntry none{};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (std::memcmp(&entries[i], &none, sizeof none) == 0) continue;
    if (index_entry_is_valid(entries[i], feed_seed_) && entries[i].position < end) continue;
    // Should it find no room: whoever uses an entry compares it with its record.
    (void)put(*segment_, kSegmentHeaderBytes + i * sizeof(IndexEntry), &none, sizeof none);
  }
}

Result<void> JournalWriter::name(MappedSegment& next, std::uint64_t first_sequence, std::uint64_t first_position) {
  const SegmentHeader header =
      make_segment_header(uuid_, next.file_bytes, first_sequence, first_position, epoch_, realtime_ns());
  const std::uint64_t terminator = 0;  // first: no stale record behind a good header
  bool written = put(next, header.data_offset, &terminator, sizeof terminator);
  std::atomic_thread_fence(std::memory_order_release);
  written = written && put(next, 0, &header, sizeof header);
  if (!written) return system_error(errno, "writing the header of " + directory_.file(next.file_name));
  next.name = {.first_sequence = first_sequence, .first_position = first_position};
  const std::string name = next.name.to_string();
  // Named before anything in it is visible, so that a reader always finds the file it needs; a few microseconds.
  if (::renameat(directory_.fd, next.file_name.c_str(), directory_.fd, name.c_str()) != 0) {
    if (errno == ENOENT) return Error{ErrorCode::closed, directory_.file(next.file_name) + " is not there any more"};
    return system_error(errno, "renaming " + directory_.file(next.file_name) + " to " + name);
  }
  next.file_name = name;
  return {};
}

Result<std::unique_ptr<MappedSegment>> JournalWriter::roll(std::unique_ptr<MappedSegment> next,
                                                           std::uint64_t first_sequence, std::uint64_t first_position) {
  if (auto named = name(*next, first_sequence, first_position); !named) return named.error();
  return replace(std::move(next));
}

std::unique_ptr<MappedSegment> JournalWriter::replace(std::unique_ptr<MappedSegment> next) noexcept {
  const std::uint64_t first_position = next->name.first_position;
  std::unique_ptr<MappedSegment> sealed = std::move(segment_);
  if (sealed) sealed->sealed_position = first_position;
  attach(std::move(next), 0);
  return sealed;
}

bool JournalWriter::append(const std::byte* from, std::uint64_t bytes) noexcept {
  if (bytes >= at_length_bytes_) return append_at_length(from, bytes);
  std::byte* const to = data_ + offset_;
  store_word(to + bytes, 0);
  std::atomic_thread_fence(std::memory_order_release);  // the terminator stands before the record can
  std::memcpy(to + kWordBytes, from + kWordBytes, bytes - kWordBytes);
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, from, kWordBytes);
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(to), checksum, __ATOMIC_RELEASE);
  offset_ += bytes;
  return true;
}

bool JournalWriter::append_at_length(const std::byte* from, std::uint64_t bytes) noexcept {
  if (data_ == nullptr) return write_append(from, bytes);
  std::byte* const to = data_ + offset_;
  store_word(to + bytes, 0);
  std::atomic_thread_fence(std::memory_order_release);
  copy_streaming(to + kWordBytes, from + kWordBytes, bytes - kWordBytes);
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, from, kWordBytes);
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(to), checksum, __ATOMIC_RELEASE);
  offset_ += bytes;
  return true;
}

// The same order by system calls. What a failure leaves behind the last record has no checksum before it: it is written
// over by the next attempt.
bool JournalWriter::write_append(const std::byte* from, std::uint64_t bytes) noexcept {
  std::uint64_t terminator = 0;
  const off_t at = static_cast<off_t>(segment_geometry(segment_->file_bytes).data_offset + offset_);
  const int fd = segment_->fd.get();
  const iovec parts[] = {{.iov_base = const_cast<std::byte*>(from) + kWordBytes, .iov_len = bytes - kWordBytes},
                         {.iov_base = &terminator, .iov_len = sizeof terminator}};
  // A short count, or a signal, is no verdict: the plain writes say what it is.
  const ssize_t put = ::pwritev(fd, parts, 2, at + static_cast<off_t>(kWordBytes));
  bool written = put == static_cast<ssize_t>(bytes) ||
                 (write_at(fd, &terminator, sizeof terminator, at + static_cast<off_t>(bytes)) &&
                  write_at(fd, from + kWordBytes, bytes - kWordBytes, at + static_cast<off_t>(kWordBytes)));
  written = written && write_at(fd, from, kWordBytes, at);
  append_errno_ = written ? 0 : errno;
  if (written) offset_ += bytes;
  return written;
}

Error JournalWriter::append_error() const {
  return system_error(append_errno_, "writing segment " + directory_.file(segment_->file_name));
}

void JournalWriter::prepare(std::uint64_t bytes) noexcept {
  if (offset_ + kPageBytes > touchable_bytes_) return;
  for (std::uint64_t line = 0; line < bytes; line += kCacheLineBytes) prefetch_for_write(data_ + offset_ + line);
  const std::uint64_t page = align_up(offset_ + kWordBytes, kPageBytes);  // the terminator stands at offset_
  if (page <= touched_ || page + kWordBytes > touchable_bytes_) return;
  // A zero where nothing has been appended yet says what the terminator before it says already.
  store_word(data_ + page, 0);
  touched_ = page;
}

void JournalWriter::add_index_entry(std::uint64_t position, std::uint64_t sequence,
                                    std::int64_t timestamp_ns) noexcept {
  if (index_used_ >= index_room_) return;
  const IndexEntry entry = make_index_entry(feed_seed_, position, sequence, timestamp_ns);
  // Without it a search reads on a little longer.
  (void)put(*segment_, kSegmentHeaderBytes + index_used_ * sizeof(IndexEntry), &entry, sizeof entry);
  ++index_used_;
  next_index_position_ =
      position - (position - segment_->name.first_position) % kIndexIntervalBytes + kIndexIntervalBytes;
}

}  // namespace leat::broker
