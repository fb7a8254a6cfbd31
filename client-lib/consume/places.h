// Where a consumer starts, and why it cannot: the rules of I11 as one function, shared by all readers.
#pragma once

#include <cstdint>
#include <optional>

#include <leat/consumer.h>

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

/// The place to read from. With a reset, it is the earliest one retained.
struct StartPlace {
  std::uint64_t position = 0;
  std::uint64_t next_sequence = 1;
  bool reset = false;
  Reset why = {};
  /// Start::at_time: until the first event of this time or later has come, those before it are passed over. A place
  /// alone would not do: what comes next may still be too early.
  std::optional<std::int64_t> not_before_ns = {};
  bool found_time = false;  ///< it has come
};

/// What a ring says is there, with a place of one moment. `files`: of its journal; listed anew where need be.
Window window_of(const internal::BroadcastReader& live, internal::JournalFiles& files);

/// Resolves a start against a window. The files' identity must be fresh. Errors: io_error, corrupt.
Result<StartPlace> resolve_start(internal::JournalFiles& files, const Start& start, const Window& window);

/// The reset that a reader gets who wanted `sequence`.
StartPlace reset_to_earliest(const internal::JournalFiles& files, Reset::Reason reason, std::uint64_t wanted,
                             const Window& window);

}  // namespace leat::client
