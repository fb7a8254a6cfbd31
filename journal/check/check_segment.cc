#include "journal/check/check_segment.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/whole_io.h"
#include "journal/read/segment_probe.h"

namespace leat::internal {

bool is_consistent(const SegmentHeader& header) {
  const std::uint64_t bytes = header.data_offset + header.data_bytes;
  return bytes >= kMinSegmentBytes && bytes >= header.data_offset &&
         segment_header_is_valid(header, header.feed_uuid, bytes, header.first_sequence, header.first_position);
}

namespace {

// Where records begin in a file without a header. A record proves it: its checksum is seeded with its position.
class DataOffset {
 public:
  DataOffset(const SegmentCheck& segment, int fd, std::uint64_t feed_seed)
      : segment_(segment), fd_(fd), feed_seed_(feed_seed) {}

  /// Any good record that follows from `offset`.
  [[nodiscard]] bool is_proven(std::uint64_t offset) const {
    const std::uint64_t first = segment_.name.first_position;
    SegmentProbe probe(fd_, feed_seed_, first, offset, segment_.file_bytes);
    return probe.search(first, ~0ULL, {}, [](const ProbedRecord&) { return true; }).has_value();
  }

  /// Of all offsets that there are, the one at which the first record stands. It is a mark, so a look at a few bytes.
  [[nodiscard]] std::optional<std::uint64_t> search() const {
    constexpr std::uint64_t kLookBytes = 4 * kPageBytes;
    const std::uint64_t most = segment_geometry(kMaxSegmentBytes).data_offset;
    const std::uint64_t first = segment_.name.first_position;
    for (std::uint64_t offset = kSegmentHeaderBytes + kPageBytes; offset <= most; offset += kPageBytes) {
      if (offset >= segment_.file_bytes) break;
      SegmentProbe probe(fd_, feed_seed_, first, offset, std::min(segment_.file_bytes, offset + kLookBytes));
      ProbedRecord record;
      if (probe.at(first, ~0ULL, record) == SegmentProbe::Found::record) return offset;
    }
    return std::nullopt;
  }

 private:
  const SegmentCheck& segment_;
  int fd_;
  std::uint64_t feed_seed_;
};

std::uint64_t size_without_header(const SegmentCheck& segment, int fd, std::uint64_t feed_seed,
                                  std::uint64_t typical_bytes) {
  const DataOffset offsets(segment, fd, feed_seed);
  const std::uint64_t file_bytes = std::clamp(segment.file_bytes, kMinSegmentBytes, kMaxSegmentBytes);
  const std::uint64_t own = segment_geometry(align_up(file_bytes, kPageBytes)).data_offset;
  const std::uint64_t usual = typical_bytes != 0 ? segment_geometry(typical_bytes).data_offset : own;
  std::optional<std::uint64_t> proven;
  if (offsets.is_proven(own)) {
    proven = own;
  } else if (usual != own && offsets.is_proven(usual)) {
    proven = usual;
  } else {
    proven = offsets.search();
  }
  const bool as_it_was = proven == own && is_segment_size(segment.file_bytes);
  return segment_size_with(proven.value_or(usual), as_it_was ? file_bytes : std::max(file_bytes, typical_bytes));
}

}  // namespace

void choose_geometry(JournalCheck& check, SegmentCheck& segment, const std::optional<SegmentHeader>& header, int fd,
                     std::uint64_t feed_seed, std::uint64_t typical_bytes) {
  if (header) {
    segment.header_good = true;
    segment.epoch = header->epoch;
    segment.wanted_bytes = header->data_offset + header->data_bytes;
  } else {
    segment.wanted_bytes = size_without_header(segment, fd, feed_seed, typical_bytes);
    check.damages.push_back({.kind = DamageKind::header,
                             .file = segment.file,
                             .bytes = sizeof(SegmentHeader),
                             .from_position = segment.name.first_position,
                             .what = "its bytes fail their check"});
  }
}

void note_size(JournalCheck& check, const SegmentCheck& segment) {
  if (segment.file_bytes == segment.wanted_bytes) return;
  const auto before = std::ranges::find_if(check.damages, [&](const Damage& damage) {
    return damage.file == segment.file && (damage.kind == DamageKind::index || damage.kind == DamageKind::records);
  });
  const std::uint64_t from = std::min(segment.file_bytes, segment.wanted_bytes);
  check.damages.insert(before, {.kind = DamageKind::size,
                                .file = segment.file,
                                .offset = from,
                                .bytes = std::max(segment.file_bytes, segment.wanted_bytes) - from,
                                .what = "it is " + std::to_string(segment.file_bytes) + " bytes long and " +
                                        (segment.header_good ? "was made with " : "must have had at least ") +
                                        std::to_string(segment.wanted_bytes)});
}

std::vector<IndexEntry> check_index(JournalCheck& check, SegmentCheck& segment, int fd, std::uint64_t feed_seed) {
  std::vector<IndexEntry> entries(segment_geometry(segment.wanted_bytes).index_entries);
  const ssize_t got =
      read_at(fd, entries.data(), entries.size() * sizeof(IndexEntry), static_cast<off_t>(kSegmentHeaderBytes));
  // One that the end of the file cuts in two is half an entry, as it will be when the file is long enough again.
  entries.resize(got > 0 ? (static_cast<std::size_t>(got) + sizeof(IndexEntry) - 1) / sizeof(IndexEntry) : 0);
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

}  // namespace leat::internal
