// Events whose every byte follows from (seed, producer, number): whoever receives one can tell whether it is right.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace leat::test {

/// A small deterministic generator (splitmix64).
class Prng {
 public:
  explicit Prng(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// Uniform enough in [0, bound).
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }

 private:
  std::uint64_t state_;
};

/// Which payload sizes a run uses.
struct SizeMix {
  std::uint64_t max_bytes = 64 * 1024;
  bool always_max = false;  ///< all are of one size: what is done with one takes the same instructions as with another
};

/// Mostly small: 70 % up to 128 B (and now and then 0), 20 % up to 1 KiB, 9 % up to 4 KiB, 1 % up to 16 KiB, one in a
/// thousand up to `max_bytes`, of which one in eight is exactly that. Mean about 550 bytes.
std::size_t payload_bytes(std::uint64_t seed, std::uint32_t producer, std::uint64_t number, const SizeMix& mix);

/// Makes the payload in `buffer` and returns a view of it.
std::string_view make_payload(std::uint64_t seed, std::uint32_t producer, std::uint64_t number, const SizeMix& mix,
                              std::string& buffer);

}  // namespace leat::test
