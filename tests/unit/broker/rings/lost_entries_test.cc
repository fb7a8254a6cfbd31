// What an arena says of events that are gone: checked against a list of all losses, and never forgotten.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "tests/unit/fixtures/small_arena.h"

namespace leat::broker {
namespace {

using namespace internal;

constexpr std::uint64_t kStep = 64;

class LostEntriesTest : public test::SmallArena {};

TEST_F(LostEntriesTest, NothingIsLostInANewArena) {
  EXPECT_FALSE(writer.lost(0, 1));
  EXPECT_FALSE(writer.lost(0, ~0ULL));
}

TEST_F(LostEntriesTest, AllThatWasEverLostIsSaidToBeAndUpToTheBoundNothingElse) {
  std::mt19937_64 random(test::test_seed());
  for (int round = 0; round < 200; ++round) {
    std::memset(static_cast<void*>(writer.header().lost), 0, sizeof(writer.header().lost));
    struct Loss {
      std::uint64_t below;
      std::uint64_t from;
    };
    std::vector<Loss> losses;
    std::uint64_t below = 0;
    bool exact = true;
    for (int i = 0; i < 8; ++i) {
      losses.push_back({below += kStep * (1 + random() % 4), 1 + random() % 40});
      reader.lose(losses.back().below, losses.back().from);
      // Of losses one within the other only the outer one takes a place.
      std::size_t places = 0;
      std::uint64_t least = ~0ULL;
      for (auto loss = losses.rbegin(); loss != losses.rend(); ++loss) {
        if (loss->from < least) ++places;
        least = std::min(least, loss->from);
      }
      exact = exact && places <= kMaxLostEntries;
      for (std::uint64_t position = 0; position < below + kStep; position += kStep) {
        for (std::uint64_t sequence = 1; sequence < 42; ++sequence) {
          bool expected = false;
          for (const Loss& loss : losses) expected |= position < loss.below && sequence >= loss.from;
          const bool said = writer.lost(position, sequence);
          if (expected) {
            ASSERT_TRUE(said) << "position " << position << ", sequence " << sequence;
          }
          if (exact && !expected) {
            ASSERT_FALSE(said) << "position " << position << ", sequence " << sequence;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace leat::broker
