// Words of the page that a campaign shares with its clients.
#pragma once

#include <cstddef>

namespace leat::test {

inline constexpr std::size_t kAcceptedWord = 0;    ///< + client: events accepted in all its lives
inline constexpr std::size_t kDeliveredWord = 64;  ///< + client: the newest sequence in its history
inline constexpr std::size_t kWaitingWord = 128;   ///< + client: 1 until it is connected, in each life
inline constexpr std::size_t kBegunWord =
    192;                                       ///< counts calls of publish() that were about to be made, of all clients
inline constexpr std::size_t kStopWord = 200;  ///< not 0: producers end, and slow consumers hurry
inline constexpr std::size_t kTotalWord = 201;  ///< not 0: consumers end with this sequence
inline constexpr std::size_t kSavedWord = 202;  ///< cursors saved

}  // namespace leat::test
