// Which instructions are attacked, and what is said about it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "process/kill/path.h"

namespace leat::test {

struct CampaignOptions {
  bool every_instruction = false;
  std::uint64_t seed = 0;
  std::string only;                          ///< a scenario's name; empty: all
  std::optional<std::uint64_t> instruction;  ///< only after this one
};

/// What became of one attack; every promise held.
enum class Attack : std::uint8_t {
  done,       ///< the call was cut short there
  done_past,  ///< the same, and the call had already had the effect that it is made for
  too_far,    ///< the call ended before
  lost,       ///< the same, as its way was another one (Path): to be done again
};

/// A call, and what is done to it after its n-th instruction.
struct Scenario {
  std::string name;  ///< `leat-kill-steps --only NAME`
  std::string what;  ///< e.g. "a producer in publish, killed"
  const char* unit = "instructions";
  std::uint64_t cases = 0;  ///< how many the short form spreads over the call, about
  /// The short form is dense where the call takes effect: from so many before that instruction on, by this stride.
  std::uint64_t dense_before = 0;
  std::uint64_t dense_stride = 1;
  /// Cuts the call short after `count` instructions. The first time that is Path::kWhole. Throws Broken.
  std::function<Attack(Path& path, std::uint64_t count)> attack;
};

/// Attacks after instruction 1, 2, 3, ... to the end; in the short form about `cases` of them, from a seeded offset on,
/// and more around the place where the call takes effect. Prints one line. False if a promise was broken; then it says
/// which, and how to do it again.
bool run_scenario(const CampaignOptions& options, const Scenario& scenario);

/// By all scenarios of this process.
std::uint64_t attacks_made();

}  // namespace leat::test
