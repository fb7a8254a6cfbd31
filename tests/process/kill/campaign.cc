#include "process/kill/campaign.h"

#include <algorithm>
#include <cstdio>

#include "process/kill/attacked_feed.h"
#include "support/payload.h"

namespace leat::test {

namespace {

// Calls differ a little from one to the next (whom there is to wake, say): the end is where several have ended.
constexpr int kEndsInARow = 3;

bool report_broken(const CampaignOptions& options, const Scenario& scenario, std::uint64_t instruction,
                   const Broken& broken) {
  const auto number = static_cast<unsigned long long>(instruction);
  std::printf("BROKEN  %s, after %llu %s: %s\n", scenario.what.c_str(), number, scenario.unit, broken.what());
  std::printf("  again: LEAT_TEST_SEED=%llu leat-kill-steps %s --only %s --instruction %llu\n",
              static_cast<unsigned long long>(options.seed), options.every_instruction ? "long" : "short",
              scenario.name.c_str(), number);
  return false;
}

}  // namespace

bool run_scenario(const CampaignOptions& options, const Scenario& scenario) {
  std::uint64_t instruction = 0;
  std::uint64_t attacks = 0;
  std::uint64_t last = 0;
  try {
    if (options.instruction) {
      instruction = *options.instruction;
      (void)scenario.attack(instruction);
      std::printf("held    %s, after %llu %s\n", scenario.what.c_str(), static_cast<unsigned long long>(instruction),
                  scenario.unit);
      return true;
    }
    // Doubling finds about how long the call is; these are attacks too.
    std::uint64_t length = 64;
    for (instruction = length; scenario.attack(instruction) == Attack::done; instruction = length *= 2) ++attacks;
    const std::uint64_t stride = options.every_instruction ? 1 : std::max<std::uint64_t>(1, length / scenario.cases);
    Prng prng(options.seed);
    const int ends = options.every_instruction ? kEndsInARow : 1;
    int too_far = 0;
    for (instruction = stride == 1 ? 1 : 1 + prng.below(stride); too_far < ends; instruction += stride) {
      if (scenario.attack(instruction) == Attack::too_far) {
        ++too_far;
        continue;
      }
      too_far = 0;
      ++attacks;
      last = instruction;
    }
    std::printf("held    %s: %llu attacks, every %llu of %llu %s\n", scenario.what.c_str(),
                static_cast<unsigned long long>(attacks), static_cast<unsigned long long>(stride),
                static_cast<unsigned long long>(last), scenario.unit);
  } catch (const Broken& broken) {
    return report_broken(options, scenario, instruction, broken);
  }
  return true;
}

}  // namespace leat::test
