// Reading events: a place in the stream, and what keeps a reader from going on there. What a JournalReader is, and what
// a Consumer has at its core.
#pragma once

#include <cstdint>
#include <optional>

#include <leat/consumer.h>

#include "base/check.h"
#include "base/process_mark.h"
#include "client-lib/read/fill_event.h"
#include "client-lib/read/record_stream.h"
#include "client-lib/read/start_place.h"
#include "client-lib/read/window.h"
#include "shm/broadcast/broadcast_layout.h"

namespace leat::client {

/// Hands out the events of one stream, with or without a ring. Knows no socket, never waits, and leaves it to its owner
/// to look for another broker or another journal. Not thread-safe.
///
/// A poll: take_buffered(); if it has nothing, begin_poll(), and then look() until its answer is one for the caller.
class EventReader {
 public:
  explicit EventReader(TopicFilter filter = {});

  /// The common case, inlined: takes the next event straight from the buffer. False: look() says what there is instead.
  [[nodiscard]] bool take_buffered(EventView& out) noexcept {
    if (obstacles_ != 0) [[unlikely]] {
      return false;
    }
    const std::byte* const record = stream_->next_event(next_sequence_);
    if (record == nullptr) [[unlikely]] {
      return false;
    }
    count_event(record, out);
    ++stats_.delivered;
    return true;
  }

  enum class [[nodiscard]] Found : std::uint8_t{
      event,       ///< `out` is filled
      reset,       ///< see last_reset(): the reader stands behind its `resume`
      error,       ///< see last_error(): the reader stays where it is
      end,         ///< nothing more up to the stream's limit
      left_out,    ///< the filter left out all that one poll may look at; there may be more
      blocked,     ///< there is more, but only a broker can open it for this user
      unreadable,  ///< an error, see last_error(), unless what is read is just being replaced
  };
  /// Lets go of the bytes of the event that was handed out last, and begins to count what the filter leaves out.
  void begin_poll() noexcept {
    old_stream_.reset();
    filtered_before_ = stats_.filtered;
  }
  Found look(EventView& out);
  /// Why a loop ended, whose last poll was `found`; Poll::event: by its callback.
  const Ended& end_at(Poll found);

  /// Reads `files` from `start` on, without a broker. Upon an error all is as it was. Errors: io_error, corrupt, ...
  Result<void> open(internal::JournalFiles files, const Start& start);
  /// Reads `fresh` from `place` on. The bytes of the event that was handed out last stay until the next begin_poll().
  void read_on(RecordStream fresh, const StartPlace& place);
  /// Reads what comes next from where it lies by now, not from what was buffered.
  void read_afresh() { stream_->seek(stream_->position()); }
  /// The epoch of the journal, which has begun another without losing what was read.
  void go_on_in_epoch(std::uint64_t epoch) noexcept { epoch_ = epoch; }
  /// The next poll is an error.
  void report(Error error);
  /// Each poll takes the slow way: its owner has to be at its end.
  void keep_to_slow_way(bool keep) noexcept { set(kWatched, keep); }
  /// Where `leat stat` looks how far the reader has come; nullptr: nowhere.
  void show_place_in(internal::ConsumerSlot* slot) noexcept { slot_ = slot; }
  /// A broker is there that opens files.
  void unblock() noexcept { blocked_ = false; }

  [[nodiscard]] bool is_open() const noexcept { return stream_.has_value(); }
  [[nodiscard]] const internal::BroadcastReader* ring() const noexcept { return stream_ ? stream_->ring() : nullptr; }
  [[nodiscard]] internal::JournalFiles& files() noexcept { return stream_->files(); }
  [[nodiscard]] std::uint64_t position() const noexcept { return stream_->position(); }
  [[nodiscard]] bool has_more() const noexcept { return stream_->limit() > stream_->position(); }
  /// The last look() ended where only a broker can open what comes next.
  [[nodiscard]] bool is_blocked() const noexcept { return blocked_; }

  [[nodiscard]] Cursor cursor() const noexcept { return {.epoch = epoch_, .sequence = next_sequence_ - 1}; }
  [[nodiscard]] std::uint64_t next_sequence() const noexcept { return next_sequence_; }
  /// Whether `place` is of this feed and was not lost there.
  [[nodiscard]] bool is_of_this_feed(const Cursor& place);
  [[nodiscard]] const internal::FeedUuid& journal_uuid() const noexcept { return journal_uuid_; }
  /// The record that was read last without a ring, which is still to be there. checksum 0: none was read yet.
  struct LastRecord {
    std::uint64_t position = 0;
    std::uint64_t checksum = 0;
  };
  [[nodiscard]] LastRecord last_record() const noexcept { return last_record_; }

