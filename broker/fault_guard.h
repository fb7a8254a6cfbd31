// SIGBUS: what a mapping raises when its file's bytes cannot be had. The broker, never the library, handles it.
//
//   in the journal's current segment   no room for a store, on a file system that copies shared bytes:
//                                      the store waits, and is made when there is; an I/O error, or the file was cut:
//                                      fail-stop with a clear message, status 74
//   in a file that only the broker     somebody cut a file that only the broker's user can open: the same, with its own
//   writes                             message
//   in a client's arena                the client cut its own file: zeroes are mapped there instead, so that its
//                                      entries fail their checks; nobody else notices
//   in the inbound ring or the         a client cut the file, which others share: it is made whole; what was in it
//   doorbell                           is gone, but everything that counts is in the arenas and the broker's own files
//   anywhere else                      the default action
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/atomic_enum.h"
#include "shm/feed_state.h"

namespace leat::broker {

enum class FaultKind : std::uint32_t { none = 0, journal = 1, arena = 2, shared = 3, own = 4 };

inline constexpr int kExitIoError = 74;  // EX_IOERR of sysexits.h

/// Installs the handler for the process. Once.
void install_fault_guard();

/// Words that the handler sets to FeedState::failed before it ends the process, so that clients see why.
void set_fault_state_words(internal::AtomicEnum<internal::FeedState>* first,
                           internal::AtomicEnum<internal::FeedState>* second) noexcept;

/// From here on no store waits for room any more: the process ends in place of that.
void stop_waiting_for_room() noexcept;

/// Watches a range of addresses while it lives. Thread-safe.
class FaultRange {
 public:
  FaultRange() = default;
  /// `fd`: for FaultKind::shared and journal, the file of `bytes` that is mapped there; stays open as long.
  FaultRange(const void* base, std::size_t bytes, FaultKind kind, int fd = -1) noexcept;
  FaultRange(FaultRange&& other) noexcept : index_(other.index_) { other.index_ = -1; }
  FaultRange& operator=(FaultRange&& other) noexcept;
  ~FaultRange() { release(); }

 private:
  void release() noexcept;
  int index_ = -1;
};

}  // namespace leat::broker
