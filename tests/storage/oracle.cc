#include "tests/storage/oracle.h"

#include <fcntl.h>

#include <charconv>

#include <leat/journal.h>

#include "broker/storage/recovery.h"
#include "base/unique_fd.h"
#include "journal/check/check_journal.h"
#include "journal/format/cursor_file.h"

namespace leat::test {

using namespace internal;

namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

std::uint64_t event_number(std::string_view payload) {
  std::uint64_t found = 0;
  std::from_chars(payload.data(), payload.data() + payload.size(), found);
  return found;
}

struct Reading {
  std::string broken;
  bool no_feed = false;
  std::uint64_t first_sequence = 0;
  std::vector<std::uint64_t> events;
  std::uint32_t producer_id = 0;  // the highest one
  [[nodiscard]] std::uint64_t last_sequence() const { return first_sequence + events.size() - 1; }
};

Reading read_offline(const std::filesystem::path& directory) {
  Reading reading;
  auto reader = open_journal(directory, Start::earliest());
  if (!reader) {
    reading.no_feed = reader.error().code == ErrorCode::unknown_feed;
    reading.broken = "the reader cannot open it: " + reader.error().message;
    return reading;
  }
  reading.first_sequence = reader->cursor().sequence + 1;
  for (;;) {
    EventView event;
    const Poll found = reader->next(event);
    if (found == Poll::empty) return reading;
    if (found != Poll::event) {
      reading.broken =
          "the reader says " + (found == Poll::error ? reader->last_error().message : reader->last_reset().to_string());
      return reading;
    }
    if (event.sequence != reading.last_sequence() + 1) {
      reading.broken =
          "the reader gives sequence " + number(event.sequence) + " after " + number(reading.last_sequence());
      return reading;
    }
    reading.events.push_back(event_number(event.payload));
    reading.producer_id = std::max(reading.producer_id, event.producer_id);
  }
}

// Every event is the one that was published under its number, all durable ones are there, and no more than were made.
std::string compare(const Reading& reading, const Told& told) {
  if (reading.first_sequence > told.earliest_sequence) {
    return "it begins at sequence " + number(reading.first_sequence) + ", retained are " +
           number(told.earliest_sequence) + " on";
  }
  if (reading.last_sequence() < told.durable_sequence) {
    return "it ends at sequence " + number(reading.last_sequence()) + ", durable was " + number(told.durable_sequence);
  }
  for (std::size_t i = 0; i < reading.events.size(); ++i) {
    const std::uint64_t sequence = reading.first_sequence + i;
    if (sequence > told.line.size()) return "sequence " + number(sequence) + " was never made";
    if (reading.events[i] == told.line[sequence - 1]) continue;
    return "sequence " + number(sequence) + " is event " + number(reading.events[i]) + ", not " +
           number(told.line[sequence - 1]);
  }
  return "";
}

// A cursor that is still good leads on from where its consumer stands: all that it has seen is there, as it saw it.
std::string compare_seen(const FeedIdentity& identity, const Reading& reading, const Told& told) {
  for (const auto& [epoch, seen] : told.seen) {
    for (std::uint64_t sequence = 1; sequence <= seen.size(); ++sequence) {
      if (identity.check({.epoch = epoch, .sequence = sequence}) != CursorCheck::ok) break;
      if (sequence > reading.last_sequence()) {
        return "sequence " + number(sequence) + " was visible, is lost, and its epoch goes on";
      }
      if (sequence < reading.first_sequence) continue;
      if (reading.events[sequence - reading.first_sequence] == seen[sequence - 1]) continue;
      return "a good cursor stands at sequence " + number(sequence) + ", which is another event now";
    }
  }
  return "";
}

std::string compare_cursor(int fd, const std::string& directory, const FeedUuid& uuid, const Told& told) {
  auto cursors = load_cursors({fd, directory}, uuid);
  if (!cursors) return "the named cursors: " + cursors.error().message;
  std::uint64_t place = 0;
  for (const CursorEntry& entry : *cursors) {
    if (cursor_name(entry) == kCursorName) place = entry.sequence;
  }
  if (place >= told.cursor_durable && place <= told.cursor_saved) return "";
  return "the named cursor stands at " + number(place) + ", flushed was " + number(told.cursor_durable);
}

std::string compare_recovered(const broker::Recovered& recovered, const Reading& reading, const Told& told) {
  if (recovered.end_sequence != reading.last_sequence()) {
    return "recovery ends at sequence " + number(recovered.end_sequence) + ", the reader at " +
           number(reading.last_sequence());
  }
  if (recovered.end_position < told.durable_position) {
    return "recovery ends at position " + number(recovered.end_position) + ", durable was " +
           number(told.durable_position);
  }
  if (!reading.events.empty() && recovered.next_producer_id <= reading.producer_id) {
    return "producer id " + number(reading.producer_id) + " would be given again";
  }
  return "";
}

std::string open_again(int fd, const std::string& directory, const broker::Recovered& recovered,
                       const Reading& reading) {
  if (auto stored = store_identity({fd, directory}, recovered.identity); !stored) return stored.error().message;
  const Reading again = read_offline(directory);
  if (!again.broken.empty()) return "after recovery " + again.broken;
  if (again.events != reading.events || again.last_sequence() != reading.last_sequence()) {
    return "after recovery the reader ends at sequence " + number(again.last_sequence());
  }
  auto second = broker::recover_journal({fd, directory}, {});
  if (!second) return "the second recovery refuses: " + second.error().message;
  if (second->end_position == recovered.end_position) return "";
  return "the second recovery ends at position " + number(second->end_position) + ", the first at " +
         number(recovered.end_position);
}

// leat verify finds nothing that leatd would not cut by itself.
std::string disagreement(int fd, const std::string& directory, const Reading& reading) {
  const auto check = check_journal({fd, directory});
  if (!check) return "it cannot be checked: " + check.error().message;
  if (check->intact() || check->cut_behind == reading.last_sequence()) return "";
  std::string what = "leat verify calls damage what leatd starts on:";
  for (const Damage& damage : check->damages) {
    what += "\n    " + std::string(to_string(damage.kind)) + " " + damage.file + " [" + number(damage.from_position) +
            ", " + number(damage.to_position) + "): " + damage.what;
  }
  return what;
}

}  // namespace

