#include "client-lib/read/start_place.h"

#include <algorithm>
#include <string>

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

// As many as there are. What retention takes while the place is looked for counts as gone before: no reset.
Result<StartPlace> place_of_newest(JournalFiles& files, std::uint64_t count, const Window& window) {
  const std::uint64_t retained = window.latest_sequence + 1 - window.earliest_sequence;
  auto place = place_of_sequence(files, window.latest_sequence + 1 - std::min(count, retained), window);
  if (!place || !place->reset) return place;
  return StartPlace{.position = place->position, .next_sequence = place->next_sequence};
}

// A time is a condition, not a place: it is kept until an event meets it. What was pruned may have met it too, if what
// is left begins later; then it is a reset, as for a sequence that is pruned.
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
  } else {  // also where the search ended at bytes that nothing proves: the reader says what is wrong with them
    place = {.position = located->position, .next_sequence = located->sequence};
  }
  place.not_before_ns = timestamp_ns;
  place.found_time = located->found;
  return place;
}

}  // namespace

Result<void> check_start(const Start& start) {
  switch (start.kind) {
    case Start::Kind::earliest:
    case Start::Kind::latest:
    case Start::Kind::after_cursor:
    case Start::Kind::last:
    case Start::Kind::at_time: return {};
    case Start::Kind::at_sequence:
      if (start.sequence > 0) return {};
      return Error{ErrorCode::invalid_argument, "no event has sequence 0: they begin at 1",
                   "for all that is retained use Start::earliest()"};
  }
  return Error{ErrorCode::invalid_argument,
               "Start::kind " + std::to_string(static_cast<int>(start.kind)) + " is none of Start::Kind",
               "use Start::latest() or its like", Error::Join::colon};
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
    case Start::Kind::last: return place_of_newest(files, start.count, window);
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
