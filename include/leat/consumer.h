// Reading a feed: live from the broadcast ring, from the journal when behind.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <leat/event.h>
#include <leat/feed_address.h>
#include <leat/idle.h>
#include <leat/result.h>
#include <leat/timeout.h>
#include <leat/topic_filter.h>

namespace leat {

/// Where a consumer starts. A place that cannot be had, because it was pruned or lost or is not of this feed, is a
/// Reset.
///
/// A time is a wish: a consumer that starts at one yet to come waits for it, however many earlier events, reconnects
/// and restarts lie between. A sequence or a cursor says what was seen: beyond the newest event it is a Reset (future),
/// and is not waited for. Sequences begin at 1.
struct Start {
  enum class Kind : std::uint8_t { earliest, latest, after_cursor, at_sequence, at_time, last };
  Kind kind = Kind::latest;
  Cursor cursor = {};          ///< after_cursor
  std::uint64_t sequence = 0;  ///< at_sequence: the first event wanted; 1 or more, 0 is refused
  std::int64_t timestamp_ns =
      0;                    ///< at_time: events from the first with this CLOCK_REALTIME time or later on; any value
  std::uint64_t count = 0;  ///< last: how many of the newest events; 0 is as latest

  static Start earliest() { return {.kind = Kind::earliest}; }
  static Start latest() { return {.kind = Kind::latest}; }
  static Start after(Cursor after_cursor) { return {.kind = Kind::after_cursor, .cursor = after_cursor}; }
  static Start at(std::uint64_t first_sequence) { return {.kind = Kind::at_sequence, .sequence = first_sequence}; }
  /// The newest `count` events, then those to come. All that are retained, where there are fewer: no Reset.
  static Start last(std::uint64_t count) { return {.kind = Kind::last, .count = count}; }
  static Start at_time(std::int64_t time_ns) { return {.kind = Kind::at_time, .timestamp_ns = time_ns}; }
};

/// Which promise an event must already carry when it is delivered.
enum class Level : std::uint8_t {
  live,     ///< journaled: outlives a dead broker
  durable,  ///< fdatasync has returned: outlives a dead host
};

struct ConsumerOptions {
  FeedAddress address = {};
  std::string name = {};  ///< shown by `leat stat`, at most 32 bytes; default: the program's name
  Start start = {};
  /// A place that the broker keeps, 1 to 63 of A-Z a-z 0-9 . _ -; empty: none. If the feed has a cursor of this name
  /// the consumer goes on after it, whatever `start` says; if not, it is made at `start`. It belongs to one user, to
  /// one consumer at a time, and holds back the pruning of what lies after it (leatd --cursor-hold-bytes). It says how
  /// far was looked, with whatever filter: events that the filter leaves out move it by themselves, within a second or
  /// so, once all that was handed out before them is saved. With a start at a time yet to come it is made when that
  /// time has come.
  std::string cursor_name = {};
  Level level = Level::live;
  TopicFilter filter = {};  ///< applied in this process; filtered events are looked at, not delivered
  Idle idle = Idle::adaptive;
  /// For the broker's answer in connect(). At least a millisecond, if only 0 is given; beyond 24 days: no bound;
  /// negative ones are refused.
  Timeout connect_timeout = std::chrono::seconds(5);
  bool allow_offline = true;  ///< without a broker, read the journal and join the broker when it comes
};

/// Why a consumer cannot go on from where it was told to, or where it stood. For every reason: it stands just behind
/// `resume` by then, cursor() says so, and polling on goes on there. Where that is depends on the reason:
///
///   expired, lost_tail, unknown_epoch, future   at the earliest event retained: resume.sequence + 1 is
///                                               earliest_sequence, of the feed's current epoch
///   gap                                         at the first event behind the gap. wanted_sequence to resume.sequence
///                                               are lost; what lies before the gap is retained, earliest_sequence
///                                               is the feed's and lies there
///
/// A filter, or a time that is waited for, holds behind a Reset too. If retention takes the new place before it is
/// polled, the next poll is another Reset (expired).
struct Reset {
  enum class Reason : std::uint8_t {
    expired,        ///< the place lies below the retained window (a time: events of it or later may have been pruned)
    lost_tail,      ///< the place lies in the part of an earlier epoch that a crash or repair lost
    unknown_epoch,  ///< the epoch is not of this feed
    future,         ///< the place is beyond the newest event
    gap,            ///< a repair left a hole in the journal here
  };
  Reason reason = Reason::expired;
  std::uint64_t wanted_sequence = 0;    ///< the first event that was asked for; 0 where a time was asked for
  std::uint64_t earliest_sequence = 0;  ///< retained range; earliest == latest + 1 when the feed is empty
  std::uint64_t latest_sequence = 0;
  Cursor resume = {};                               ///< the consumer goes on just after it
  std::optional<std::int64_t> wanted_time_ns = {};  ///< the time that was asked for
  [[nodiscard]] std::string to_string() const;
};

/// The short name of a reason, e.g. "expired".
std::string_view to_string(Reset::Reason reason) noexcept;

/// What poll() found.
enum class [[nodiscard]] Poll : std::uint8_t{
    event,  ///< `out` is filled
    empty,  ///< nothing new at this level (or, with a filter: nothing among some thousand events looked at; poll on)
    reset,  ///< events are missing: see last_reset(); polling on continues just behind its `resume`
    error,  ///< see last_error(); the consumer does not move past what it cannot read
};

/// Why a loop over events came to its end, and what to know about it.
struct [[nodiscard]] Ended {
  enum class Why : std::uint8_t {
    stopped,  ///< the callback returned false
    reset,    ///< events are missing here: see `reset`. Whoever reads on does so behind `reset.resume`
    error,    ///< see `error`. Whoever reads on tries the same place again
    idle,     ///< nothing came for as long as the caller would wait
  };
  Why why = Why::stopped;
  Reset reset = {};  ///< Why::reset
  Error error = {};  ///< Why::error
  [[nodiscard]] std::string to_string() const;
};

namespace detail {
/// A callback that returns nothing, or true, wants more.
template <typename Callback>
bool wants_more(Callback& callback, const EventView& event) {
  if constexpr (std::is_void_v<std::invoke_result_t<Callback&, const EventView&>>) {
    callback(event);
    return true;
  } else {
    return static_cast<bool>(callback(event));
  }
}
}  // namespace detail

struct ConsumerStats {
  std::uint64_t delivered = 0;      ///< events handed out
  std::uint64_t filtered = 0;       ///< events the filter left out
  std::uint64_t lapped = 0;         ///< copies thrown away because the writer had overtaken
  std::uint64_t ring_bytes = 0;     ///< read from the broadcast ring
  std::uint64_t journal_bytes = 0;  ///< read from the journal
  std::uint64_t resets = 0;
};

/// One consumer. Move-only; belongs to one thread at a time. Holds up neither producers, broker nor other consumers,
/// however slow it is.
///
/// A broker that has gone, or been replaced, is noticed by each way of reading, within some fifty milliseconds and
/// sixteen calls that find nothing: the consumer then joins the next one by itself, at its place. A poll that joins may
/// take as long as that broker takes to answer, at most some 200 ms.
///
/// In a child after fork() every call that reads or asks says used_after_fork, and nothing that the child does touches
/// the parent: connect anew there, into the same variable if you like.
class Consumer {
 public:
  /// Subscribes. A start that cannot be met is not an error here: the first poll() then says Poll::reset.
  /// Errors: no_broker (and no journal to read), unknown_feed, permission_denied, layout_mismatch, busy (the named
  /// cursor is in use), ...
  static Result<Consumer> connect(ConsumerOptions options);

  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;
  ~Consumer();

