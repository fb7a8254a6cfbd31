#include "support/payload.h"

#include <algorithm>
#include <cstring>

namespace leat::test {
namespace {

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

std::uint64_t mix_bits(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

std::uint64_t event_seed(std::uint64_t seed, std::uint32_t producer, std::uint64_t number) {
  return mix_bits(seed ^ mix_bits((std::uint64_t{producer} + 1) * kGolden ^ mix_bits(number)));
}

}  // namespace

std::uint64_t Prng::next() { return mix_bits(state_ += kGolden); }

std::size_t payload_bytes(std::uint64_t seed, std::uint32_t producer, std::uint64_t number, const SizeMix& mix) {
  if (mix.always_max) return mix.max_bytes;
  Prng prng(event_seed(seed, producer, number));
  const std::uint64_t dice = prng.below(1000);
  std::uint64_t bytes = 0;
  if (dice < 700) {
    bytes = prng.below(129);
  } else if (dice < 900) {
    bytes = prng.below(1025);
  } else if (dice < 989) {
    bytes = prng.below(4 * 1024 + 1);
  } else if (dice < 999) {
    bytes = prng.below(16 * 1024 + 1);
  } else {
    bytes = prng.below(8) == 0 ? mix.max_bytes : prng.below(mix.max_bytes + 1);
  }
  return std::min(bytes, mix.max_bytes);
}

std::string_view make_payload(std::uint64_t seed, std::uint32_t producer, std::uint64_t number, const SizeMix& mix,
                              std::string& buffer) {
  const std::size_t bytes = payload_bytes(seed, producer, number, mix);
  const std::size_t padded = (bytes + 7) & ~std::size_t{7};
  if (buffer.size() < padded) buffer.resize(padded);
  Prng prng(event_seed(seed, producer, number) ^ kGolden);
  for (std::size_t at = 0; at < padded; at += 8) {
    const std::uint64_t word = prng.next();
    std::memcpy(buffer.data() + at, &word, sizeof word);
  }
  return {buffer.data(), bytes};
}

}  // namespace leat::test
