// Reading a journal directory, with or without a broker.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <leat/consumer.h>
#include <leat/event.h>
#include <leat/result.h>

namespace leat {

/// What a journal directory holds.
struct JournalInfo {
  std::string feed_uuid;
  std::uint64_t epoch = 0;
  std::uint64_t earliest_sequence = 0;  ///< earliest == latest + 1 when empty
  std::uint64_t latest_sequence = 0;
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;              ///< of the segment files
  bool closed_cleanly = false;
};

/// A forward reader over a journal directory. Move-only; one thread at a time; several processes may read at once,
/// also while a broker writes. Poll::empty is the end of what is there now; poll again to follow.
class JournalReader {
 public:
  JournalReader(JournalReader&&) noexcept;
  JournalReader& operator=(JournalReader&&) noexcept;
  ~JournalReader();

  /// Never returns Poll::empty in the middle of what is stored: bytes that fail their check are Poll::error.
  Poll next(EventView& out);
  [[nodiscard]] const Reset& last_reset() const noexcept;
  [[nodiscard]] const Error& last_error() const noexcept;
  [[nodiscard]] Cursor cursor() const noexcept;

 private:
  friend Result<JournalReader> open_journal(const std::filesystem::path&, const Start&);
  struct Impl;
  explicit JournalReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Opens the journal in `directory` (the one that holds the segments) at `start`. Errors: unknown_feed, corrupt, ...
Result<JournalReader> open_journal(const std::filesystem::path& directory, const Start& start);

/// Everything after `after`; a default cursor means from the earliest retained event.
Result<JournalReader> read_journal(const std::filesystem::path& directory, Cursor after = {});

Result<JournalInfo> inspect_journal(const std::filesystem::path& directory);

/// A named cursor, as the broker last wrote it down (within half a second or so of its consumer's saving it).
struct NamedCursor {
  std::string name;
  Cursor place;
  std::int64_t saved_ns = 0;  ///< CLOCK_REALTIME
  std::uint32_t uid = 0;      ///< whose it is
};

/// The named cursors of the feed whose journal this is, in order of name. Errors: unknown_feed, corrupt, io_error.
Result<std::vector<NamedCursor>> list_cursors(const std::filesystem::path& directory);

}  // namespace leat