  /// Takes the next event if there is one; does not sleep. `out` lives until the next poll(), wait() or step of a loop,
  /// over all other calls.
  Poll poll(EventView& out);

  /// As poll(), waiting up to `timeout` for something to report (0 or negative: not at all; max(): for ever).
  /// Poll::empty means the timeout passed.
  Poll wait(EventView& out, Timeout timeout);

  [[nodiscard]] const Reset& last_reset() const noexcept;
  [[nodiscard]] const Error& last_error() const noexcept;

  /// How far was looked: after the last event delivered, or left out by the filter behind it, or where the consumer
  /// started. Resume with Start::after(cursor()).
  [[nodiscard]] Cursor cursor() const noexcept;
  /// Moves the named cursor to cursor(): "I am done with everything up to here". Sleeps for one answer of the broker,
  /// which writes it to disk within half a second or so; what was saved since is delivered again after a broker's
  /// death: at least once. With a filter: saving after the last event that matched is enough, see cursor_name. Errors:
  /// invalid_argument without a cursor_name, no_broker, busy (another has taken it meanwhile), used_after_fork.
  Result<void> save_cursor();
  /// The same for an earlier place, the `cursor` of an event that this consumer handed out: for whoever is done with
  /// events later than it takes them. Error: invalid_argument for a place that it has not come to; else as
  /// save_cursor().
  Result<void> save_cursor(const Cursor& place);
  /// Forgets the named cursor: nothing is held for it any more. Errors: as save_cursor().
  Result<void> drop_cursor();
  [[nodiscard]] ConsumerStats stats() const noexcept;
  [[nodiscard]] std::uint64_t latest_sequence() const noexcept;    ///< newest event of the feed, at this level
  [[nodiscard]] std::uint64_t earliest_sequence() const noexcept;  ///< oldest event retained
  [[nodiscard]] bool online() const noexcept;                      ///< a broker is there, and serves this consumer

