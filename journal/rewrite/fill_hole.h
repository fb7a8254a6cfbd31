// The records that take the place of what a repair gives up, so that the journal stays a stream of records:
// a gap, if events are lost; then marks that prove nothing, as filling; a segment end, if the hole reached to
// one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <leat/result.h>

#include "journal/format/damage.h"

namespace leat::internal {

/// No record in a filled hole is longer: readers take whole records into their buffers.
inline constexpr std::uint64_t kMaxFillerBytes = 256 * 1024;
/// Up to here the gap itself covers the hole.
inline constexpr std::uint64_t kMaxGapBytes = 4096;

using RecordSink = std::function<Result<void>(std::uint64_t position, const std::string& bytes)>;

/// Makes the records of [from_position, to_position) one after the other. The range is that of a Damage, so it has
/// room for what it must hold.
Result<void> fill_hole(const Damage& damage, std::uint64_t feed_seed, const RecordSink& sink);

}  // namespace leat::internal