  [[nodiscard]] bool has_filter() const noexcept { return !filter_.matches_all(); }
  /// No event is wanted until one of a time or later has come.
  [[nodiscard]] bool waits_for_time() const noexcept { return not_before_ns_.has_value(); }
  /// At the start no event had come to that time yet.
  [[nodiscard]] bool began_before_its_time() const noexcept { return began_before_its_time_; }
  /// The event that came to that time.
  [[nodiscard]] std::uint64_t first_wanted() const noexcept { return first_wanted_; }
  /// The last event that passed a filter.
  [[nodiscard]] std::uint64_t last_wanted() const noexcept { return last_wanted_; }

  [[nodiscard]] const Reset& last_reset() const noexcept { return reset_; }
  [[nodiscard]] const Error& last_error() const noexcept { return error_; }
  [[nodiscard]] const Ended& ended() const noexcept { return ended_; }
  /// A reset, or an error, that the next poll reports.
  [[nodiscard]] bool has_pending_reset() const noexcept { return has(kResetPending); }
  [[nodiscard]] bool has_pending_error() const noexcept { return has(kErrorPending); }
  /// As of the last report_place(), but for `delivered` and `filtered`.
  [[nodiscard]] const ConsumerStats& stats() const noexcept { return stats_; }
  void report_place() noexcept;

  /// False in a fork's child.
  [[nodiscard]] bool is_ours() const noexcept { return owner_.is_here(); }
  /// Error: used_after_fork.
  [[nodiscard]] Result<void> check_owner() const;

 private:
  static constexpr std::uint64_t kEventsPerReport = 1024;
  static constexpr std::uint64_t kMaxFilteredPerPoll = 4096;

  // Why the next event may not be taken straight from the buffer. 0: it may.
  enum Obstacle : std::uint32_t {
    kWatched = 1,       // an event loop sleeps until something comes
    kErrorPending = 2,  // the next poll has yet to report it
    kResetPending = 4,
    kSelective = 8,  // there is a filter, or a time that is waited for
    kNotWiped = 16,  // a fork's child finds the parent's buffer: each poll asks whose it is
  };
  [[nodiscard]] bool has(Obstacle obstacle) const noexcept { return (obstacles_ & obstacle) != 0; }
  void set(Obstacle obstacle, bool there) noexcept {
    obstacles_ = there ? obstacles_ | obstacle : obstacles_ & ~static_cast<std::uint32_t>(obstacle);
  }

  // Counts the event of next_sequence_, and fills it in.
  void count_event(const std::byte* record, EventView& out) noexcept {
    LEAT_DCHECK(internal::header_at(record).sequence == next_sequence_);
    if (++next_sequence_ % kEventsPerReport == 0) report_place();
    if (const internal::BroadcastReader* live = ring()) epoch_ = live->header().epoch.load(std::memory_order_relaxed);
    fill_event(out, record, epoch_);
  }
  bool is_wanted(const EventView& event) noexcept;
  void mind_selection() noexcept;
  Found look_beyond_buffer(EventView& out, bool& again);
  Found take_pending();
  Found take_record(const internal::RecordView& record, EventView& out, bool& again);
  Found take_gap(const internal::RecordView& record);
  Found wrong_record(const internal::RecordView& record);
  Found take_expiry(bool& again);
  Found fail(Found found, Error error);
  void step_back(const internal::RecordView& record);
  Result<Window> window();
  void replace_stream(RecordStream fresh);
  void take_place(const StartPlace& place);

  // What taking an event from the buffer touches comes first.
  std::uint32_t obstacles_ = internal::pages_are_wiped() ? 0U : std::uint32_t{kNotWiped};
  std::uint64_t next_sequence_ = 1;
  std::uint64_t epoch_ = 0;
  ConsumerStats stats_;
  std::optional<RecordStream> stream_;
  std::optional<RecordStream> old_stream_;  // holds the bytes of the event that was handed out last

  TopicFilter filter_;
  std::optional<std::int64_t> not_before_ns_;
  bool began_before_its_time_ = false;
  bool blocked_ = false;
  std::uint64_t first_wanted_ = 0;
  std::uint64_t last_wanted_ = 0;
  std::uint64_t filtered_before_ = 0;

  Reset reset_;
  Error error_;
  Ended ended_;
  internal::FeedUuid journal_uuid_ = {};
  LastRecord last_record_;
  internal::ConsumerSlot* slot_ = nullptr;
  internal::ProcessOwner owner_;
};

}  // namespace leat::client
