// The loop of tail and replay: takes events, prints them, ends when it should.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include <leat/consumer.h>
#include <leat/topic_filter.h>

#include "tools/leat/event_printer.h"
#include "tools/leat/output.h"

namespace leat::tool {

/// Where events come from: a consumer or a journal.
class EventSource {
 public:
  EventSource() = default;
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;
  virtual ~EventSource() = default;

  virtual Poll poll(EventView& out) = 0;
  /// As poll(), but may sleep up to `slice` for an event.
  virtual Poll wait(EventView& out, std::chrono::nanoseconds slice) = 0;
  [[nodiscard]] virtual const Reset& last_reset() const = 0;
  [[nodiscard]] virtual const Error& last_error() const = 0;
  /// The event that was taken last lies beyond what was asked for: for whoever comes next it is still to be read.
  virtual void leave_before(const EventView& /*event*/) {}
  /// All that was taken from here up to now has been written to standard output.
  virtual Result<void> note_written() { return {}; }

  // A reader that acknowledges (tail --ack line):
  /// The event that was taken last is to be printed.
  virtual void note_printed(const EventView& /*event*/) {}
  /// Takes what the reader says back, waiting up to `wait` for it, and moves the cursor by it. False: it will say no
  /// more.
  virtual Result<bool> listen(std::chrono::nanoseconds /*wait*/) { return true; }
  /// Events that were printed and not acknowledged.
  [[nodiscard]] virtual std::uint64_t unacknowledged() const { return 0; }
};

struct LoopOptions {
  TopicFilter filter;
  std::uint64_t count = 0;                        ///< events to print; 0: no bound
  std::uint64_t last_sequence = 0;                ///< 0: no bound
  std::optional<std::int64_t> last_time_ns = {};  ///< an event that is stamped later is not printed, and is the end
  bool ends_at_once = false;                      ///< whatever was asked for lies behind the start
  std::chrono::nanoseconds timeout = {};          ///< 0: none
  bool strict = false;
  bool end_when_empty = false;  ///< do not wait for more
};

/// Runs until an end is reached, and returns the exit status. Complains about what went wrong. The filter is applied
/// here, not in the source, so that neither a stop signal nor the flush of a line already printed has to wait while
/// millions of unwanted events go by.
int print_events(EventSource& source, const EventPrinter& printer, Output& output, const LoopOptions& options);

}  // namespace leat::tool
