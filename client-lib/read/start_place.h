// Where a reader starts, and why it cannot: the rules of I11 as one function, shared by all readers.
#pragma once

#include <cstdint>
#include <optional>

#include <leat/consumer.h>

#include "client-lib/read/window.h"
#include "journal/read/journal_files.h"

namespace leat::client {

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

/// Whether there can be such a start at all. Error: invalid_argument.
Result<void> check_start(const Start& start);

/// Resolves a start against a window. The files' identity must be fresh. Errors: io_error, corrupt.
Result<StartPlace> resolve_start(internal::JournalFiles& files, const Start& start, const Window& window);

/// The reset that a reader gets who wanted `sequence`.
StartPlace reset_to_earliest(const internal::JournalFiles& files, Reset::Reason reason, std::uint64_t wanted,
                             const Window& window);

}  // namespace leat::client
