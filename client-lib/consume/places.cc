#include "consume/places.h"

#include "shm/journal/locate.h"

namespace leat::client {

using namespace shm;

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

Result<StartPlace> place_of_time(JournalFiles& files, std::int64_t timestamp_ns, const Window& window) {
  auto located = locate_time(files, timestamp_ns, window.latest_position);
  if (!located) return located.error();
  if (!located->found) {
    return StartPlace{.position = window.latest_position, .next_sequence = window.latest_sequence + 1};
  }
  return StartPlace{.position = located->position, .next_sequence = located->sequence};
}

}  // namespace

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
    case CursorCheck::unknown_epoch:
      return reset_to_earliest(files, Reset::Reason::unknown_epoch, wanted, window);
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

std::string Reset::to_string() const {
  return "reset (" + std::string(leat::to_string(reason)) + "): sequence " + std::to_string(wanted_sequence) +
         " cannot be had; retained are " + std::to_string(earliest_sequence) + " to " +
         std::to_string(latest_sequence) + "; take a fresh snapshot and go on after cursor " + resume.to_string();
}

}  // namespace leat
