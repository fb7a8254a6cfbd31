// What a check makes of a segment's header, size and index. Private to check_journal.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "shm/journal/check_journal.h"

namespace leat::shm {

/// A header that fits the size which it says itself that its file has; of whatever feed.
bool is_consistent(const SegmentHeader& header);

/// Finds out with which size the file was made, and so where its records begin; notes damage of header and size. Where
/// the header is damaged, the file's size, or that of the others, tells: the first record proves it.
void choose_geometry(JournalCheck& check, SegmentCheck& segment, const std::optional<SegmentHeader>& header, int fd,
                     std::uint64_t feed_seed, std::uint64_t typical_bytes);

/// The entries that pass their checksums, in order of position; notes damage of the others.
std::vector<IndexEntry> check_index(JournalCheck& check, SegmentCheck& segment, int fd, std::uint64_t feed_seed);

}  // namespace leat::shm
