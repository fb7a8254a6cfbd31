#include "broker/sequence/stamp_clock.h"

#include <algorithm>
#include <limits>
#include <string>

#include "broker/log.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

// The clock can stand anywhere: sums and differences end at the ends.
std::int64_t minus(std::int64_t a, std::int64_t b) noexcept {
  std::int64_t out = 0;
  return __builtin_sub_overflow(a, b, &out) ? (b > 0 ? kMin : kMax) : out;
}
std::int64_t plus(std::int64_t a, std::int64_t b) noexcept {
  std::int64_t out = 0;
  return __builtin_add_overflow(a, b, &out) ? (b > 0 ? kMax : kMin) : out;
}

// "73 years" says more than its nanoseconds.
std::string length_of(std::int64_t ns) {
  const std::uint64_t seconds = (ns < 0 ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns)) /
                                static_cast<std::uint64_t>(kNanosPerSecond);
  constexpr std::uint64_t kDay = 86400;
  if (seconds >= 730 * kDay) return std::to_string(seconds / (365 * kDay)) + " years";
  if (seconds >= 2 * kDay) return std::to_string(seconds / kDay) + " days";
  return std::to_string(seconds) + " s";
}

}  // namespace

// A clock that stands far before the newest event is followed all the same: most often it was the earlier one that was
// wrong, and stamps of a time that is not to come for years would be worth nothing.
void StampClock::begin(std::int64_t wall_ns, std::int64_t boot_ns) {
  begun_ = true;
  offset_ns_ = minus(wall_ns, boot_ns);
  const std::int64_t ahead = minus(last_ns_, wall_ns);
  if (ahead <= 0) return;
  if (ahead > kMostHeldNs) {
    log::warn(
        "the journal's newest event is stamped {} ahead of the wall clock: one of the two is wrong; the clock is "
        "followed, so events to come have earlier times than some before them",
        length_of(ahead));
    last_ns_ = wall_ns;
  } else if (ahead > kNanosPerSecond) {
    log::warn(
        "the wall clock stands {} before the journal's newest event: events' times go on from that one, half as fast "
        "as time, until the clock has caught up",
        length_of(ahead));
    holds_ = true;
    held_at_ns_ = boot_ns;
  }
}

// True if the clock stands where it is believed to, near it, or for long enough where it has jumped to.
bool StampClock::believed(std::int64_t wall_ns, std::int64_t boot_ns) {
  const std::int64_t offset = minus(wall_ns, boot_ns);
  const std::int64_t step = minus(offset, offset_ns_);
  if (step <= kMostHeldNs && step >= -kMostHeldNs) {
    if (jumped_ && gate_.pass()) log::warn("the wall clock is back where it was{}", gate_.left_out());
    jumped_ = false;
    offset_ns_ = offset;
    return true;
  }
  const std::int64_t moved = minus(offset, jumped_to_ns_);
  if (!jumped_ || moved > kSameNs || moved < -kSameNs) {
    if (gate_.pass()) {
      log::warn(
          "the wall clock has jumped {} by {}: events' times go on without it; if it stays there for {} s they follow "
          "it{}",
          step > 0 ? "ahead" : "back", length_of(step), kSettleNs / kNanosPerSecond, gate_.left_out());
    }
    jumped_ = true;
    jumped_to_ns_ = offset;
    jumped_at_ns_ = boot_ns;
  }
  if (minus(boot_ns, jumped_at_ns_) < kSettleNs) return false;
  if (gate_.pass()) {
    log::warn("the wall clock stays where it has jumped to, {} {}: events' times follow it{}", length_of(step),
              step > 0 ? "ahead" : "back", gate_.left_out());
  }
  jumped_ = false;
  offset_ns_ = offset;
  return true;
}

// The clock stands before the last stamp: that one stands, or the next one is a little later.
std::int64_t StampClock::held(std::int64_t wall_ns, std::int64_t boot_ns) {
  const std::int64_t ahead = minus(last_ns_, wall_ns);
  if (ahead > kMostHeldNs) {
    if (gate_.pass()) {
      log::warn("the wall clock was set back by {}: events to come have earlier times than some before them{}",
                length_of(ahead), gate_.left_out());
    }
    holds_ = false;
    return wall_ns;
  }
  if (!holds_) {
    holds_ = true;
    held_at_ns_ = boot_ns;
    if (ahead > kNanosPerSecond && gate_.pass()) {
      log::warn(
          "the wall clock was set back by {}: events' times do not go back; they go on half as fast as time, until the "
          "clock has caught up{}",
          length_of(ahead), gate_.left_out());
    }
  }
  const std::int64_t passed = std::max<std::int64_t>(0, minus(boot_ns, held_at_ns_));
  held_at_ns_ = boot_ns - passed % 2;
  return plus(last_ns_, passed / 2);
}

std::int64_t StampClock::stamp(std::int64_t wall_ns, std::int64_t boot_ns) {
  if (!begun_) begin(wall_ns, boot_ns);
  std::int64_t stamp_ns = wall_ns;
  const bool is_believed = believed(wall_ns, boot_ns);
  if (!is_believed) {
    stamp_ns = std::max(last_ns_, plus(offset_ns_, boot_ns));
  } else if (wall_ns < last_ns_) {
    stamp_ns = held(wall_ns, boot_ns);
  } else {
    holds_ = false;
  }
  plain_step_ = is_believed && !holds_ ? kPlainStepNs : 0;
  return last_ns_ = stamp_ns;
}

void StampClock::look(std::int64_t wall_ns, std::int64_t boot_ns) {
  if (!begun_) begin(wall_ns, boot_ns);
  plain_step_ = believed(wall_ns, boot_ns) && !holds_ ? kPlainStepNs : 0;
}

}  // namespace leat::broker
