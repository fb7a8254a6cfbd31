// What the reader of `leat tail --ack line` says back: a line for each event, on a descriptor of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include <leat/cursor.h>
#include <leat/result.h>

namespace leat::tool {

/// Which events were printed and not acknowledged yet, and how far the acknowledged ones go. No I/O.
class AckLedger {
 public:
  /// An event was printed. In order of sequence.
  void note_printed(const Cursor& event);

  /// A line of the reader: empty for the next event in order, or the sequence of an event that was printed, which
  /// stands for all that were printed before it too. Error: invalid_argument, saying what was expected.
  Result<void> take_line(std::string_view line);

  [[nodiscard]] std::uint64_t waiting() const noexcept { return printed_.size(); }
  [[nodiscard]] const std::optional<Cursor>& acknowledged() const noexcept { return acknowledged_; }

 private:
  std::deque<Cursor> printed_;  // and not acknowledged
  std::optional<Cursor> acknowledged_;
};

/// Reads the reader's lines. Not thread-safe.
class AckReader {
 public:
  explicit AckReader(int fd) : fd_(fd) {}

  [[nodiscard]] AckLedger& ledger() noexcept { return ledger_; }
  [[nodiscard]] const AckLedger& ledger() const noexcept { return ledger_; }
  /// The descriptor is at its end, or its other end has gone: nothing more will come.
  [[nodiscard]] bool ended() const noexcept { return ended_; }

  /// Takes the lines that are there, waiting up to `wait` for the first. Errors: that of a wrong line, io_error.
  Result<void> listen(std::chrono::nanoseconds wait);

 private:
  Result<void> take_lines();

  int fd_;
  AckLedger ledger_;
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace leat::tool
