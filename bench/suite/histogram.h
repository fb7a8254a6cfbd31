// A latency histogram of fixed size and bounded relative error, as HdrHistogram (Gil Tene) keeps it: a power of two is
// cut into 128 equal steps, so a value is known to within 0.8 %, from 1 ns to 2^63 ns.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace leat::bench {

/// Zeroed memory is an empty histogram, so it may lie in memory that processes share. One writer at a time.
class Histogram {
 public:
  void record(std::int64_t value_ns) noexcept {
    const std::uint64_t value = value_ns < 0 ? 0 : static_cast<std::uint64_t>(value_ns);
    ++counts_[bucket_of(value)];
    ++count_;
    if (value > max_) max_ = value;
  }

  void merge(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    if (other.max_ > max_) max_ = other.max_;
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }

  /// The value at place `fraction * count` (from 0) of all in order of size, or the last; rounded up by less than
  /// 1/128, never beyond max(). 0 if empty.
  [[nodiscard]] std::uint64_t at(double fraction) const noexcept {
    const auto wanted = static_cast<std::uint64_t>(fraction * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += counts_[i];
      if (counts_[i] > 0 && (seen > wanted || seen == count_)) return top_of(i) < max_ ? top_of(i) : max_;
    }
    return 0;
  }

 private:
  static constexpr unsigned kStepBits = 7;
  static constexpr std::uint64_t kSteps = 1u << kStepBits;
  static constexpr std::size_t kBuckets = (64 - kStepBits) * kSteps;

  // Values below 128 have a bucket each; above, the 7 bits behind the leading one choose the step.
  static std::size_t bucket_of(std::uint64_t value) noexcept {
    if (value < kSteps) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kStepBits;
    const std::size_t bucket = (shift + 1) * kSteps + ((value >> shift) - kSteps);
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }
  static std::uint64_t top_of(std::size_t bucket) noexcept {
    if (bucket < kSteps) return bucket;
    const std::size_t shift = bucket / kSteps - 1;
    return ((kSteps + bucket % kSteps + 1) << shift) - 1;
  }

  std::uint64_t counts_[kBuckets];
  std::uint64_t count_;
  std::uint64_t max_;
};

}  // namespace leat::bench
