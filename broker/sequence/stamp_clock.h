// The time stamps of events: the wall clock, but for what it cannot be.
//
//   clock                                        stamps
//   goes on, or is set ahead by <= kMostHeldNs   follow it
//   is set back by <= kMostHeldNs                never go back: half as fast as time, until the clock has caught up
//   jumps further, either way                    go on by the clock of this boot; once the clock has stayed there for
//                                                kSettleNs they follow it, back too
//
// So a clock that is absurd for a moment leaves no trace, and a clock that was absurd for longer spoils no later stamp.
// Stamps decrease only where the clock was set back by more than kMostHeldNs, and the log has a line about that.
#pragma once

#include <cstdint>
#include <limits>

#include "broker/log_gate.h"
#include "base/clock.h"

namespace leat::broker {

/// One thread.
class StampClock {
 public:
  /// A step of the clock up to which stamps never decrease.
  static constexpr std::int64_t kMostHeldNs = 3 * 3600 * internal::kNanosPerSecond;
  /// For how long a clock that has jumped further must stay there to be believed.
  static constexpr std::int64_t kSettleNs = 2 * internal::kNanosPerSecond;

  /// `last_ns`: the newest stamp of an earlier incarnation; 0: there is none. A clock that stands before that stamp by
  /// more than kMostHeldNs is followed at once.
  explicit StampClock(std::int64_t last_ns) noexcept
      : last_ns_(last_ns == 0 ? std::numeric_limits<std::int64_t>::min() : last_ns) {}

  /// A stamp for what comes now.
  std::int64_t now() {
    const std::int64_t wall_ns = internal::realtime_ns();
    if (static_cast<std::uint64_t>(wall_ns) - static_cast<std::uint64_t>(last_ns_) <= plain_step_)
      return last_ns_ = wall_ns;
    return stamp(wall_ns, internal::boottime_ns());
  }
  /// The newest stamp that was given.
  [[nodiscard]] std::int64_t last() const noexcept { return last_ns_; }

  /// To be called now and then while there is nothing to stamp, so that a clock that was set is believed by the time
  /// something comes.
  void look() { (void)look(internal::realtime_ns(), internal::boottime_ns()); }

  // What now() does when it is in doubt, and look(), with the clocks' readings.
  std::int64_t stamp(std::int64_t wall_ns, std::int64_t boot_ns);
  void look(std::int64_t wall_ns, std::int64_t boot_ns);

 private:
  /// The next reading is taken as it is if it lies ahead of the last stamp by no more than this.
  static constexpr std::uint64_t kPlainStepNs = internal::kNanosPerSecond;
  /// Two readings of a clock that stands still relative to the time since boot differ by no more than this.
  static constexpr std::int64_t kSameNs = 60 * internal::kNanosPerSecond;

  void begin(std::int64_t wall_ns, std::int64_t boot_ns);
  bool believed(std::int64_t wall_ns, std::int64_t boot_ns);
  std::int64_t held(std::int64_t wall_ns, std::int64_t boot_ns);

  std::int64_t last_ns_;
  std::uint64_t plain_step_ = 0;  // 0: judge each reading
  bool begun_ = false;
  std::int64_t offset_ns_ = 0;     // of the wall clock that is believed, from the time since boot
  bool jumped_ = false;            // it stands elsewhere at present
  std::int64_t jumped_to_ns_ = 0;  // the offset there
  std::int64_t jumped_at_ns_ = 0;  // since when, by the time since boot
  bool holds_ = false;             // stamps wait for the clock
  std::int64_t held_at_ns_ = 0;    // the time since boot of the last stamp that was held
  LogGate gate_;
};

}  // namespace leat::broker
