#include "tools/leat/event_loop.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/clock.h"
#include "tools/leat/exit_code.h"
#include "tools/leat/stop_signal.h"

namespace leat::tool {
namespace {

using Clock = std::chrono::steady_clock;

/// While events keep coming, printed lines are held back no longer than this; the clock is read every few events only.
constexpr auto kMaxHold = std::chrono::milliseconds(20);
constexpr unsigned kEventsPerClock = 64;
/// A reader that acknowledges nothing gets no more than this.
constexpr std::uint64_t kMaxUnacknowledged = 1'000'000;

/// An event that was stamped may be seen so much later.
constexpr std::int64_t kOnItsWayNs = 1'000'000'000;

class Loop {
 public:
  Loop(EventSource& source, const EventPrinter& printer, Output& output, const LoopOptions& options)
      : source_(source), printer_(printer), output_(output), options_(options) {}

  int run() {
    if (options_.ends_at_once) return end(kExitOk);
    while (!status_) {
      if (stop_signal() != 0) return end(stopped_status());
      step();
    }
    return *status_;
  }

 private:
  void step() {
    if (source_.unacknowledged() >= kMaxUnacknowledged) return wait_for_reader();
    EventView event;
    Poll found = source_.poll(event);
    if (found == Poll::empty) {
      if (!flush() || !output_.reader_is_there(0)) return leave();
      if (options_.end_when_empty || time_is_over()) return finish(kExitOk);
      if (!listen({})) return;
      found = source_.wait(event, next_slice());
      if (found == Poll::empty) return check_timeout();
    }
    switch (found) {
      case Poll::event: return take(event);
      case Poll::reset: return take_reset(source_.last_reset());
      case Poll::error: return take_error(source_.last_error());
      case Poll::empty: return;
    }
  }

  void take(const EventView& event) {
    const std::uint64_t last = options_.last_sequence;
    const bool too_late = options_.last_time_ns && event.timestamp_ns > *options_.last_time_ns;
    if (too_late || (last != 0 && event.sequence > last)) {
      source_.leave_before(event);
      return finish(kExitOk);
    }
    if (options_.filter.matches(event.topic)) {
      printer_.append(output_.buffer(), event);
      ++printed_;
      printed_lately_ = true;
      source_.note_printed(event);
      if (!output_.end_line()) return leave();
      if (printed_ == options_.count) return finish_count();
    }
    if (last != 0 && event.sequence == last) return finish(kExitOk);
    if (++events_since_clock_ >= kEventsPerClock) look_at_clock();
  }

  /// What is published from now on is stamped later than what is wanted. A moment is left for what is on its way.
  [[nodiscard]] bool time_is_over() const {
    return options_.last_time_ns && internal::realtime_ns() - kOnItsWayNs > *options_.last_time_ns;
  }

  void take_reset(const Reset& reset) {
    if (printer_.append(output_.buffer(), reset)) {
      if (!output_.end_line()) return leave();
    } else if (!output_.flush()) {
      return leave();
    }
    const bool in_place = reset.reason == Reset::Reason::gap;
    if (options_.strict) {
      finish(kExitReset);
      complain(reset.to_string() + "; without --strict reading goes on " +
               (in_place ? "behind the gap" : "at the earliest event"));
    } else if (!printed_as_json()) {
      complain(reset.to_string() + "; going on at " + std::to_string(reset.resume.sequence + 1));
    }
  }

  void take_error(const Error& error) {
    finish(kExitOk);  // what came before the error goes out before the message
    status_ = fail(error);
  }

  /// Takes what the reader says back. False if that was the end.
  bool listen(std::chrono::nanoseconds wait) {
    const auto heard = source_.listen(wait);
    if (heard && *heard) return true;
    if (heard) {
      leave();
    } else {
      finish(kExitOk);
      status_ = fail(kExitFailed, heard.error().message);
    }
    return false;
  }

