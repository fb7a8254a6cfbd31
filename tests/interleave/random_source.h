// One seed, one run.
#pragma once

#include <cstdint>

namespace leat::sim {

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// 0 .. bound - 1.
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept { return low + below(high - low + 1); }
  /// True once in `one_in` times; never for 0.
  bool once_in(std::uint64_t one_in) noexcept { return one_in != 0 && below(one_in) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace leat::sim
