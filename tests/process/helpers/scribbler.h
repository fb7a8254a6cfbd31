// Words of the page that hostile helpers use beside those of words.h.
#pragma once

#include <cstddef>

#include "client-lib/connect/connection.h"

namespace leat::test {

inline constexpr std::size_t kHostileStopWord = 160;  ///< not 0: scribblers end
inline constexpr std::size_t kScribbledWord = 161;    ///< writes that they have made

}  // namespace leat::test