Verdict judge_disk(const std::filesystem::path& directory, const Told& told, bool thorough) {
  Verdict verdict;
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string name = directory.string();
  Reading reading = read_offline(directory);
  if (reading.no_feed && !told.feed_made) {
    reading = {};
    reading.first_sequence = 1;
  }
  const std::string false_alarm = thorough && told.feed_made ? disagreement(fd.get(), name, reading) : "";
  auto recovered = broker::recover_journal({fd.get(), name}, {});
  const auto first_broken = [&]() -> std::string {
    if (!reading.broken.empty()) return reading.broken;
    if (auto broken = compare(reading, told); !broken.empty()) return broken;
    if (!recovered) return "recovery refuses: " + recovered.error().message;
    if (auto broken = compare_recovered(*recovered, reading, told); !broken.empty()) return broken;
    if (auto broken = compare_seen(recovered->identity, reading, told); !broken.empty()) return broken;
    if (auto broken = compare_cursor(fd.get(), name, recovered->identity.uuid, told); !broken.empty()) return broken;
    if (!false_alarm.empty()) return false_alarm;
    return thorough ? open_again(fd.get(), name, *recovered, reading) : std::string();
  };
  verdict.broken = first_broken();
  verdict.first_sequence = reading.first_sequence;
  verdict.last_sequence = reading.last_sequence();
  verdict.events = std::move(reading.events);
  return verdict;
}

}  // namespace leat::test
