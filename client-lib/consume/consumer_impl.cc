#include "client-lib/consume/consumer_impl.h"

#include <time.h>

#include <algorithm>
#include <cstring>

#include "base/clock.h"
#include "base/deadline.h"

namespace leat {

using namespace internal;
using client::RecordStream;

namespace {
constexpr std::int64_t kMaxSleepNs = 50 * kNanosPerMilli;
constexpr std::uint64_t kMaxFilteredPerPoll = 4096;
constexpr std::uint64_t kEventsPerReport = 1024;
constexpr std::uint32_t kLooksPerClock = 16;
constexpr std::int64_t kOfflineSleepNs = 10 * kNanosPerMilli;
constexpr std::int64_t kTendNs = 50 * kNanosPerMilli;
constexpr std::int64_t kSlowLookNs = kNanosPerMilli;  ///< who looks less often than that reads the clock at each look
}  // namespace

Result<void> Consumer::Impl::check_owner() const {
  if (owner.is_here()) return {};
  return Error{ErrorCode::used_after_fork,
               "this reader belongs to the process that this one was forked from; connect (or open) anew in this one"};
}

// Counts the event of next_sequence, and fills it in.
inline void Consumer::Impl::count_event(const std::byte* record, EventView& out) noexcept {
  if (++next_sequence % kEventsPerReport == 0) report_place();
  if (const BroadcastReader* live = ring()) epoch = live->header().epoch.load(std::memory_order_relaxed);
  fill_event(out, record, epoch);
}

// False: the filter, or the time that is waited for, leaves the event out.
inline bool Consumer::Impl::is_wanted(const EventView& event) noexcept {
  if (not_before_ns && event.timestamp_ns >= *not_before_ns) {
    not_before_ns.reset();  // from here on all events are wanted, whatever the clock does
    first_wanted = event.sequence;
    use_filter();
  }
  if (not_before_ns || (!options.filter.matches_all() && !options.filter.matches(event.topic))) {
    ++stats.filtered;
    return false;
  }
  ++stats.delivered;
  last_wanted = event.sequence;
  return true;
}

const Ended& Consumer::Impl::end_at(Poll found) {
  ended = {};
  switch (found) {
    case Poll::event: ended.why = Ended::Why::stopped; break;
    case Poll::empty: ended.why = Ended::Why::idle; break;
    case Poll::reset:
      ended.why = Ended::Why::reset;
      ended.reset = reset;
      break;
    case Poll::error:
      ended.why = Ended::Why::error;
      ended.error = error;
      break;
  }
  return ended;
}

// A fork's child finds no event in the buffer (WipedMemory), and so takes the slow way, where it is told. Where no
// memory can be wiped, all take the slow way.
Poll Consumer::Impl::poll(EventView& out) {
  if (obstacles == 0) [[likely]] {
    if (const std::byte* const record = stream->next_event(next_sequence)) [[likely]] {
      count_event(record, out);
      ++stats.delivered;
      return Poll::event;
    }
  }
  return poll_slowly(out);
}

// The handed-out descriptor is armed only while poll() has found nothing: on every other way out it is readable, so
// that nobody sleeps on what is there.
Poll Consumer::Impl::poll_slowly(EventView& out) {
  old_stream.reset();
  const Poll found = look(out);
  if (has(kEventFdArmed) && !(found == Poll::empty && at_end) && owner.is_here()) make_readable();
  return found;
}

Poll Consumer::Impl::look(EventView& out) {
  at_end = false;
  if (has(kNotWiped)) {
    if (auto ours = check_owner(); !ours) {
      error = ours.error();
      return Poll::error;
    }
  }
  const std::uint64_t filtered_before = stats.filtered;
  for (;;) {
    if (stats.filtered - filtered_before >= kMaxFilteredPerPoll) {  // the caller's deadline counts too
      (void)tend();
      return Poll::empty;
    }
    if (has(kErrorPending) || has(kResetPending)) return take_pending();
    if (const std::byte* const record = stream->next_event(next_sequence)) {
      count_event(record, out);
      if (is_wanted(out)) return Poll::event;
      continue;
    }
    bool again = false;
    const Poll found = look_elsewhere(out, again);
    if (!again) return found;
  }
}

Poll Consumer::Impl::take_pending() {
  if (auto ours = check_owner(); !ours) {
    error = ours.error();
    return Poll::error;
  }
  if (has(kErrorPending)) {
    set(kErrorPending, false);
    return Poll::error;
  }
  set(kResetPending, false);
  ++stats.resets;
  report_place();
  return Poll::reset;
}

// The buffer holds no event that comes next. `again`: look anew.
Poll Consumer::Impl::look_elsewhere(EventView& out, bool& again) {
  if (auto ours = check_owner(); !ours) {
    error = ours.error();
    return Poll::error;
  }
  RecordView record;
  switch (stream->next(record)) {
    case RecordStream::Next::record: return take_record(record, out, again);
    case RecordStream::Next::empty:
      report_place();
      blocked = false;
      again = tend() || (event_poll.valid() && settle_event_fd());
      at_end = !again;
      return Poll::empty;
    case RecordStream::Next::waiting: return wait_for_broker(again);
    case RecordStream::Next::expired: return expired(again);
    case RecordStream::Next::failed: break;
  }
  // It may be that what we read has been replaced, or is being replaced just now.
  next_journal_look_ns = 0;
  again = tend_now(monotonic_ns());
  at_end = !again && ring() == nullptr && journal_trouble.code != ErrorCode::ok;
  if (again || at_end) return Poll::empty;
  error = stream->error();
  return Poll::error;
}

Poll Consumer::Impl::take_record(const RecordView& record, EventView& out, bool& again) {
  if (record.header.type == static_cast<std::uint16_t>(RecordType::gap)) return take_gap(record);
  if (record.header.type != static_cast<std::uint16_t>(RecordType::event) || record.header.sequence != next_sequence) {
    return wrong_record(record);
  }
  last_position = stream->position() - padded_record_bytes(record.header.length);
  last_checksum = record.header.checksum;
  count_event(record.bytes, out);
  again = !is_wanted(out);
  return Poll::event;
}

// There is more, but this user may not open it himself.
Poll Consumer::Impl::wait_for_broker(bool& again) {
  blocked = true;
  again = tend_now(monotonic_ns());
  if (!again && event_poll.valid()) (void)settle_event_fd();
  at_end = !again;
  return Poll::empty;
}

Poll Consumer::Impl::wrong_record(const RecordView& record) {
  const std::uint64_t found = record.header.sequence;
  stream->seek(stream->position() - padded_record_bytes(record.header.length));
  error = {ErrorCode::corrupt, "the journal's string holds a record of type " + std::to_string(record.header.type) +
                                   " with sequence " + std::to_string(found) + " at position " +
                                   std::to_string(stream->position()) + ", expected the event of sequence " +
                                   std::to_string(next_sequence) + "; stop the broker and check the disk"};
  return Poll::error;
}

Poll Consumer::Impl::take_gap(const RecordView& record) {
  const GapBody gap = gap_of(record.header, record.payload);
  // A reader that was told to begin within the gap stands on it too.
  if (gap.first_missing > next_sequence || gap.last_missing < next_sequence) return wrong_record(record);
  client::Window now;
  if (ring() != nullptr) {
    now = window();
  } else if (auto offline = offline_window(); offline) {
    now = *offline;
    stream->seek(stream->position());  // to find the journal's end its last segment was read
  } else {
    stream->seek(stream->position() - padded_record_bytes(record.header.length));
    error = offline.error();
    return Poll::error;
  }
  reset = {.reason = Reset::Reason::gap,
           .wanted_sequence = next_sequence,
           .earliest_sequence = now.earliest_sequence,
           .latest_sequence = now.latest_sequence,
           .resume = {.epoch = epoch, .sequence = gap.last_missing}};
  next_sequence = gap.last_missing + 1;
  ++stats.resets;
  return Poll::reset;
}

Poll Consumer::Impl::expired(bool& again) {
  if (auto done = stream->files().refresh(); !done) {
    if (done.error().code == ErrorCode::no_broker) return wait_for_broker(again);
    again = tend_now(monotonic_ns());
    error = done.error();
    return again ? Poll::empty : Poll::error;
  }
  client::Window now;
  if (ring() != nullptr) {
    now = window();
  } else if (auto offline = offline_window(); offline) {
    now = *offline;
  } else {
    error = offline.error();
    return Poll::error;
  }
  // The ring of a broker that is gone says no more what is retained; the files do.
  const auto& segments = stream->files().segments();
  if (!segments.empty() && segments.front().first_position > now.earliest_position) {
    now.earliest_position = segments.front().first_position;
    now.earliest_sequence = segments.front().first_sequence;
    now.latest_sequence = std::max(now.latest_sequence, now.earliest_sequence - 1);
  }
  if (next_sequence == now.earliest_sequence && stream->position() < now.earliest_position) {
    // What was pruned ends with the last event that we had: only marks and a segment's end lay between.
    stream->seek(now.earliest_position);
    again = true;
    return Poll::empty;
  }
  take_place(client::reset_to_earliest(stream->files(), Reset::Reason::expired, next_sequence, now));
  set(kResetPending, false);
  ++stats.resets;
  report_place();
  return Poll::reset;
}

// A hint for `leat stat`, on a line of our own that nobody polls.
void Consumer::Impl::report_place() noexcept {
  stats.lapped = stream->lapped;
  stats.ring_bytes = stream->ring_bytes;
  stats.journal_bytes = stream->journal_bytes;
  if (slot == nullptr) return;
  slot->position.store(stream->position(), std::memory_order_relaxed);
  slot->sequence.store(next_sequence - 1, std::memory_order_relaxed);
  slot->lapped.store(stats.lapped, std::memory_order_relaxed);
  slot->resets.store(stats.resets, std::memory_order_relaxed);
}

Poll Consumer::Impl::wait(EventView& out, std::int64_t timeout_ns) {
  Poll found = poll(out);
  if (found != Poll::empty || timeout_ns <= 0) return found;
  const Deadline deadline = Deadline::after_ns(timeout_ns);
  for (std::uint32_t looks = 1;; ++looks) {
    found = poll(out);
    if (found != Poll::empty) {
      spinner.reset();
      return found;
    }
    if (!at_end) {  // a filter left out all that it was shown, and there is more
      if (deadline.has_passed()) return Poll::empty;
      continue;
    }
    const bool spinning = spinner.keep_spinning();
    if (spinning && looks % kLooksPerClock != 0) continue;
    const std::int64_t left_ns = deadline.left_ns();
    if (left_ns == 0) return Poll::empty;
    if (spinning) continue;
    sleep(left_ns);
    looks_until_clock = 1;
  }
}

void Consumer::Impl::sleep(std::int64_t limit_ns) {
  const BroadcastReader* live = ring();
  if (live == nullptr || blocked) {
    const timespec nap{.tv_sec = 0, .tv_nsec = std::min(limit_ns, kOfflineSleepNs)};
    ::nanosleep(&nap, nullptr);
    return;
  }
  const BroadcastHeader& header = live->header();
  const auto& watermark = options.level == Level::live ? header.committed : header.durable;
  auto& sleepers = options.level == Level::live ? doorbell->live_sleepers : doorbell->durable_sleepers;
  const std::uint64_t seen = watermark.load(std::memory_order_acquire);
  if (seen > stream->position()) return;
  sleep_on(sleepers, watermark, seen, std::min(limit_ns, kMaxSleepNs));
}

// Called where poll() finds nothing, which may be millions of times a second, or once in a while.
bool Consumer::Impl::tend() {
  if (--looks_until_clock != 0) return false;
  const std::int64_t now = monotonic_ns();
  looks_until_clock = now - last_clock_ns >= kSlowLookNs ? 1 : kLooksPerClock;
  last_clock_ns = now;
  if (now < next_tend_ns) return false;
  next_tend_ns = now + kTendNs;
  return tend_now(now);
}

void Consumer::Impl::look_around() noexcept {
  try {
    const std::int64_t now = monotonic_ns();
    if (now < next_tend_ns) return;
    next_tend_ns = now + kTendNs;
    (void)tend_now(now);
  } catch (...) {  // no memory: the next call looks again
  }
}

}  // namespace leat
