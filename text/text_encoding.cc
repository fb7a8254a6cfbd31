#include "text/text_encoding.h"

#include <array>
#include <charconv>

namespace leat::tool {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::uint8_t byte_at(std::string_view text, std::size_t i) { return static_cast<std::uint8_t>(text[i]); }

/// Characters that a terminal acts upon, or that make a line read as something else than it is.
bool is_unsafe(char32_t point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) ||  // C0, DEL, C1
         point == 0x061c || point == 0x200e || point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2066 && point <= 0x2069) ||  // line and paragraph separators, writing direction
         point == 0xfeff;
}

void append_hex_escape(std::string& out, std::uint8_t byte) {
  out += "\\x";
  out += kHexDigits[byte >> 4];
  out += kHexDigits[byte & 15];
}

void append_escaped_byte(std::string& out, std::uint8_t byte) {
  switch (byte) {
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    case '\\': out += "\\\\"; break;
    default: append_hex_escape(out, byte);
  }
}

bool is_plain_ascii(std::uint8_t byte) { return byte >= 0x20 && byte < 0x7f; }

void append_json_escape(std::string& out, char32_t point) {
  switch (point) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHexDigits[(point >> shift) & 15];
}

template <typename Integer>
void append_number(std::string& out, Integer value) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

}  // namespace

std::size_t utf8_length(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const std::uint8_t first = byte_at(text, 0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(text, i) & 0xc0) != 0x80) return 0;
  }
  const char32_t point = code_point(text.substr(0, length));
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return overlong || surrogate || point > 0x10ffff ? 0 : length;
}

char32_t code_point(std::string_view character) noexcept {
  if (character.size() == 1) return byte_at(character, 0);
  char32_t point = byte_at(character, 0) & (0x7fU >> character.size());
  for (std::size_t i = 1; i < character.size(); ++i) point = point << 6 | (byte_at(character, i) & 0x3fU);
  return point;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void append_escaped(std::string& out, std::string_view text, EscapeOptions options) {
  for (std::size_t i = 0; i < text.size();) {
    const std::uint8_t byte = byte_at(text, i);
    const bool wants_escape = (byte == '\\' && !options.keep_backslash) || (byte == ' ' && options.escape_space);
    if (is_plain_ascii(byte) && !wants_escape) {
      out += text[i++];
      continue;
    }
    const std::string_view rest = text.substr(i);
    const std::size_t length = utf8_length(rest);
    if (length > 1 && !options.ascii_only && !is_unsafe(code_point(rest.substr(0, length)))) {
      out.append(rest.substr(0, length));
      i += length;
      continue;
    }
    for (std::size_t end = i + (length == 0 ? 1 : length); i < end; ++i) append_escaped_byte(out, byte_at(text, i));
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const std::uint8_t byte = byte_at(text, i);
    if (is_plain_ascii(byte) && byte != '"' && byte != '\\') {
      out += text[i++];
      continue;
    }
    const std::string_view rest = text.substr(i);
    const std::size_t length = utf8_length(rest);
    if (length == 0) {  // not for this function; still never emit broken JSON
      out += "\\ufffd";
      ++i;
      continue;
    }
    const char32_t point = code_point(rest.substr(0, length));
    if (length == 1 || is_unsafe(point)) {
      append_json_escape(out, point);
    } else {
      out.append(rest.substr(0, length));
    }
    i += length;
  }
  out += '"';
}

void append_json_value(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char32_t point = length == 0 ? 0 : code_point(text.substr(0, length));
    if (is_unsafe(point)) {
      append_json_escape(out, point == 0 ? 0xfffd : point);
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

std::string readable_utf8(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    if (length == 0) append_hex_escape(out, byte_at(bytes, 0));
    out += bytes.substr(0, length);
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

void append_base64(std::string& out, std::string_view bytes) {
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const unsigned word = byte_at(bytes, i) << 16U | byte_at(bytes, i + 1) << 8U | byte_at(bytes, i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) out += kBase64Digits[(word >> shift) & 63];
  }
  const std::size_t left = bytes.size() - i;
  if (left == 0) return;
  const unsigned word = byte_at(bytes, i) << 16U | (left == 2 ? byte_at(bytes, i + 1) << 8U : 0U);
  out += kBase64Digits[word >> 18];
  out += kBase64Digits[(word >> 12) & 63];
  out += left == 2 ? kBase64Digits[(word >> 6) & 63] : '=';
  out += '=';
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  unsigned word = 0;
  unsigned bits = 0;
  for (const char digit : text) {
    const std::size_t value = kBase64Digits.find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    word = (word << 6 | static_cast<unsigned>(value)) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(word >> bits & 0xff);
  }
  const bool canonical = (word & ((1U << bits) - 1)) == 0 && bits == padding * 2;
  return canonical ? std::optional(std::move(bytes)) : std::nullopt;
}

void append_decimal(std::string& out, std::uint64_t value) { append_number(out, value); }
void append_decimal(std::string& out, std::int64_t value) { append_number(out, value); }

void append_hex64(std::string& out, std::uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) out += kHexDigits[(value >> shift) & 15];
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace leat::tool
