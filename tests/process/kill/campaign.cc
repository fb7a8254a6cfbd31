#include "process/kill/campaign.h"

#include <algorithm>
#include <cstdio>

#include "process/kill/attacked_feed.h"
#include "support/payload.h"

namespace leat::test {

namespace {

constexpr std::uint64_t kFar = 1ULL << 30;  // beyond the end of any call
constexpr int kTooFarInARow = 3;

bool report_broken(const CampaignOptions& options, const Scenario& scenario, std::uint64_t instruction,
                   const Broken& broken) {
  const std::string where = instruction == kFar ? "with its call run to the end" :
                                                  "after instruction " + std::to_string(instruction);
  std::printf("BROKEN  %s, %s: %s\n  again: LEAT_TEST_SEED=%llu leat-kill-steps %s --only %s%s\n", scenario.what.c_str(),
              where.c_str(), broken.what(), static_cast<unsigned long long>(options.seed),
              options.every_instruction ? "long" : "short", scenario.name.c_str(),
              instruction == kFar ? "" : (" --instruction " + std::to_string(instruction)).c_str());
  return false;
}

}  // namespace

bool run_scenario(const CampaignOptions& options, const Scenario& scenario) {
  std::uint64_t instruction = kFar;
  std::uint64_t attacks = 0;
  std::uint64_t last = 0;
  try {
    if (options.instruction) {
      instruction = *options.instruction;
      (void)scenario.attack(instruction);
      std::printf("held    %s, after instruction %llu\n", scenario.what.c_str(),
                  static_cast<unsigned long long>(instruction));
      return true;
    }
    // Doubling finds about how long the call is; these are attacks too.
    std::uint64_t length = 64;
    for (instruction = length; scenario.attack(instruction) == Attack::done; instruction = length *= 2) ++attacks;
    const std::uint64_t stride = options.every_instruction ? 1 : std::max<std::uint64_t>(1, length / scenario.cases);
    Prng prng(options.seed);
    int too_far = 0;
    // Calls differ a little from one to the next (whom there is to wake, say): the end is where several have ended.
    for (instruction = stride == 1 ? 1 : 1 + prng.below(stride); too_far < kTooFarInARow; instruction += stride) {
      if (scenario.attack(instruction) == Attack::too_far) {
        ++too_far;
        continue;
      }
      too_far = 0;
      ++attacks;
      last = instruction;
    }
    std::printf("held    %s: %llu attacks, %s instruction of %llu\n", scenario.what.c_str(),
                static_cast<unsigned long long>(attacks),
                stride == 1 ? "after every" : ("after each " + std::to_string(stride) + "th").c_str(),
                static_cast<unsigned long long>(last));
  } catch (const Broken& broken) {
    return report_broken(options, scenario, instruction, broken);
  }
  return true;
}

}  // namespace leat::test
