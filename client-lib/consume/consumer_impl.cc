#include "consume/consumer_impl.h"

#include <time.h>

#include <algorithm>
#include <cstring>

#include "shm/base/clock.h"

namespace leat {

using namespace shm;
using client::RecordStream;

namespace {
constexpr std::int64_t kMaxSleepNs = 50 * kNanosPerMilli;
constexpr std::uint64_t kMaxFilteredPerPoll = 4096;
constexpr std::uint64_t kEventsPerReport = 1024;
constexpr std::uint32_t kLooksPerClock = 16;
constexpr std::int64_t kOfflineSleepNs = 10 * kNanosPerMilli;
}  // namespace

// Counts the event of next_sequence, and hands it out. False: the filter leaves it out.
inline bool Consumer::Impl::take_event(const std::byte* record, EventView& out) noexcept {
  if (++next_sequence % kEventsPerReport == 0) report_place();
  if (const BroadcastReader* live = ring()) epoch = live->header().epoch.load(std::memory_order_relaxed);
  fill_event(out, record, epoch);
  if (!options.filter.matches_all() && !options.filter.matches(out.topic)) {
    ++stats.filtered;
    return false;
  }
  ++stats.delivered;
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

Poll Consumer::Impl::poll(EventView& out) {
  if (!event_fd_armed && !error_pending && !reset_pending && options.filter.matches_all()) [[likely]] {
    if (const std::byte* const record = stream->next_event(next_sequence)) [[likely]] {
      (void)take_event(record, out);
      return Poll::event;
    }
  }
  return poll_slowly(out);
}

Poll Consumer::Impl::poll_slowly(EventView& out) {
  if (event_fd_armed) drain_event_fd();
  const std::uint64_t filtered_before = stats.filtered;
  for (;;) {
    if (stats.filtered - filtered_before >= kMaxFilteredPerPoll) return Poll::empty;  // the caller's deadline counts too
    if (error_pending) {
      error_pending = false;
      return Poll::error;
    }
    if (reset_pending) {
      reset_pending = false;
      ++stats.resets;
      report_place();
      return Poll::reset;
    }
    if (const std::byte* const record = stream->next_event(next_sequence)) {
      if (take_event(record, out)) return Poll::event;
      continue;
    }
    RecordView record;
    bool again = false;
    switch (stream->next(record)) {
      case RecordStream::Next::record:
        if (record.header.type == static_cast<std::uint16_t>(RecordType::gap)) return take_gap(record);
        if (record.header.type != static_cast<std::uint16_t>(RecordType::event) ||
            record.header.sequence != next_sequence) {
          return wrong_record(record);
        }
        if (take_event(record.bytes, out)) return Poll::event;
        continue;
      case RecordStream::Next::empty:
        report_place();
        if (event_poll.valid() && arm_event_fd()) continue;
        return Poll::empty;
      case RecordStream::Next::expired: {
        const Poll found = expired(again);
        if (again) continue;
        return found;
      }
      case RecordStream::Next::failed: error = stream->error(); return Poll::error;
    }
  }
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
    error = done.error();
    return Poll::error;
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
  reset_pending = false;
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
  constexpr std::int64_t kForever = 1LL << 62;
  const std::int64_t now = monotonic_ns();
  const std::int64_t deadline_ns = timeout_ns > kForever - now ? kForever : now + timeout_ns;
  std::int64_t next_look_ns = now + kMaxSleepNs;
  for (std::uint32_t looks = 1;; ++looks) {
    found = poll(out);
    if (found != Poll::empty) {
      spinner.reset();
      return found;
    }
    const bool spinning = spinner.keep_spinning();
    if (spinning && looks % kLooksPerClock != 0) continue;
    const std::int64_t time_ns = monotonic_ns();
    if (time_ns >= deadline_ns) return Poll::empty;
    if (!spinning || time_ns >= next_look_ns) {
      maintain();
      next_look_ns = time_ns + kMaxSleepNs;
    }
    if (!spinning) sleep(deadline_ns - time_ns);
  }
}

void Consumer::Impl::sleep(std::int64_t limit_ns) {
  const BroadcastReader* live = ring();
  if (live == nullptr) {
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

}  // namespace leat
