// Keeps lines that a client can cause without end from filling the disk.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/clock.h"

namespace leat::broker {

/// A burst of kBurst lines, then kPerSecond. One thread.
class LogGate {
 public:
  /// False: leave this line out. It is counted.
  bool pass() noexcept {
    const std::int64_t now = internal::monotonic_ns();
    const std::int64_t earned = (now - since_ns_) / kPeriodNs;
    if (earned > 0) {
      left_ = std::min(kBurst, left_ + earned);
      since_ns_ = left_ == kBurst ? now : since_ns_ + earned * kPeriodNs;
    }
    if (left_ > 0) {
      --left_;
      return true;
    }
    ++left_out_;
    return false;
  }

  /// What to add to a line that passes: how many did not since the last that did.
  std::string left_out() {
    const std::uint64_t count = left_out_;
    left_out_ = 0;
    return count == 0 ? std::string() : " (and " + std::to_string(count) + " more like it)";
  }

 private:
  static constexpr std::int64_t kBurst = 64;
  static constexpr std::int64_t kPerSecond = 4;
  static constexpr std::int64_t kPeriodNs = internal::kNanosPerSecond / kPerSecond;

  std::int64_t left_ = kBurst;
  std::int64_t since_ns_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace leat::broker