  /// A descriptor for epoll, asyncio and the like: readable unless the last poll() found nothing and nothing has come
  /// since. One for the consumer's whole life, with a broker or without. Owned by the consumer. Poll after each
  /// readiness, once or until empty: what is left keeps it readable. Errors: io_error, used_after_fork.
  Result<int> event_fd();

  /// Hands each event to `callback`, and sleeps while there is none. The loop that hides nothing: it ends where events
  /// are missing (Reset), at an error, when nothing comes for `patience`, or when `callback` returns false; what it
  /// returns says which. Call it again to go on behind a Reset:
  ///
  ///   for (;;) {
  ///     const leat::Ended ended = consumer.for_each([](const leat::EventView& event) { take(event); });
  ///     if (ended.why != leat::Ended::Why::reset) return ended;
  ///     begin_anew_from_a_snapshot(ended.reset);
  ///   }
  ///
  /// An exception of `callback` goes through; the event counts as taken.
  template <typename Callback>
  Ended for_each(Callback&& callback, Timeout patience = std::chrono::nanoseconds::max()) {
    EventView event;
    for (;;) {
      const Poll found = wait(event, patience);
      if (found != Poll::event) return end_at(found);
      if (!leat::detail::wants_more(callback, event)) return end_at(Poll::event);
    }
  }

  /// Why the last range-for ended. A reset means that events are missing: the next range-for goes on behind them.
  const Ended& ended() const noexcept;

  /// `for (const EventView& event : consumer)`: blocks for each event; ends at a reset or an error. Look at ended()
  /// behind the loop, or use for_each(), whose answer cannot be overlooked.
  class Iterator {
   public:
    using value_type = EventView;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(Consumer* consumer) : consumer_(consumer) { ++*this; }
    const EventView& operator*() const { return event_; }
    const EventView* operator->() const { return &event_; }
    Iterator& operator++();
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) { return it.consumer_ == nullptr; }

   private:
    Consumer* consumer_ = nullptr;
    EventView event_ = {};
  };
  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  struct Impl;
  const Ended& end_at(Poll found);  // with Poll::event: by the callback
  explicit Consumer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace leat
