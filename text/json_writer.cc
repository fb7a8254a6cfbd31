#include "text/json_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "text/text_encoding.h"

namespace leat::tool {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
// Numbers are written without an exponent while the point lies within these.
constexpr int kLeastPoint = -4;
constexpr int kMostPoint = 15;

/// How many bytes at the start of what is no UTF-8 are one mistake: those that a character could begin with.
std::size_t broken_length(std::string_view text) {
  const std::uint8_t first = static_cast<std::uint8_t>(text[0]);
  const std::size_t whole = first < 0xc2 || first > 0xf4 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  std::size_t length = 1;
  while (length < whole && length < text.size()) {
    const std::uint8_t byte = static_cast<std::uint8_t>(text[length]);
    const std::uint8_t least = length > 1 ? 0x80 : first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const std::uint8_t most = length > 1 ? 0xbf : first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (byte < least || byte > most) break;
    ++length;
  }
  return length;
}

void append_unit(std::string& out, std::uint32_t unit) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[(unit >> shift) & 15];
}

void append_character(std::string& out, std::string_view character, JsonStrings strings) {
  constexpr std::string_view kShort = "\b\t\n\f\r\"\\";
  constexpr std::string_view kLetters = "btnfr\"\\";
  const std::size_t known = character.size() == 1 ? kShort.find(character.front()) : std::string_view::npos;
  const char32_t point = code_point(character);
  if (known != std::string_view::npos) {
    out += '\\';
    out += kLetters[known];
  } else if (point >= 0x20 && (strings == JsonStrings::utf8 || point < 0x7f)) {
    out += character;
  } else if (point < 0x10000) {
    append_unit(out, point);
  } else {
    append_unit(out, 0xd800 + ((point - 0x10000) >> 10));
    append_unit(out, 0xdc00 + ((point - 0x10000) & 0x3ff));
  }
}

template <typename Integer>
JsonText integer_text(Integer value) {
  std::array<char, 24> digits{};
  return {std::string(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr)};
}

}  // namespace

JsonText json_string(std::string_view text, JsonStrings strings) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    append_character(out, length > 0 ? text.substr(0, length) : kReplacement, strings);
    text.remove_prefix(length > 0 ? length : broken_length(text));
  }
  return {out + '"'};
}

JsonText json_number(std::uint64_t value) { return integer_text(value); }
JsonText json_number(std::int64_t value) { return integer_text(value); }

JsonText json_number(double value) {
  if (!std::isfinite(value)) return {"null"};
  const std::string sign = std::signbit(value) ? "-" : "";
  if (value == 0) return {sign + "0.0"};
  std::array<char, 32> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), std::abs(value), std::chars_format::scientific).ptr;
  const std::string_view scientific(text.data(), static_cast<std::size_t>(end - text.data()));
  const std::size_t e = scientific.find('e');
  std::string digits(1, scientific.front());
  if (e > 2) digits += scientific.substr(2, e - 2);
  const int exponent = std::atoi(std::string(scientific.substr(e + 1)).c_str());
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // so many digits stand before it
  if (count <= point && point <= kMostPoint) {
    return {sign + digits + std::string(static_cast<std::size_t>(point - count), '0') + ".0"};
  }
  if (point > 0 && point <= kMostPoint) {
    return {sign + digits.insert(static_cast<std::size_t>(point), 1, '.')};
  }
  if (point > kLeastPoint && point <= 0) {
    return {sign + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits};
  }
  if (count > 1) digits.insert(1, 1, '.');
  const std::string size = std::to_string(std::abs(exponent));
  return {sign + digits + 'e' + (exponent < 0 ? '-' : '+') + (size.size() < 2 ? "0" : "") + size};
}

JsonText JsonObject::json() const {
  auto members = members_;
  if (order_ == JsonOrder::by_name) std::ranges::sort(members);
  std::string text;
  for (const auto& [name, value] : members) {
    text += (text.empty() ? "" : ",") + json_string(name, strings_).text + ':' + value;
  }
  return {'{' + text + '}'};
}

}  // namespace leat::tool
