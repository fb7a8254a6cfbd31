// Searches by time over journals whose clock was set back, was absurd for a while, or came from far behind.
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "base/clock.h"
#include "journal/read/locate.h"
#include "tests/unit/fixtures/journal_maker.h"

namespace leat::internal {
namespace {

using test::JournalMaker;

constexpr std::int64_t kHour = 3600 * kNanosPerSecond;
constexpr std::int64_t kYear = 365 * 24 * kHour;

// So many events, from a time that is `off` from the right one on, a second apart.
struct Stay {
  int events;
  std::int64_t off;
};

void write(JournalMaker& journal, const std::vector<Stay>& stays, std::int64_t begin_ns, std::size_t payload) {
  journal.timestamp_step_ns = kNanosPerSecond;
  std::int64_t passed = 0;
  for (const Stay& stay : stays) {
    journal.next_timestamp_ns = begin_ns + passed * kNanosPerSecond + stay.off;
    journal.events(stay.events, payload);
    passed += stay.events;
  }
}

// The definition, by looking at every event.
std::optional<std::uint64_t> first_by_looking(const JournalMaker& journal, std::int64_t wanted, std::int64_t now) {
  for (const auto& event : journal.written()) {
    if (event.timestamp_ns >= wanted && event.timestamp_ns <= now + kStampsAheadNs) return event.sequence;
  }
  return std::nullopt;
}

void expect_as_by_looking(JournalMaker& journal) {
  const std::int64_t now = realtime_ns();
  JournalFiles files = journal.files();
  for (const auto& event : journal.written()) {
    for (const std::int64_t wanted : {event.timestamp_ns, event.timestamp_ns - 1, event.timestamp_ns + 1}) {
      if (wanted > now) continue;
      const auto by_looking = first_by_looking(journal, wanted, now);
      const Located found = test::must(locate_time(files, wanted, ~0ULL));
      ASSERT_EQ(found.found, by_looking.has_value()) << event.sequence;
      if (by_looking) {
        ASSERT_EQ(found.sequence, *by_looking) << event.sequence;
        ASSERT_EQ(found.position, journal.written()[found.sequence - 1].position);
      } else {
        ASSERT_EQ(found.sequence, journal.sequence() + 1);
        ASSERT_EQ(found.position, journal.position());
      }
    }
  }
}

const std::vector<std::vector<Stay>> kLives = {
    {{200, 0}},
    {{90, 0}, {60, 73 * kYear}, {90, 0}},
    {{90, 0}, {1, 73 * kYear}, {90, 0}},
    {{60, 73 * kYear}, {120, 0}},
    {{120, 0}, {60, 73 * kYear}},
    {{90, 0}, {60, -50 * kYear}, {90, 0}},
    {{90, 0}, {1, -50 * kYear}, {90, 0}},
    {{60, -50 * kYear}, {120, 0}},
    {{120, 0}, {60, -50 * kYear}},
    {{90, 5 * kHour}, {90, 0}},
    {{90, 0}, {60, 5 * kHour}, {90, 0}, {60, -5 * kHour}, {90, 0}},
    {{60, 190 * kYear}, {60, 0}, {60, 73 * kYear}, {60, 0}, {60, -56 * kYear}, {60, 0}},
};

TEST(LocateTime, OverManySegmentsWhateverTheClockDid) {
  for (std::size_t i = 0; i < kLives.size(); ++i) {
    SCOPED_TRACE(i);
    JournalMaker journal;
    write(journal, kLives[i], realtime_ns() - 24 * kHour, 700);
    ASSERT_GT(journal.segments().size(), 5u);
    expect_as_by_looking(journal);
  }
}

TEST(LocateTime, ThroughASparseIndexWhateverTheClockDid) {
  for (std::size_t i = 0; i < kLives.size(); ++i) {
    SCOPED_TRACE(i);
    JournalMaker journal(8 << 20);
    write(journal, kLives[i], realtime_ns() - 24 * kHour, 20000);
    ASSERT_GT(test::must(journal.files().read_index(journal.segments()[0])).size(), 10u);
    expect_as_by_looking(journal);
  }
}

TEST(LocateTime, OverSegmentsOfSeveralSamplesWhateverTheClockDid) {
  for (std::size_t i = 0; i < kLives.size(); ++i) {
    SCOPED_TRACE(i);
    JournalMaker journal(1 << 20);
    write(journal, kLives[i], realtime_ns() - 24 * kHour, 15000);
    ASSERT_GT(journal.segments().size(), 2u);
    expect_as_by_looking(journal);
  }
}

TEST(LocateTime, AnEventOfTheFarFutureIsPassedOver) {
  JournalMaker journal;
  const std::int64_t begin = realtime_ns() - kHour;
  write(journal, {{30, 0}, {1, 73 * kYear}, {30, 0}}, begin, 100);
  JournalFiles files = journal.files();
  EXPECT_EQ(test::must(locate_time(files, begin + 40 * kNanosPerSecond, ~0ULL)).sequence, 41u);
}

TEST(LocateTime, LooksNoFurtherThanItsLimit) {
  JournalMaker journal;
  write(journal, {{100, 0}}, realtime_ns() - kHour, 500);
  JournalFiles files = journal.files();
  const auto& limit = journal.written()[49];
  const Located found = test::must(locate_time(files, limit.timestamp_ns, limit.position));
  EXPECT_FALSE(found.found);
  EXPECT_EQ(found.position, limit.position);
  EXPECT_EQ(found.sequence, limit.sequence);
}

}  // namespace
}  // namespace leat::internal
