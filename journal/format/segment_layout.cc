#include "journal/format/segment_layout.h"

#include <charconv>
#include <cinttypes>
#include <cstdio>

#include "journal/format/format_version.h"
#include "record/record.h"

namespace leat::internal {
namespace {

std::uint64_t header_checksum(const SegmentHeader& header) noexcept {
  return checksum_bytes(&header, offsetof(SegmentHeader, checksum), feed_checksum_seed(header.feed_uuid));
}

constexpr std::size_t kDigits = 20;
constexpr std::string_view kSuffix = ".seg";

}  // namespace

SegmentHeader make_segment_header(const FeedUuid& uuid, std::uint64_t segment_bytes, std::uint64_t first_sequence,
                                  std::uint64_t first_position, std::uint64_t epoch, std::int64_t created_ns) noexcept {
  const SegmentGeometry geometry = segment_geometry(segment_bytes);
  SegmentHeader header{.magic = kSegmentMagic,
                       .layout_version = kJournalFormatVersion,
                       .index_entries = static_cast<std::uint32_t>(geometry.index_entries),
                       .feed_uuid = uuid,
                       .first_sequence = first_sequence,
                       .first_position = first_position,
                       .data_offset = geometry.data_offset,
                       .data_bytes = geometry.data_bytes,
                       .epoch = epoch,
                       .created_ns = created_ns,
                       .checksum = 0};
  header.checksum = header_checksum(header);
  return header;
}

bool segment_header_is_valid(const SegmentHeader& header, const FeedUuid& uuid, std::uint64_t file_bytes,
                             std::uint64_t first_sequence, std::uint64_t first_position) noexcept {
  const SegmentGeometry geometry = segment_geometry(file_bytes);
  return header.magic == kSegmentMagic && is_known_journal_format(header.layout_version) && header.feed_uuid == uuid &&
         header.index_entries == geometry.index_entries && header.data_offset == geometry.data_offset &&
         header.data_bytes == geometry.data_bytes && header.first_sequence == first_sequence &&
         header.first_position == first_position && header.checksum == header_checksum(header);
}

bool has_segment_length(const SegmentHeader& header, const FeedUuid& uuid, std::uint64_t file_bytes,
                        std::uint64_t first_sequence, std::uint64_t first_position) noexcept {
  const std::uint64_t made_bytes = header.data_offset + header.data_bytes;
  if (segment_header_is_valid(header, uuid, made_bytes, first_sequence, first_position)) {
    return file_bytes == made_bytes && file_bytes >= kMinSegmentBytes;
  }
  return is_segment_size(file_bytes);
}

IndexEntry make_index_entry(std::uint64_t feed_seed, std::uint64_t position, std::uint64_t sequence,
                            std::int64_t timestamp_ns) noexcept {
  IndexEntry entry{.position = position, .sequence = sequence, .timestamp_ns = timestamp_ns, .checksum = 0};
  entry.checksum = checksum_bytes(&entry, offsetof(IndexEntry, checksum), feed_seed);
  return entry;
}

bool index_entry_is_valid(const IndexEntry& entry, std::uint64_t feed_seed) noexcept {
  return entry.checksum == checksum_bytes(&entry, offsetof(IndexEntry, checksum), feed_seed);
}

std::string SegmentName::to_string() const {
  char text[2 * kDigits + 16];
  std::snprintf(text, sizeof text, "%020" PRIu64 "-%020" PRIu64 ".seg", first_sequence, first_position);
  return text;
}

std::optional<SegmentName> SegmentName::parse(std::string_view name) {
  if (name.size() != 2 * kDigits + 1 + kSuffix.size() || name[kDigits] != '-' || !name.ends_with(kSuffix)) {
    return std::nullopt;
  }
  SegmentName parsed;
  const auto number = [&](std::size_t from, std::uint64_t& to) {
    const auto [end, failed] = std::from_chars(name.data() + from, name.data() + from + kDigits, to);
    return failed == std::errc{} && end == name.data() + from + kDigits;
  };
  if (!number(0, parsed.first_sequence) || !number(kDigits + 1, parsed.first_position)) return std::nullopt;
  return parsed;
}

}  // namespace leat::internal
