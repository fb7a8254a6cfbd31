#include "client-lib/consume/places.h"

#include <algorithm>
#include <ctime>

#include "base/clock.h"
#include "journal/read/locate.h"

namespace leat::client {

using namespace internal;

namespace {

Result<StartPlace> place_of_sequence(JournalFiles& files, std::uint64_t sequence, const Window& window) {
  if (sequence < window.earliest_sequence) {
    return reset_to_earliest(files, Reset::Reason::expired, sequence, window);
  }
  if (sequence > window.latest_sequence + 1) {
    return reset_to_earliest(files, Reset::Reason::future, sequence, window);
  }
  if (sequence == window.latest_sequence + 1) {
    return StartPlace{.position = window.latest_position, .next_sequence = sequence};
  }
  auto located = locate_sequence(files, sequence, window.latest_position);
  if (!located) return located.error();
  // Not found where it should be: the reader goes there and says what is wrong with it.
  // Within a gap: the reader comes upon it at once, and says so.
  if (located->in_gap) return StartPlace{.position = located->position, .next_sequence = sequence};
  if (located->found && located->sequence != sequence) {
    return reset_to_earliest(files, Reset::Reason::expired, sequence, window);
  }
  return StartPlace{.position = located->position, .next_sequence = sequence};
}

// A time is a condition, not a place: it is kept until an event meets it. What was pruned may have met it too, if what
// is left begins later; then the reader is told, as for a sequence that is pruned.
Result<StartPlace> place_of_time(JournalFiles& files, std::int64_t timestamp_ns, const Window& window) {
  auto located = locate_time(files, timestamp_ns, window.latest_position);
  if (!located) return located.error();
  Window now = window;
  if (const auto& segments = files.segments();
      !segments.empty() && segments.front().first_position > now.earliest_position) {
    now.earliest_position = segments.front().first_position;
    now.earliest_sequence = segments.front().first_sequence;
  }
  StartPlace place;
  const bool pruned = now.earliest_sequence > 1;
  const bool nothing_earlier = located->sequence <= now.earliest_sequence;
  const std::int64_t begins_ns = located->found ? located->timestamp_ns : realtime_ns();
  if (pruned && nothing_earlier && timestamp_ns < begins_ns) {
    place = reset_to_earliest(files, Reset::Reason::expired, 0, now);
    place.why.wanted_time_ns = timestamp_ns;
  } else if (files.segments().empty()) {
    place = {.position = now.latest_position, .next_sequence = now.latest_sequence + 1};
  } else {  // also where the search ended at bytes that nobody can vouch for: the reader says what is wrong with them
    place = {.position = located->position, .next_sequence = located->sequence};
  }
  place.not_before_ns = timestamp_ns;
  place.found_time = located->found;
  return place;
}

}  // namespace

// The syncer stores the sequence before the position when it prunes: whoever looks between the two gets an old position
// with a new sequence. The name of the segment at that position says both.
Window window_of(const BroadcastReader& live, JournalFiles& files) {
  const Place latest = live.read_latest();
  Window now{.latest_position = latest.position, .latest_sequence = latest.sequence};
  const BroadcastHeader& header = live.header();
  constexpr int kListings = 3;
  for (int listing = 0; listing < kListings; ++listing) {
    now.earliest_position = header.earliest_position.load(std::memory_order_acquire);
    now.earliest_sequence = header.earliest_sequence.load(std::memory_order_acquire);
    // What lies below the oldest file has gone since, whatever the ring says yet.
    const auto& segments = files.segments();
    const auto name = std::ranges::lower_bound(segments, now.earliest_position, {}, &SegmentName::first_position);
    if (name != segments.end() && (name == segments.begin() || name->first_position == now.earliest_position)) {
      now.earliest_position = name->first_position;
      now.earliest_sequence = name->first_sequence;
      return now;
    }
    if (!files.refresh().ok()) break;
  }
  return now;
}

StartPlace reset_to_earliest(const JournalFiles& files, Reset::Reason reason, std::uint64_t wanted,
                             const Window& window) {
  StartPlace place{.position = window.earliest_position, .next_sequence = window.earliest_sequence, .reset = true};
  place.why = {.reason = reason,
               .wanted_sequence = wanted,
               .earliest_sequence = window.earliest_sequence,
               .latest_sequence = window.latest_sequence,
               .resume = {.epoch = files.identity().current().id, .sequence = window.earliest_sequence - 1}};
  return place;
}

Result<StartPlace> resolve_start(JournalFiles& files, const Start& start, const Window& window) {
  switch (start.kind) {
    case Start::Kind::earliest:
      return StartPlace{.position = window.earliest_position, .next_sequence = window.earliest_sequence};
    case Start::Kind::latest:
      return StartPlace{.position = window.latest_position, .next_sequence = window.latest_sequence + 1};
    case Start::Kind::at_sequence: return place_of_sequence(files, start.sequence, window);
    case Start::Kind::at_time: return place_of_time(files, start.timestamp_ns, window);
    case Start::Kind::after_cursor: break;
  }
  const std::uint64_t wanted = start.cursor.sequence == ~0ULL ? ~0ULL : start.cursor.sequence + 1;
  switch (files.identity().check(start.cursor)) {
    case CursorCheck::unknown_epoch: return reset_to_earliest(files, Reset::Reason::unknown_epoch, wanted, window);
    case CursorCheck::lost_tail: return reset_to_earliest(files, Reset::Reason::lost_tail, wanted, window);
    case CursorCheck::ok: break;
  }
  return place_of_sequence(files, wanted, window);
}

}  // namespace leat::client

namespace leat {

std::string_view to_string(Reset::Reason reason) noexcept {
  switch (reason) {
    case Reset::Reason::expired: return "expired";
    case Reset::Reason::lost_tail: return "lost_tail";
    case Reset::Reason::unknown_epoch: return "unknown_epoch";
    case Reset::Reason::future: return "future";
    case Reset::Reason::gap: return "gap";
  }
  return "unknown";
}

namespace {

// As `leat tail` prints times: ISO 8601, UTC, nanoseconds.
std::string format_time(std::int64_t time_ns) {
  constexpr std::int64_t kSecondNs = internal::kNanosPerSecond;
  std::int64_t nanos = time_ns % kSecondNs;
  std::time_t seconds = time_ns / kSecondNs;
  if (nanos < 0) {
    nanos += kSecondNs;
    --seconds;
  }
  std::tm parts{};
  char date[64] = {};
  if (::gmtime_r(&seconds, &parts) == nullptr || std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
    return std::to_string(time_ns) + " ns";
  }
  std::string fraction = std::to_string(kSecondNs + nanos);
  fraction[0] = '.';
  return date + fraction + "Z";
}

}  // namespace

std::string Reset::to_string() const {
  const std::string wanted = wanted_time_ns ? "all from time " + format_time(*wanted_time_ns) + " on"
                                            : "sequence " + std::to_string(wanted_sequence);
  return "reset (" + std::string(leat::to_string(reason)) + "): " + wanted + " cannot be had; retained are " +
         std::to_string(earliest_sequence) + " to " + std::to_string(latest_sequence) +
         "; take a fresh snapshot and go on after cursor " + resume.to_string();
}

}  // namespace leat
