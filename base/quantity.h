// Numbers that people type: counts, sizes and durations, from the command line, a TOML file or the environment. One
// type for all of them, so that no text has another meaning in another place: exact, or refused with what would be
// taken.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <leat/result.h>

namespace leat::internal {

enum class QuantityKind : std::uint8_t {
  count,     ///< "4096": decimal digits, no unit
  slots,     ///< "4096" or "4K": a count that is naturally a power of two
  bytes,     ///< "65536", "64K", "1.5G": K, M, G, T, P are powers of 1024, as are KB and KiB
  duration,  ///< "250ms", "90s", "1.5h", "7d", or a number in the option's own unit
};

inline constexpr std::uint64_t kMicrosecond = 1'000;  // durations are counted in nanoseconds
inline constexpr std::uint64_t kMillisecond = 1'000'000;
inline constexpr std::uint64_t kSecond = 1'000'000'000;
inline constexpr std::uint64_t kDay = 86'400 * kSecond;
inline constexpr std::uint64_t kGigabyte = 1'000'000'000;
inline constexpr std::uint64_t kMostBytes = 1ULL << 50;                 // of an option without a bound of its own: 1P
inline constexpr std::uint64_t kMostCount = 1'000'000'000'000'000'000;  // likewise

/// What one number may be. Values and bounds are counted in `step`.
struct QuantityRule {
  QuantityKind kind = QuantityKind::count;
  std::uint64_t least = 0;
  std::uint64_t most = UINT64_MAX;
  std::uint64_t step = 1;                       ///< of a duration: the nanoseconds that the value counts in
  std::uint64_t bare = 1;                       ///< the bytes or nanoseconds that a number without a unit counts in
  std::optional<std::uint64_t> unlimited = {};  ///< what the word "unlimited" stands for, if it may be said

  static constexpr QuantityRule count(std::uint64_t least, std::uint64_t most) {
    return {QuantityKind::count, least, most};
  }
  static constexpr QuantityRule slots(std::uint64_t least, std::uint64_t most) {
    return {QuantityKind::slots, least, most};
  }
  static constexpr QuantityRule bytes(std::uint64_t least, std::uint64_t most) {
    return {QuantityKind::bytes, least, most};
  }
  /// The value counts in `unit`, as does a number without a unit.
  static constexpr QuantityRule duration(std::uint64_t unit, std::uint64_t least, std::uint64_t most) {
    return {QuantityKind::duration, least, most, unit, unit};
  }
  /// The value counts nanoseconds, a number without a unit seconds.
  static constexpr QuantityRule seconds(std::uint64_t least_ns, std::uint64_t most_ns) {
    return {QuantityKind::duration, least_ns, most_ns, 1, kSecond};
  }
  [[nodiscard]] constexpr QuantityRule or_unlimited(std::uint64_t value) const {
    QuantityRule rule = *this;
    rule.unlimited = value;
    return rule;
  }
};

/// The whole of `text` by `rule`. Decimal always ("050" is 50); fractions are taken where they come out exactly. Error:
/// invalid_argument, naming `name` (an option, a key, a variable), the text, what is wrong with it, and the bounds.
Result<std::uint64_t> parse_quantity(std::string_view name, std::string_view text, const QuantityRule& rule);

/// A value as it could be typed, exactly and in its largest unit: "64K", "90s", "unlimited".
std::string quantity_text(std::uint64_t value, const QuantityRule& rule);

/// "64K to 4G", "1ms to 60s", "1 to 4096", "0 to 1P or unlimited".
std::string bounds_text(const QuantityRule& rule);

/// A text of a user as it may stand in a message: on one line, cut when it is long, no byte that a terminal acts upon.
std::string quoted_text(std::string_view text, std::size_t shown = 64);

}  // namespace leat::internal
