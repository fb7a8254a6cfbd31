// Power loss within a repair: damaged journals are repaired over a recorded disk, and at every call disks are built
// that a loss of power could leave there. The next repair must finish each of them: with the loss that the first one
// named, and no other, and with all bytes kept aside. Once a repair has returned, a loss of power undoes nothing of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <set>

#include "tests/storage/campaign.h"
#include "broker/log.h"
#include "tests/storage/crash_states.h"
#include "tests/unit/fixtures/random_damage.h"
#include "tests/unit/fixtures/repair_bench.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::test {
namespace {

using internal::JournalCheck;

constexpr std::uint64_t kShortDisks = 6'000;
constexpr std::uint64_t kLongDisks = 200'000;

struct Counts {
  std::uint64_t disks = 0;
  std::uint64_t journals = 0;
  std::uint64_t moments = 0;
  std::uint64_t unfinished = 0;  // the next repair still had something to do
};

// Contents of what repairs keep aside.
std::set<std::string> kept_in(const Image& image) {
  std::set<std::string> kept;
  for (const auto& [name, bytes] : image) {
    if (name.starts_with("torn-") && name.ends_with(".bin")) kept.insert(bytes);
  }
  return kept;
}

struct Interrupted {
  std::set<Image> disks;       // that a loss of power at some moment of the repair could leave
  std::set<Image> finished;    // or once it has returned
  std::set<std::string> kept;  // what it keeps aside, if nothing interrupts it
};

Interrupted interrupt_repair(JournalMaker& journal, const JournalCheck& check, std::mt19937_64& random,
                             std::uint64_t& moments) {
  Interrupted made;
  Disk disk(journal.path());
  disk.moment = [&] {
    ++moments;
    const CrashStates states(disk);
    constexpr std::size_t kExtremes = 4;
    for (std::size_t i = 0; i < kExtremes; ++i) made.disks.insert(states.systematic(i));
    for (std::size_t i = 0; i < 4; ++i) made.disks.insert(states.systematic(random() % states.systematic_count()));
    for (std::size_t i = 0; i < 4; ++i) made.disks.insert(states.random(random));
  };
  (void)must(internal::repair_journal(journal.directory(), check));
  disk.observe();
  const CrashStates states(disk);
  made.finished.insert(states.systematic(0));  // nothing but what was synced
  for (std::size_t i = 0; i < 4; ++i) made.finished.insert(states.random(random));
  made.kept = kept_in(read_files(journal.path()));
  return made;
}

// Empty, or what a loss of power undid of a repair that had returned.
std::string undone(JournalMaker& journal, const Image& image, const std::set<std::string>& kept) {
  const auto again = internal::check_journal(journal.directory());
  if (!again) return again.error().message;
  if (!again->intact()) return "the repair had returned, and is undone:\n" + describe(*again);
  return kept_in(image) == kept ? "" : "the repair had returned, and what it kept aside is gone";
}

// Empty, or which promise the repair of what a loss of power left breaks.
std::string finish(JournalMaker& journal, const JournalCheck& first, bool may_be_torn, Counts& counts) {
  auto second = internal::check_journal(journal.directory());
  if (!second) return second.error().message;
  counts.unfinished += second->intact() ? 0 : 1;
  const std::set<std::uint64_t> lost = lost_in(first);
  const std::set<std::uint64_t> lost_now = lost_in(*second);
  const std::string found = "\nthe first repair found:\n" + describe(first) + "the second:\n" + describe(*second);
  if (!std::ranges::includes(lost, lost_now)) return "it names events as lost that are not" + found;
  const auto done = internal::repair_journal(journal.directory(), *second);
  if (!done) return done.error().message + found;
  const std::string broken = broken_promise(journal, first, may_be_torn);
  return broken.empty() ? broken : broken + found;
}

TEST(PowerLoss, WithinARepairLeavesWhatTheNextOneFinishes) {
  broker::Log::set_level("off");
  const std::uint64_t target = is_long() ? kLongDisks : kShortDisks;
  Counts counts;
  for (std::uint64_t seed = test_seed(); counts.disks < target; ++seed) {
    test::DamagedJournal made = make_damaged_journal(seed);
    JournalMaker& journal = *made.journal;
    const auto check = internal::check_journal(journal.directory());
    const auto refuses = [](const internal::Damage& damage) {
      return damage.kind == internal::DamageKind::contradiction;
    };
    if (!check || check->intact() || std::ranges::any_of(check->damages, refuses)) continue;
    ++counts.journals;
    std::mt19937_64 random(seed);
    const Interrupted interrupted = interrupt_repair(journal, *check, random, counts.moments);
    for (const Image& image : interrupted.finished) {
      ++counts.disks;
      materialize(image, journal.path());
      ASSERT_EQ(undone(journal, image, interrupted.kept), "") << "\nrepeat: LEAT_TEST_SEED=" << seed << made.story;
    }
    for (const Image& image : interrupted.disks) {
      ++counts.disks;
      materialize(image, journal.path());
      std::string broken = finish(journal, *check, made.tail_may_go, counts);
      if (broken.empty() && !std::ranges::includes(kept_in(read_files(journal.path())), interrupted.kept)) {
        broken = "what the first repair kept aside is gone";
      }
      if (broken.empty()) continue;
      const char* const keep = std::getenv("LEAT_KEEP_DISKS");
      if (keep != nullptr) materialize(image, std::filesystem::path(keep) / ("repair-" + std::to_string(seed)));
      FAIL() << broken << "\nrepeat: LEAT_TEST_SEED=" << seed << made.story;
    }
  }
  std::printf(
      "power loss within repairs: %llu disks at %llu moments of the repairs of %llu journals; on %llu of them "
      "the next repair had something to do\n",
      static_cast<unsigned long long>(counts.disks), static_cast<unsigned long long>(counts.moments),
      static_cast<unsigned long long>(counts.journals), static_cast<unsigned long long>(counts.unfinished));
  EXPECT_GT(counts.unfinished, counts.disks / 10);
}

}  // namespace
}  // namespace leat::test
