#include "tests/storage/examiner.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "broker/storage/recovery.h"
#include "journal/format/cursor_file.h"
#include "tests/storage/oracle.h"

namespace leat::test {

using namespace internal;

namespace {

constexpr std::uint64_t kToldFailures = 5;
constexpr int kMostPolls = 10'000;
constexpr std::uint64_t kLooksEach = 8;

std::uint64_t number_after(const std::string& text, std::string_view before) {
  const std::size_t found = text.find(before);
  return found == std::string::npos ? 0 : std::strtoull(text.c_str() + found + before.size(), nullptr, 10);
}

}  // namespace

void Outcomes::print(const char* what) const {
  std::printf(
      "%s: %llu cases: %llu intact, %llu damaged where recovery need not look or nothing proved, %llu told by the "
      "reader, %llu refused by recovery\n",
      what, static_cast<unsigned long long>(cases), static_cast<unsigned long long>(intact),
      static_cast<unsigned long long>(cut), static_cast<unsigned long long>(reader_told),
      static_cast<unsigned long long>(recovery_refused));
}

Examiner::Examiner(const Specimen& specimen, Outcomes& outcomes)
    : specimen_(specimen), journal_(specimen), outcomes_(outcomes), random_(test_seed()) {}

void Examiner::examine(const std::string& file, const std::string& what) {
  ++outcomes_.cases;
  const std::string broken = judge(file);
  if (!broken.empty() && ++outcomes_.failures <= kToldFailures) ADD_FAILURE() << what << ": " << broken;
  journal_.repair();
}

std::string Examiner::judge(const std::string& file) {
  const Found whole = read(Start::earliest(), specimen_.first_sequence);
  if (auto broken = check_reading(whole, file, true); !broken.empty()) return "from the earliest: " + broken;
  const std::uint64_t span = specimen_.last_sequence - specimen_.first_sequence + 1;
  const std::uint64_t from = specimen_.first_sequence + random_() % span;
  const Found part = read(Start::at(from), from);
  if (auto broken = check_reading(part, file, false); !broken.empty())
    return "from " + std::to_string(from) + ": " + broken;
  if (whole.told) ++outcomes_.reader_told;
  return check_recovery(whole, file);
}

Found Examiner::read(const Start& start, std::uint64_t first) const {
  Found found;
  found.last = first - 1;
  auto reader = open_journal(journal_.path(), start);
  if (!reader) {
    found.told = true;
    found.message = reader.error().message;
    return found;
  }
  found.opened = true;
  for (;;) {
    EventView event;
    const Poll polled = reader->next(event);
    if (polled == Poll::empty) return found;
    if (polled == Poll::error) {
      found.told = true;
      found.message = reader->last_error().message;
      return found;
    }
    if (polled == Poll::reset) {
      found.broken = reader->last_reset().to_string();
      return found;
    }
    ++found.last;
    if (event.sequence == found.last && found.last <= specimen_.last_sequence &&
        event.payload == specimen_.payloads[found.last - 1] && event.topic == "unit.rot" && event.key == "k") {
      continue;
    }
    found.broken = "sequence " + std::to_string(event.sequence) + " where " + std::to_string(found.last) +
                   " was due, or with other content";
    return found;
  }
}

std::string Examiner::check_reading(const Found& found, const std::string& file, bool whole) const {
  if (!found.broken.empty()) return found.broken;
  if (!found.told) {
    if (found.last >= specimen_.proven_sequence) return "";
    return "a silent end at sequence " + std::to_string(found.last) + ", proven are " +
           std::to_string(specimen_.proven_sequence);
  }
  if (found.message.find(file) == std::string::npos) return "the message does not name the file: " + found.message;
  if (!file.ends_with(".seg")) return "";
  // From which sequence on: the one after what was read, or, for who began behind the damage or could not begin,
  // another.
  const std::uint64_t from = number_after(found.message, "from sequence ");
  const bool range = !found.opened ? from > 0 : whole ? from == found.last + 1 : from > 0 && from <= found.last + 1;
  const bool place =
      found.message.find("offset ") != std::string::npos || found.message.find("not as long") != std::string::npos;
  return range && place ? "" : "the message names no place, or no range: " + found.message;
}

std::string Examiner::check_recovery(const Found& whole, const std::string& file) {
  const UniqueFd fd(::open(journal_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto recovered = broker::recover_journal({fd.get(), journal_.path().string()}, {});
  if (!recovered) {
    ++outcomes_.recovery_refused;
    const std::string& message = recovered.error().message;
    if (message.find(file) == std::string::npos) return "recovery does not name the file: " + message;
    if (file.ends_with(".seg") && message.find("sequence ") == std::string::npos) return "no range: " + message;
    return outcomes_.cases % kLooksEach != 0 || journal_.is_untouched() ? ""
                                                                        : "recovery refused, and changed something";
  }
  if (recovered->end_sequence < specimen_.proven_sequence) {
    return "recovery ends at sequence " + std::to_string(recovered->end_sequence) + ", proven are " +
           std::to_string(specimen_.proven_sequence);
  }
  if (!whole.told && recovered->end_sequence != whole.last) return "recovery and reader do not end at the same event";
  if (recovered->end_sequence > specimen_.last_sequence) return "recovery found more than there is";
  ++(recovered->end_sequence == specimen_.last_sequence && !whole.told ? outcomes_.intact : outcomes_.cut);
  return check_cursors(fd.get(), recovered->identity.uuid, file);
}

std::string Examiner::check_cursors(int fd, const FeedUuid& uuid, const std::string& file) const {
  const auto cursors = load_cursors({fd, journal_.path().string()}, uuid);
  if (!cursors) return file == kCursorsFileName ? "" : "the cursors: " + cursors.error().message;
  const bool good = cursors->size() == 1 && cursor_name((*cursors)[0]) == kCursorName &&
                    (*cursors)[0].sequence == specimen_.payloads.size() - 1;
  return good ? "" : "the cursors are others";
}

void Examiner::survive() {
  ++outcomes_.cases;
  if (auto reader = open_journal(journal_.path(), Start::earliest()); reader) {
    for (int i = 0; i < kMostPolls; ++i) {
      EventView event;
      const Poll polled = reader->next(event);
      if (polled == Poll::empty || polled == Poll::error) break;
    }
  }
  const UniqueFd fd(::open(journal_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (const auto recovered = broker::recover_journal({fd.get(), journal_.path().string()}, {}); recovered) {
    (void)load_cursors({fd.get(), journal_.path().string()}, recovered->identity.uuid).ok();
  }
  journal_.repair();
}

}  // namespace leat::test
