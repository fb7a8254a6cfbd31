// The version of everything that running programs share.
#pragma once

#include <cstdint>

namespace leat::internal {

/// Version of every layout in shared memory and of the control protocol. A change of any of them raises it; broker and
/// clients of different versions refuse each other by name. Nothing of it outlives the rings: it may change with any
/// release.
///
///   3  records: headers and tombstones; arena: a refusal for bad headers (November 2026)
///   2  arena: what was lost of it; status: the journal's size, segments that were lost; control messages: where an
///      error's advice begins (November 2026)
inline constexpr std::uint32_t kSharedLayoutVersion = 3;

}  // namespace leat::internal
