// The way of a call, recorded once, so that a later one is brought to its n-th instruction by a breakpoint and a few
// steps instead of n steps: a step is two switches between processes, and there are some 10 000 instructions to a call.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "support/tracer.h"

namespace leat::test {

class Path {
 public:
  static constexpr std::uint64_t kWhole = ~0ULL;

  enum class Reached : std::uint8_t {
    there,
    ended,  ///< the call ended before
    lost,   ///< it ended, and came nowhere near the breakpoint: to be done again, which takes an earlier one
  };

  /// Executes the first `count` instructions of a call that `tracer` stands before. The call ends where it stands at
  /// `end` and `has_ended` agrees. The first times it must be kWhole: that records, and what is not the same each time
  /// is no shortcut. Throws Broken if the thread dies.
  ///
  /// Of a repeated instruction (rep movs, rep stos) each of the first kMaxTurns turns counts as one, no other does.
  Reached advance(Tracer& tracer, std::uint64_t count, std::uint64_t end, const std::function<bool()>& has_ended);

  [[nodiscard]] std::uint64_t length() const noexcept { return length_; }
  /// Repeated instructions in the recorded call that have more than kMaxTurns turns.
  [[nodiscard]] std::uint64_t cut_repeats() const noexcept { return cut_repeats_; }
  /// For a way that is counted by other means.
  void set_length(std::uint64_t length) noexcept { length_ = length; }

  static constexpr std::uint32_t kMaxTurns = 64;

 private:
  struct Landmark {  // a place that the call comes to for the first time after `count` instructions
    std::uint64_t address;
    std::uint64_t count;
  };

  void step(Tracer& tracer);
  void take_over(std::vector<Landmark> recorded);
  [[nodiscard]] std::vector<Landmark>::iterator landmark_before(std::uint64_t count);

  std::uint64_t length_ = 0;
  std::uint64_t cut_repeats_ = 0;
  std::vector<Landmark> landmarks_;
  std::uint64_t at_ = 0;     // where the thread stands
  std::uint32_t turns_ = 0;  // how often it has stood there in a row
  std::uint32_t cuts_ = 0;   // repeated instructions that were cut in this call
};

}  // namespace leat::test
