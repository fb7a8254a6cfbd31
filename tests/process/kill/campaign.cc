#include "process/kill/campaign.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

#include "process/kill/attacked_feed.h"
#include "support/payload.h"

namespace leat::test {

namespace {

// Calls differ a little from one to the next (whom there is to wake, say): the end is where several have ended.
constexpr int kEndsInARow = 3;

bool report_broken(const CampaignOptions& options, const Scenario& scenario, std::uint64_t instruction,
                   const Broken& broken) {
  const bool whole = instruction == Path::kWhole;
  const std::string where = whole ? ", not cut short" : ", after " + std::to_string(instruction) + " " + scenario.unit;
  std::printf("BROKEN  %s%s: %s\n", scenario.what.c_str(), where.c_str(), broken.what());
  std::printf("  again: LEAT_TEST_SEED=%llu leat-kill-steps %s --only %s%s\n",
              static_cast<unsigned long long>(options.seed), options.every_instruction ? "long" : "short",
              scenario.name.c_str(), whole ? "" : (" --instruction " + std::to_string(instruction)).c_str());
  return false;
}

std::uint64_t all_attacks = 0;

// One run over a call.
class Run {
 public:
  Run(const CampaignOptions& options, const Scenario& scenario) : options_(options), scenario_(scenario) {}

  void all() {
    record();
    stride_ = options_.every_instruction ? 1 : std::max<std::uint64_t>(1, path_.length() / scenario_.cases);
    Prng prng(options_.seed);
    const int ends = options_.every_instruction ? kEndsInARow : 1;
    int too_far = 0;
    for (std::uint64_t at = stride_ == 1 ? 1 : 1 + prng.below(stride_); at <= path_.length() || too_far < ends;
         at += stride_) {
      too_far = attack(at) == Attack::too_far ? too_far + 1 : 0;
    }
    if (stride_ > 1 && scenario_.dense_before > 0) where_it_takes_effect(prng);
  }
  /// Without being cut short, the call must do all the same. Several times: they differ a little.
  void record() {
    constexpr int kRecordings = 3;
    for (int i = 0; i < kRecordings; ++i) (void)scenario_.attack(path_, Path::kWhole);
  }
  Attack attack(std::uint64_t at) {
    instruction_ = at;
    Attack found = Attack::lost;
    while (found == Attack::lost) found = scenario_.attack(path_, at);
    if (found == Attack::too_far) return found;
    ++attacks_;
    ++all_attacks;
    last_ = std::max(last_, at);
    past_[at] = found == Attack::done_past;
    return found;
  }
  [[nodiscard]] std::uint64_t instruction() const { return instruction_; }
  void print() const {
    const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf("held    %s: %llu attacks, every %s of %llu %s", scenario_.what.c_str(), number(attacks_),
                stride_ == 1 ? "one" : (std::to_string(stride_) + "th").c_str(), number(last_), scenario_.unit);
    if (dense_ > 0) std::printf(", and %llu around the one that counts", number(dense_));
    if (path_.cut_repeats() > 0) {
      std::printf("; of %llu repeated ones the first %u turns", number(path_.cut_repeats()), Path::kMaxTurns);
    }
    std::printf("\n");
  }

 private:
  // The last attack before the place where the call takes effect, and the first behind it. Single ones may be out of
  // line (whom there is to wake, say, makes a call longer), so it is where the fewest are.
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> around_the_effect() const {
    std::pair<std::uint64_t, std::uint64_t> place{0, 0};
    std::int64_t out_of_line = 0;
    std::int64_t least = 0;
    for (auto at = past_.begin(); at != past_.end(); ++at) {
      out_of_line += at->second ? 1 : -1;
      const auto next = std::next(at);
      if (out_of_line >= least || next == past_.end()) continue;
      least = out_of_line;
      place = {at->first, next->first};
    }
    return place;
  }
  void where_it_takes_effect(Prng& prng) {
    if (std::ranges::none_of(past_, [](const auto& found) { return found.second; })) return;  // it has no such place
    auto [before, past] = around_the_effect();
    while (before + 1 < past) {
      const std::uint64_t middle = before + (past - before) / 2;
      const Attack found = attack(middle);
      (found == Attack::done ? before : past) = middle;
    }
    const std::uint64_t stride = scenario_.dense_stride;
    const std::uint64_t from = past - std::min(past, scenario_.dense_before) + prng.below(stride);
    const std::uint64_t until = past + scenario_.dense_before / 4;
    for (std::uint64_t at = std::max<std::uint64_t>(from, 1); at < until; at += stride) {
      (void)attack(at);
      ++dense_;
    }
  }

  const CampaignOptions& options_;
  const Scenario& scenario_;
  Path path_;
  std::uint64_t stride_ = 1;
  std::uint64_t instruction_ = Path::kWhole;
  std::uint64_t attacks_ = 0;
  std::uint64_t dense_ = 0;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, bool> past_;  // of each attack: was it behind the effect?
};

}  // namespace

std::uint64_t attacks_made() { return all_attacks; }

bool run_scenario(const CampaignOptions& options, const Scenario& scenario) {
  Run run(options, scenario);
  try {
    if (options.instruction) {
      run.record();
      (void)run.attack(*options.instruction);
    } else {
      run.all();
    }
  } catch (const Broken& broken) {
    return report_broken(options, scenario, run.instruction(), broken);
  }
  run.print();
  return true;
}

}  // namespace leat::test
