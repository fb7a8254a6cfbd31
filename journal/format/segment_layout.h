// The bytes of a journal segment and the names of files in a journal directory.
//
//   <journal directory>/
//     feed                          identity and epochs: feed_identity.h
//     cursors                       named cursors: cursor_file.h
//     lock                          flock'ed by the broker that runs
//     <sequence>-<position>.seg     segments: first sequence and first position, 20 digits each
//     prepared-<n>.tmp              allocated and filled ahead of need, or recycled
//     torn-<position>-<n>.bin       bytes that recovery cut off, kept for people
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "record/feed_uuid.h"
#include "record/record_layout.h"

namespace leat::internal {

inline constexpr std::uint64_t kSegmentMagic = 0x3147455354'41454cULL;  // "LEATSEG1"
inline constexpr std::size_t kSegmentHeaderBytes = kPageBytes;
inline constexpr std::uint64_t kIndexIntervalBytes = 64 * 1024;
inline constexpr std::uint64_t kMinSegmentBytes = 4 * kPageBytes;
inline constexpr std::uint64_t kMaxSegmentBytes = 1ULL << 32;

// off size field            written once, when the segment becomes current
//   0    8 magic
//   8    4 layout_version
//  12    4 index_entries    room in the index
//  16   16 feed_uuid
//  32    8 first_sequence   of the first event that lies in it or comes later
//  40    8 first_position   position of data_offset
//  48    8 data_offset
//  56    8 data_bytes
//  64    8 epoch            current when it was begun
//  72    8 created_ns       CLOCK_REALTIME
//  80    8 checksum         XXH3-64 over [0, 80), seed: feed seed
// 4096     index: index_entries of IndexEntry
// data_offset  records, from first_position on; the last one of a sealed segment is a segment_end
struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t layout_version;
  std::uint32_t index_entries;
  FeedUuid feed_uuid;
  std::uint64_t first_sequence;
  std::uint64_t first_position;
  std::uint64_t data_offset;
  std::uint64_t data_bytes;
  std::uint64_t epoch;
  std::int64_t created_ns;
  std::uint64_t checksum;
};
static_assert(sizeof(SegmentHeader) == 88 && std::is_trivially_copyable_v<SegmentHeader>);
static_assert(offsetof(SegmentHeader, feed_uuid) == 16 && offsetof(SegmentHeader, first_sequence) == 32);
static_assert(offsetof(SegmentHeader, data_bytes) == 56 && offsetof(SegmentHeader, checksum) == 80);

// One entry about every kIndexIntervalBytes. Rebuildable and never believed: whoever uses an entry checks it against
// the record it points to, and scans the segment from its start if they differ.
struct IndexEntry {
  std::uint64_t position;
  std::uint64_t sequence;     ///< of the event record at `position`
  std::int64_t timestamp_ns;  ///< its time stamp
  std::uint64_t checksum;     ///< XXH3-64 over the 24 bytes before, seed: feed seed
};
static_assert(sizeof(IndexEntry) == 32 && std::is_trivially_copyable_v<IndexEntry>);

/// Where things lie in a segment file of a given size. A function of the size alone, so a damaged header can be
/// distinguished from one that was never written.
struct SegmentGeometry {
  std::uint64_t index_entries;
  std::uint64_t data_offset;
  std::uint64_t data_bytes;
};
constexpr SegmentGeometry segment_geometry(std::uint64_t segment_bytes) noexcept {
  const std::uint64_t entries = segment_bytes / kIndexIntervalBytes + 1;
  const std::uint64_t data_offset = kSegmentHeaderBytes + align_up(entries * sizeof(IndexEntry), kPageBytes);
  return {.index_entries = entries, .data_offset = data_offset, .data_bytes = segment_bytes - data_offset};
}

/// How long a segment's file can be. A file of any other length was cut or made longer since it was made.
constexpr bool is_segment_size(std::uint64_t bytes) noexcept {
  return bytes >= kMinSegmentBytes && bytes <= kMaxSegmentBytes && bytes % kPageBytes == 0;
}

/// The least size of at least `least_bytes` in which the records begin at `data_offset`, a whole number of pages; the
/// largest in which they do, if that is less.
constexpr std::uint64_t segment_size_with(std::uint64_t data_offset, std::uint64_t least_bytes) noexcept {
  constexpr std::uint64_t kBytesOfIndexPage = kPageBytes / sizeof(IndexEntry) * kIndexIntervalBytes;
  const std::uint64_t index_pages = (data_offset - kSegmentHeaderBytes) / kPageBytes;
  const std::uint64_t most = std::min(index_pages * kBytesOfIndexPage - kPageBytes, kMaxSegmentBytes);
  const std::uint64_t least = std::max((index_pages - 1) * kBytesOfIndexPage, kMinSegmentBytes);
  return std::clamp(align_up(std::min(least_bytes, most), kPageBytes), least, most);
}

/// The least size that holds so many bytes of records: no more than half of kMaxSegmentBytes.
constexpr std::uint64_t segment_size_for(std::uint64_t data_bytes) noexcept {
  std::uint64_t offset = kSegmentHeaderBytes + kPageBytes;
  while (segment_size_with(offset, offset + data_bytes) < offset + data_bytes) offset += kPageBytes;
  return segment_size_with(offset, offset + data_bytes);
}

/// Behind the last record of a segment that is not sealed there is always room for a segment end and the terminator.
inline constexpr std::uint64_t kSegmentReserveBytes = kSegmentEndRecordBytes + kWordBytes;

/// The most record bytes that one ticket may bring: it must fit a fresh segment together with the mark it begins with,
/// another mark, the segment_end and the terminator.
constexpr std::uint64_t max_segment_batch_bytes(std::uint64_t segment_bytes) noexcept {
  return segment_geometry(segment_bytes).data_bytes - 2 * kMarkRecordBytes - kSegmentReserveBytes;
}

SegmentHeader make_segment_header(const FeedUuid& uuid, std::uint64_t segment_bytes, std::uint64_t first_sequence,
                                  std::uint64_t first_position, std::uint64_t epoch, std::int64_t created_ns) noexcept;

/// True if the header is intact, of this feed and layout, and agrees with the file's size and name.
bool segment_header_is_valid(const SegmentHeader& header, const FeedUuid& uuid, std::uint64_t file_bytes,
                             std::uint64_t first_sequence, std::uint64_t first_position) noexcept;

/// True if the file is as long as the segment was made. An intact header says how long that is; without one, any length
/// passes that a segment can have.
bool has_segment_length(const SegmentHeader& header, const FeedUuid& uuid, std::uint64_t file_bytes,
                        std::uint64_t first_sequence, std::uint64_t first_position) noexcept;

IndexEntry make_index_entry(std::uint64_t feed_seed, std::uint64_t position, std::uint64_t sequence,
                            std::int64_t timestamp_ns) noexcept;
bool index_entry_is_valid(const IndexEntry& entry, std::uint64_t feed_seed) noexcept;

/// A segment, by its name.
struct SegmentName {
  std::uint64_t first_sequence = 0;
  std::uint64_t first_position = 0;

  [[nodiscard]] std::string to_string() const;
  static std::optional<SegmentName> parse(std::string_view name);
  friend bool operator==(const SegmentName&, const SegmentName&) = default;
};

inline constexpr std::string_view kIdentityFileName = "feed";
inline constexpr std::string_view kLockFileName = "lock";

}  // namespace leat::internal
