// What a check makes of a segment's header, size and index. Private to check_journal.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "journal/check/check_journal.h"

namespace leat::internal {

/// A header that fits the size which it says itself that its file has; of whatever feed.
bool is_consistent(const SegmentHeader& header);

/// Finds out with which size the file was made, and so where its records begin; notes damage of the header. Where that
/// is damaged, a record proves where they begin, and the size is a guess, never less than what the file holds: a walk
/// may find that it was more (SegmentWalk::make_room).
void choose_geometry(JournalCheck& check, SegmentCheck& segment, const std::optional<SegmentHeader>& header, int fd,
                     std::uint64_t feed_seed, std::uint64_t typical_bytes);

/// Notes a file that is not as long as it must be, once a walk has seen all of it.
void note_size(JournalCheck& check, const SegmentCheck& segment);

/// The entries that pass their checksums, in order of position; notes damage of the others.
std::vector<IndexEntry> check_index(JournalCheck& check, SegmentCheck& segment, int fd, std::uint64_t feed_seed);

}  // namespace leat::internal
