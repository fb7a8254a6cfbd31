// The one version of everything that two programs share.
#pragma once

#include <cstdint>

namespace leat::internal {

/// Version of every layout in shared memory, of the control protocol and of the journal's formats. A change of any of
/// them changes it; broker and clients of different versions refuse each other by name.
inline constexpr std::uint32_t kLayoutVersion = 1;

}  // namespace leat::internal
