// Many seeds of a whole feed under the deterministic scheduler: nothing lost, repeated, reordered, torn; no lost
// wake-up (I1, I4, I5, I6, I7, I9). And the same with one order or fence left out, which must be noticed.
//
// LEAT_TORTURE=long          2,000,000 seeds instead of 20,000
// LEAT_TEST_SEED=N           begin at this seed
// LEAT_INTERLEAVE_RUNS=N     so many seeds
// LEAT_INTERLEAVE_TRACE=1    print every operation of a run that fails
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "support/environment.h"
#include "support/number.h"
#include "tests/interleave/feed_world.h"

namespace leat::sim {
namespace {

std::uint64_t runs() {
  const char* const size = std::getenv("LEAT_TORTURE");
  const bool is_long = size != nullptr && std::string_view(size) == "long";
  return test::number_from_environment("LEAT_INTERLEAVE_RUNS", is_long ? 2'000'000 : 20'000, 1, 1ULL << 40);
}

TEST(Interleavings, BreakNoPromise) {
  FeedWorld world;
  Totals totals;
  const std::uint64_t first = test::test_seed();
  const std::uint64_t count = runs();
  for (std::uint64_t seed = first; seed != first + count; ++seed) {
    const std::string fault = world.run(seed, Removed::nothing, totals);
    if (fault.empty()) continue;
    if (std::getenv("LEAT_INTERLEAVE_TRACE") != nullptr) (void)world.run(seed, Removed::nothing, totals, true);
    FAIL() << fault << "\nrepeat it, with every step: LEAT_TEST_SEED=" << seed
           << " LEAT_INTERLEAVE_RUNS=1 LEAT_INTERLEAVE_TRACE=1 " << test::own_executable()
           << " --gtest_filter=Interleavings.BreakNoPromise";
  }
  std::printf("seeds %llu to %llu; %s\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + count - 1), totals.describe().c_str());
  if (count < 1000) return;
  EXPECT_GT(totals.skipped, 0U);
  EXPECT_GT(totals.retried, 0U);
  EXPECT_GT(totals.lapped, 0U);
  EXPECT_GT(totals.ring_laps, totals.runs / 4);
  EXPECT_GT(totals.killed, 0U);
  EXPECT_GT(totals.stale_loads, 0U);
}

struct Sabotage {
  const char* name;
  Removed removed;
};

class Sabotaged : public ::testing::TestWithParam<Sabotage> {};

TEST_P(Sabotaged, IsNoticed) {
  constexpr std::uint64_t kSeeds = 20'000;
  FeedWorld world;
  Totals totals;
  std::string fault;
  std::uint64_t seed = 1;
  while (seed <= kSeeds && fault.empty()) fault = world.run(seed++, GetParam().removed, totals);
  ASSERT_FALSE(fault.empty()) << "not noticed in " << kSeeds << " seeds: " << totals.describe();
  std::printf("%s: noticed at seed %llu: %s\n", GetParam().name, static_cast<unsigned long long>(seed - 1),
              fault.c_str());
}

INSTANTIATE_TEST_SUITE_P(Orders, Sabotaged,
                         ::testing::Values(Sabotage{"ReleaseFences", Removed::release_fences},
                                           Sabotage{"AcquireFences", Removed::acquire_fences},
                                           Sabotage{"FullFences", Removed::seq_cst_fences},
                                           Sabotage{"SequentialConsistency", Removed::seq_cst_order},
                                           Sabotage{"ReleaseStores", Removed::release_stores},
                                           Sabotage{"AcquireLoads", Removed::acquire_loads},
                                           Sabotage{"OrderOfSwaps", Removed::swap_release}),
                         [](const auto& sabotage) { return std::string(sabotage.param.name); });

}  // namespace
}  // namespace leat::sim
