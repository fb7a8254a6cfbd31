#include "shm/journal/check_segment.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "shm/base/whole_io.h"
#include "shm/journal/segment_probe.h"

namespace leat::shm {

bool is_consistent(const SegmentHeader& header) {
  const std::uint64_t bytes = header.data_offset + header.data_bytes;
  return bytes >= kMinSegmentBytes && bytes >= header.data_offset &&
         segment_header_is_valid(header, header.feed_uuid, bytes, header.first_sequence, header.first_position);
}

namespace {

bool begins_with_a_record(const SegmentCheck& segment, std::uint64_t bytes, int fd, std::uint64_t feed_seed) {
  const SegmentGeometry geometry = segment_geometry(bytes);
  SegmentProbe probe(fd, feed_seed, segment.name.first_position, geometry.data_offset, segment.file_bytes);
  ProbedRecord record;
  return probe.at(segment.name.first_position, segment.name.first_position + geometry.data_bytes, record) ==
         SegmentProbe::Found::record;
}

}  // namespace

void choose_geometry(JournalCheck& check, SegmentCheck& segment, const std::optional<SegmentHeader>& header, int fd,
                     std::uint64_t feed_seed, std::uint64_t typical_bytes) {
  if (header) {
    segment.header_good = true;
    segment.epoch = header->epoch;
    segment.wanted_bytes = header->data_offset + header->data_bytes;
  } else {
    const std::uint64_t own = segment.file_bytes / kWordBytes * kWordBytes;
    const bool own_possible = own >= kMinSegmentBytes && own <= kMaxSegmentBytes;
    segment.wanted_bytes = typical_bytes != 0 ? typical_bytes : own_possible ? own : kMinSegmentBytes;
    if (own_possible && begins_with_a_record(segment, own, fd, feed_seed)) segment.wanted_bytes = own;
    check.damages.push_back({.kind = DamageKind::header,
                             .file = segment.file,
                             .bytes = sizeof(SegmentHeader),
                             .from_position = segment.name.first_position,
                             .what = "its bytes fail their check"});
  }
  if (segment.file_bytes == segment.wanted_bytes) return;
  check.damages.push_back({.kind = DamageKind::size,
                           .file = segment.file,
                           .offset = std::min(segment.file_bytes, segment.wanted_bytes),
                           .bytes = std::max(segment.file_bytes, segment.wanted_bytes) -
                                    std::min(segment.file_bytes, segment.wanted_bytes),
                           .what = "it is " + std::to_string(segment.file_bytes) + " bytes long and was made with " +
                                   std::to_string(segment.wanted_bytes)});
}

std::vector<IndexEntry> check_index(JournalCheck& check, SegmentCheck& segment, int fd, std::uint64_t feed_seed) {
  std::vector<IndexEntry> entries(segment_geometry(segment.wanted_bytes).index_entries);
  const ssize_t got =
      read_at(fd, entries.data(), entries.size() * sizeof(IndexEntry), static_cast<off_t>(kSegmentHeaderBytes));
  entries.resize(got > 0 ? static_cast<std::size_t>(got) / sizeof(IndexEntry) : 0);
  const IndexEntry none{};
  std::vector<IndexEntry> good;
  Damage damage{.kind = DamageKind::index, .file = segment.file};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (std::memcmp(&entries[i], &none, sizeof none) == 0) continue;
    ++check.index_entries;
    const std::uint64_t offset = kSegmentHeaderBytes + i * sizeof(IndexEntry);
    // A broker may just have been writing it: one more look tells.
    const bool valid = index_entry_is_valid(entries[i], feed_seed) ||
                       (read_at(fd, &entries[i], sizeof(IndexEntry), static_cast<off_t>(offset)) ==
                            static_cast<ssize_t>(sizeof(IndexEntry)) &&
                        index_entry_is_valid(entries[i], feed_seed));
    if (valid) {
      good.push_back(entries[i]);
      continue;
    }
    if (damage.bytes == 0) damage.offset = offset;
    damage.bytes = offset + sizeof(IndexEntry) - damage.offset;
  }
  if (damage.bytes > 0) {
    segment.index_good = false;
    damage.what = "entries fail their check";
    check.damages.push_back(std::move(damage));
  }
  std::ranges::sort(good, {}, &IndexEntry::position);
  return good;
}

}  // namespace leat::shm
