// What there is to be read: between the earliest event retained and the newest one.
#pragma once

#include <cstdint>
#include <optional>

#include <leat/result.h>

#include "shm/broadcast/broadcast_ring.h"
#include "journal/read/journal_files.h"

namespace leat::client {

/// What is there to be read.
struct Window {
  std::uint64_t earliest_position = 0;
  std::uint64_t earliest_sequence = 1;
  std::uint64_t latest_position = 0;
  std::uint64_t latest_sequence = 0;  ///< earliest - 1 when empty
};

/// What a ring says is there, with a place of one moment. `files`: of its journal; listed anew where need be.
Window window_of(const internal::BroadcastReader& live, internal::JournalFiles& files);

/// What the files alone say is there, by recovery's own rules for their end.
struct StoredWindow {
  Window window;
  std::optional<std::uint64_t> verified_end;  ///< an end before this position is none; nothing: there is no segment
  std::optional<Error> damage;                ///< what lies behind the window's end is not whole
};

/// Lists `files` anew and leaves them at the segment that was looked at last. Errors: io_error, corrupt, ...
Result<StoredWindow> stored_window(internal::JournalFiles& files);

}  // namespace leat::client
