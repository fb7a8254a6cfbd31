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
  std::uint64_t bytes = 0;  ///< of the segment files
  bool closed_cleanly = false;
};

/// A forward reader over a journal directory. Move-only; one thread at a time; several processes may read at once,
/// also while a broker writes. Poll::empty is the end of what is there now; poll again to follow. Not usable in a child
/// after fork(): used_after_fork.
class JournalReader {
 public:
  JournalReader(JournalReader&&) noexcept;
  JournalReader& operator=(JournalReader&&) noexcept;
  ~JournalReader();

  /// Never returns Poll::empty in the middle of what is stored: bytes that fail their check are Poll::error.
  /// Whoever follows: a journal that is replaced under the reader is gone on with (Reset), one that is gone is an error
  /// within some seconds, for as long as it is.
  Poll next(EventView& out);
  /// Hands out events until there are no more (Why::idle), or as Consumer::for_each.
  template <typename Callback>
  Ended for_each(Callback&& callback) {
    EventView event;
    for (;;) {
      const Poll found = next(event);
      if (found != Poll::event) return end_at(found);
      if (!leat::detail::wants_more(callback, event)) return end_at(Poll::event);
    }
  }
  [[nodiscard]] const Reset& last_reset() const noexcept;
  [[nodiscard]] const Error& last_error() const noexcept;
  [[nodiscard]] Cursor cursor() const noexcept;

 private:
  friend Result<JournalReader> open_journal(const std::filesystem::path&, const Start&);
  struct Impl;
  const Ended& end_at(Poll found);
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
