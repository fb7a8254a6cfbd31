#include "base/quantity.h"

#include <array>
#include <span>

namespace leat::internal {
namespace {

__extension__ using Wide = unsigned __int128;  // holds the product of a 64-bit number and any unit

struct Unit {
  std::string_view name;
  std::uint64_t size;
};

// From the largest down: the first that divides a value is how it is shown.
constexpr std::array<Unit, 6> kByteUnits = {
    {{"P", 1ULL << 50}, {"T", 1ULL << 40}, {"G", 1ULL << 30}, {"M", 1ULL << 20}, {"K", 1ULL << 10}, {"", 1}}};
constexpr std::array<Unit, 9> kTimeUnits = {{{"w", 7 * kDay},
                                             {"d", kDay},
                                             {"h", 3'600 * kSecond},
                                             {"min", 60 * kSecond},
                                             {"m", 60 * kSecond},
                                             {"s", kSecond},
                                             {"ms", kMillisecond},
                                             {"us", kMicrosecond},
                                             {"ns", 1}}};

constexpr std::size_t kMaxFractionDigits = 18;  // 10^18 times the largest unit still fits into 128 bits
constexpr std::string_view kUnlimited = "unlimited";

bool is_binary(QuantityKind kind) { return kind == QuantityKind::bytes || kind == QuantityKind::slots; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// "K" of "K", "k", "KB", "KiB"; nothing for what is no unit of sizes.
std::optional<std::uint64_t> size_unit(std::string_view text) {
  std::string folded;
  for (const char c : text) folded += lower(c);
  if (folded.empty() || folded == "b") return 1;
  const std::string_view rest = std::string_view(folded).substr(1);
  if (!rest.empty() && rest != "b" && rest != "ib") return std::nullopt;
  for (const Unit& unit : kByteUnits) {
    if (!unit.name.empty() && lower(unit.name[0]) == folded[0]) return unit.size;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> unit_of(std::string_view text, const QuantityRule& rule) {
  if (text.empty()) return rule.bare;
  if (is_binary(rule.kind)) return size_unit(text);
  if (rule.kind == QuantityKind::count) return std::nullopt;
  for (const Unit& unit : kTimeUnits) {
    if (unit.name == text) return unit.size;
  }
  return std::nullopt;
}

enum class Fault : std::uint8_t {
  none,
  empty,
  negative,
  signed_plus,
  not_a_number,
  unknown_unit,
  inexact,
  too_small,
  too_large
};

/// Takes digits off the left of `text` into `value`, which stays at `kTooMany` from where it would not fit any more.
constexpr Wide kTooMany = Wide{1} << 64;
std::size_t take_digits(std::string_view& text, Wide& value) {
  std::size_t taken = 0;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++taken) {
    if (value < kTooMany) value = value * 10 + static_cast<unsigned>(text.front() - '0');
  }
  return taken;
}

/// A number and its unit: `whole` + `fraction` / `denominator` of `unit`.
struct Typed {
  Wide whole = 0;
  Wide fraction = 0;
  Wide denominator = 1;
  std::uint64_t unit = 1;
};

Fault take_fraction(std::string_view& text, Typed& typed) {
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  if (digits == 0) return Fault::not_a_number;
  std::size_t used = digits;
  while (used > 0 && text[used - 1] == '0') --used;  // zeros at the end say nothing
  if (used > kMaxFractionDigits) return Fault::inexact;
  std::string_view kept = text.substr(0, used);
  for (std::size_t i = 0; i < used; ++i) typed.denominator *= 10;
  (void)take_digits(kept, typed.fraction);
  text.remove_prefix(digits);
  return Fault::none;
}

Fault take_number(std::string_view text, const QuantityRule& rule, Typed& typed) {
  if (text.empty()) return Fault::empty;
  if (text.front() == '-') return Fault::negative;
  if (text.front() == '+') return Fault::signed_plus;
  const std::size_t digits = take_digits(text, typed.whole);
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    if (const Fault fault = take_fraction(text, typed); fault != Fault::none) return fault;
  } else if (digits == 0) {
    return Fault::not_a_number;
  }
  const auto unit = unit_of(text, rule);
  if (!unit) return Fault::unknown_unit;
  typed.unit = *unit;
  return Fault::none;
}

Fault take_value(std::string_view text, const QuantityRule& rule, std::uint64_t& value) {
  Typed typed;
  if (const Fault fault = take_number(text, rule, typed); fault != Fault::none) return fault;
  if (typed.whole >= kTooMany) return Fault::too_large;
  const Wide scaled = typed.fraction * typed.unit;
  if (scaled % typed.denominator != 0) return Fault::inexact;
  const Wide total = typed.whole * typed.unit + scaled / typed.denominator;
  if (total > Wide{rule.most} * rule.step) return Fault::too_large;
  if (total < Wide{rule.least} * rule.step) return Fault::too_small;
  if (total % rule.step != 0) return Fault::inexact;
  value = static_cast<std::uint64_t>(total / rule.step);
  return Fault::none;
}

std::string decimal(std::uint64_t value) { return std::to_string(value); }

/// A long count as people read it: 10^18, 2^64-1.
std::string count_text(std::uint64_t value) {
  constexpr std::size_t kLong = 9;
  if (value == UINT64_MAX) return "2^64-1";
  if (value == INT64_MAX) return "2^63-1";
  std::string text = decimal(value);
  if (text.size() > kLong && text.find_last_not_of('0') == 0 && text[0] == '1') return "10^" + decimal(text.size() - 1);
  return text;
}

std::string with_unit(Wide value, std::span<const Unit> units) {
  if (value == 0) return "0";
  for (const Unit& unit : units) {
    if (value % unit.size == 0 && unit.name != "w" && unit.name != "min") {
      return decimal(static_cast<std::uint64_t>(value / unit.size)) + std::string(unit.name);
    }
  }
  return decimal(static_cast<std::uint64_t>(value));
}

std::string readable(std::uint64_t value, const QuantityRule& rule) {
  if (is_binary(rule.kind)) return with_unit(value, kByteUnits);
  if (rule.kind == QuantityKind::duration) return with_unit(Wide{value} * rule.step, kTimeUnits);
  return count_text(value);
}

/// A bound as a number without a unit, e.g. "0.001" for a millisecond of an option in seconds.
std::string bare_text(std::uint64_t value, const QuantityRule& rule) {
  if (rule.kind == QuantityKind::count) return count_text(value);
  const Wide total = Wide{value} * rule.step;
  std::string text = decimal(static_cast<std::uint64_t>(total / rule.bare));
  Wide rest = total % rule.bare;
  if (rest != 0) text += '.';
  for (; rest != 0; rest %= rule.bare) {
    rest *= 10;
    text += static_cast<char>('0' + static_cast<int>(rest / rule.bare));
  }
  return text;
}

std::string own_unit(const QuantityRule& rule) {
  switch (rule.kind) {
    case QuantityKind::count:
    case QuantityKind::slots: return "";
    case QuantityKind::bytes: return rule.bare == kGigabyte ? " GB" : " bytes";
    case QuantityKind::duration: break;
  }
  return rule.bare == kSecond        ? " seconds"
         : rule.bare == kMillisecond ? " milliseconds"
         : rule.bare == kMicrosecond ? " microseconds"
                                     : " nanoseconds";
}

/// What would have been taken.
std::string wanted(const QuantityRule& rule) {
  std::string text = "give " + bare_text(rule.least, rule) + " to " + bare_text(rule.most, rule) + own_unit(rule);
  const std::string low = readable(rule.least, rule);
  const std::string high = readable(rule.most, rule);
  if (rule.kind != QuantityKind::count && (low != bare_text(rule.least, rule) || high != bare_text(rule.most, rule))) {
    text += " (" + low + " to " + high + ")";
  }
  if (is_binary(rule.kind)) text += ", bare or with K, M, G, T, P";
  if (rule.kind == QuantityKind::duration) text += ", bare or with ns, us, ms, s, m, h, d, w";
  if (rule.unlimited)
    text += rule.unlimited == 0 && rule.least == 0 ? "; 0 or unlimited means no bound" : "; unlimited means no bound";
  return text;
}

std::string fault_text(Fault fault, const QuantityRule& rule) {
  switch (fault) {
    case Fault::none: return "";
    case Fault::empty: return "is empty";
    case Fault::negative: return "is negative";
    case Fault::signed_plus: return "has a sign: leave it out";
    case Fault::not_a_number: return "is not a number";
    case Fault::unknown_unit:
      return rule.kind == QuantityKind::count ? "is not a whole number" : "is not a number, or has a unit that is none";
    case Fault::inexact:
      if (rule.kind == QuantityKind::bytes) return "is not a whole number of bytes";
      if (rule.kind != QuantityKind::duration) return "is not a whole number";
      return "is not a whole number of " + std::string(rule.step == kSecond        ? "seconds"
                                                       : rule.step == kMillisecond ? "milliseconds"
                                                       : rule.step == kMicrosecond ? "microseconds"
                                                                                   : "nanoseconds");
    case Fault::too_small: return "is too small";
    case Fault::too_large: return "is too large";
  }
  return "";
}

}  // namespace

Result<std::uint64_t> parse_quantity(std::string_view name, std::string_view text, const QuantityRule& rule) {
  if (rule.unlimited && text == kUnlimited) return *rule.unlimited;
  std::uint64_t value = 0;
  const Fault fault = take_value(text, rule, value);
  if (fault == Fault::none) return value;
  return Error{ErrorCode::invalid_argument,
               std::string(name) + ": " + quoted_text(text) + " " + fault_text(fault, rule), wanted(rule)};
}

std::string quantity_text(std::uint64_t value, const QuantityRule& rule) {
  if (rule.unlimited == value && value != 0) return std::string(kUnlimited);
  return rule.kind == QuantityKind::count ? decimal(value) : readable(value, rule);
}

std::string bounds_text(const QuantityRule& rule) {
  return readable(rule.least, rule) + " to " + readable(rule.most, rule) + (rule.unlimited ? " or unlimited" : "");
}

std::string quoted_text(std::string_view text, std::size_t shown) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  std::string out = "'";
  for (const char c : text.substr(0, shown)) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    }
  }
  out += text.size() > shown ? "...'" : "'";
  return out;
}

}  // namespace leat::internal
