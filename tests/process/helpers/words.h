// Words of the page that a test shares with its helpers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace leat::test {

inline constexpr std::size_t kAcceptedWord = 0;    ///< + producer: events whose publish() returned ok
inline constexpr std::size_t kDeliveredWord = 64;  ///< + consumer: events checked and found right
inline constexpr std::size_t kStopWord = 128;      ///< not 0: producers without a count end
inline constexpr std::size_t kTotalWord = 129;     ///< not 0: so many events are all; consumers end there
inline constexpr std::size_t kReadyWord = 130;     ///< helpers that are connected
inline constexpr std::size_t kGoWord = 131;        ///< not 0: helpers that wait for it go on
inline constexpr std::size_t kResultWord = 132;    ///< + n: whatever a helper wants to tell

}  // namespace leat::test
