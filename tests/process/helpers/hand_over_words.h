// Words of the page that a hand-over test and its reader share.
#pragma once

#include <cstddef>

namespace leat::test {

inline constexpr std::size_t kReaderSequence = 0;  ///< last event delivered
inline constexpr std::size_t kReaderResets = 1;    ///< resets, all of them checked
inline constexpr std::size_t kReaderLapped = 2;    ///< ConsumerStats, after each poll
inline constexpr std::size_t kReaderRingBytes = 3;
inline constexpr std::size_t kReaderJournalBytes = 4;
inline constexpr std::size_t kReaderOnline = 5;
inline constexpr std::size_t kReaderReady = 6;     ///< it waits for kReaderGo
inline constexpr std::size_t kReaderGo = 7;        ///< set by the test: connect now
inline constexpr std::size_t kReaderPauseAt = 8;   ///< set by the test: SIGSTOP when it has this sequence
inline constexpr std::size_t kReaderTripwire = 9;  ///< set by the test: fault at each page of the ring
inline constexpr std::size_t kReaderTarget = 10;   ///< set by the test: end when it has this sequence

}  // namespace leat::test