  /// Nothing more is printed before the reader has acknowledged something.
  void wait_for_reader() {
    if (!flush() || !output_.reader_is_there(0)) return leave();
    (void)listen(kStopSlice);
  }

  /// All were printed. A reader that acknowledges may take its time, as long as it is there.
  void finish_count() {
    const auto begin = Clock::now();
    while (source_.unacknowledged() > 0 && !status_ && stop_signal() == 0) {
      wait_for_reader();
      if (!status_ && options_.timeout.count() != 0 && Clock::now() - begin >= options_.timeout) {
        finish(kExitOk);
        status_ = fail(kExitTimedOut, "the reader did not acknowledge within --timeout; what it did not comes again");
      }
    }
    if (!status_) finish(stop_signal() != 0 ? stopped_status() : kExitOk);
  }

  /// Only now and then, for it costs as much as an event.
  void look_at_clock() {
    events_since_clock_ = 0;
    const auto now = Clock::now();
    note_activity(now);
    if (now - last_flush_ < kMaxHold) return;
    last_flush_ = now;
    // With plenty of events of which none matches, nothing is written: ask whether anybody is there to read.
    if (!flush() || !output_.reader_is_there(0)) return leave();
    if (!listen({})) return;
    if (timed_out(now)) time_out();
  }

  void check_timeout() {
    const auto now = Clock::now();
    note_activity(now);
    if (timed_out(now)) time_out();
  }

  void note_activity(Clock::time_point now) {
    if (printed_lately_) last_event_ = now;
    printed_lately_ = false;
  }

  [[nodiscard]] bool timed_out(Clock::time_point now) const {
    return options_.timeout.count() != 0 && now - last_event_ >= options_.timeout;
  }

  void time_out() {
    finish(kExitOk);
    status_ = fail(kExitTimedOut, "no event came within --timeout; raise it, or see leat stat for who publishes");
  }

  std::chrono::nanoseconds next_slice() {
    if (options_.timeout.count() == 0) return kStopSlice;
    const auto now = Clock::now();
    note_activity(now);
    const std::chrono::nanoseconds left = last_event_ + options_.timeout - now;
    return std::clamp<std::chrono::nanoseconds>(left, std::chrono::nanoseconds(0), kStopSlice);
  }

  [[nodiscard]] bool printed_as_json() const { return printer_.format() == Format::json; }

  /// Writes what is left and sets the exit status. A failing standard output goes before anything else.
  void finish(int status) { status_ = end(status); }
  int end(int status) {
    flush();
    (void)source_.listen({});  // what a reader said before it went counts
    return output_.status(status);
  }

  /// The reader has gone. Quietly, unless it owes acknowledgements.
  void leave() {
    finish(kExitOk);
    const std::uint64_t left = source_.unacknowledged();
    if (left == 0 || output_.state() == Output::State::failed) return;
    status_ = fail(kExitFailed, "the reader ended without having acknowledged " + std::to_string(left) +
                                    (left == 1 ? " event: it comes again" : " events: they come again"));
  }

  bool flush() {
    if (!output_.flush()) return false;
    if (!output_.complete()) return true;
    const auto noted = source_.note_written();
    const std::string trouble = noted ? "" : noted.error().message;
    if (!trouble.empty() && trouble != last_trouble_) complain(trouble);
    last_trouble_ = trouble;
    return true;
  }

  EventSource& source_;
  const EventPrinter& printer_;
  Output& output_;
  const LoopOptions& options_;
  std::optional<int> status_;
  std::string last_trouble_;  // of note_written(), said once
  std::uint64_t printed_ = 0;
  unsigned events_since_clock_ = 0;
  bool printed_lately_ = false;
  Clock::time_point last_flush_ = Clock::now();
  Clock::time_point last_event_ = Clock::now();
};

}  // namespace

int print_events(EventSource& source, const EventPrinter& printer, Output& output, const LoopOptions& options) {
  return Loop(source, printer, output, options).run();
}

}  // namespace leat::tool
