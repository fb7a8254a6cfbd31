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

// One run over a call.
class Run {
 public:
  Run(const CampaignOptions& options, const Scenario& scenario) : options_(options), scenario_(scenario) {}

  void all() {
    // Doubling finds about how long the call is; these are attacks too.
    std::uint64_t length = 64;
    while (attack(length) != Attack::too_far) length *= 2;
    stride_ = options_.every_instruction ? 1 : std::max<std::uint64_t>(1, length / scenario_.cases);
    Prng prng(options_.seed);
    const int ends = options_.every_instruction ? kEndsInARow : 1;
    int too_far = 0;
    for (std::uint64_t at = stride_ == 1 ? 1 : 1 + prng.below(stride_); too_far < ends; at += stride_) {
      too_far = attack(at) == Attack::too_far ? too_far + 1 : 0;
    }
    if (stride_ > 1 && scenario_.dense_before > 0) where_it_takes_effect(prng);
  }
  [[nodiscard]] std::uint64_t instruction() const { return instruction_; }
  void print() const {
    std::printf("held    %s: %llu attacks, every %llu of %llu %s%s\n", scenario_.what.c_str(),
                static_cast<unsigned long long>(attacks_), static_cast<unsigned long long>(stride_),
                static_cast<unsigned long long>(last_), scenario_.unit,
                dense_ == 0 ? "" : (", and " + std::to_string(dense_) + " around the one that counts").c_str());
  }

 private:
  Attack attack(std::uint64_t at) {
    instruction_ = at;
    const Attack found = scenario_.attack(at);
    if (found == Attack::too_far) return found;
    ++attacks_;
    last_ = std::max(last_, at);
    if (found == Attack::done_past) past_ = std::min(past_, at);
    if (found == Attack::done) before_ = std::max(before_, at);
    return found;
  }
  void where_it_takes_effect(Prng& prng) {
    while (before_ + 1 < past_ && past_ != kNever) (void)attack(before_ + (past_ - before_) / 2);
    if (past_ == kNever) return;
    const std::uint64_t stride = scenario_.dense_stride;
    const std::uint64_t from = past_ - std::min(past_, scenario_.dense_before) + prng.below(stride);
    const std::uint64_t until = past_ + scenario_.dense_before / 4;
    for (std::uint64_t at = std::max<std::uint64_t>(from, 1); at < until; at += stride) {
      (void)attack(at);
      ++dense_;
    }
  }
  static constexpr std::uint64_t kNever = ~0ULL;

  const CampaignOptions& options_;
  const Scenario& scenario_;
  std::uint64_t stride_ = 1;
  std::uint64_t instruction_ = 0;
  std::uint64_t attacks_ = 0;
  std::uint64_t dense_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t before_ = 0;       // the last that was too early for the effect
  std::uint64_t past_ = kNever;    // the first that was not
};

}  // namespace

bool run_scenario(const CampaignOptions& options, const Scenario& scenario) {
  if (options.instruction) {
    try {
      (void)scenario.attack(*options.instruction);
    } catch (const Broken& broken) {
      return report_broken(options, scenario, *options.instruction, broken);
    }
    std::printf("held    %s, after %llu %s\n", scenario.what.c_str(),
                static_cast<unsigned long long>(*options.instruction), scenario.unit);
    return true;
  }
  Run run(options, scenario);
  try {
    run.all();
  } catch (const Broken& broken) {
    return report_broken(options, scenario, run.instruction(), broken);
  }
  run.print();
  return true;
}

}  // namespace leat::test
