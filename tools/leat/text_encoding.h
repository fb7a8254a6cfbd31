// Bytes as text: escaping for terminals and JSON, base64, UTF-8, times. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leat::tool {

/// Length of the well-formed UTF-8 character at the start of `text` (1..4), or 0 if there is none.
std::size_t utf8_length(std::string_view text) noexcept;
bool is_utf8(std::string_view text) noexcept;

struct EscapeOptions {
  bool ascii_only = false;      ///< escape all that is not ASCII: for terminals that do not speak UTF-8
  bool escape_space = false;    ///< escape spaces too, so that the result is one word
  bool keep_backslash = false;  ///< for messages to people; the result cannot be turned back
};

/// Appends `text` so that it stays on one line and no terminal acts on it: control bytes (C0, DEL, C1), characters that
/// turn the writing direction or break lines, and bytes that are not UTF-8 become \n, \r, \t, \\ or \xNN.
void append_escaped(std::string& out, std::string_view text, EscapeOptions options = {});

/// Appends `text` as a JSON string with its quotes. `text` must be UTF-8; what a terminal would act on is \uNNNN.
void append_json_string(std::string& out, std::string_view text);

/// RFC 4648 base64 with padding.
void append_base64(std::string& out, std::string_view bytes);
/// Nothing if `text` is not canonical RFC 4648 base64 with padding.
std::optional<std::string> decode_base64(std::string_view text);

void append_decimal(std::string& out, std::uint64_t value);
void append_decimal(std::string& out, std::int64_t value);
/// 16 lower-case digits.
void append_hex64(std::string& out, std::uint64_t value);

/// CLOCK_REALTIME nanoseconds as "2026-08-01T12:34:56.123456Z" (cut, not rounded).
void append_iso_time(std::string& out, std::int64_t timestamp_ns);

/// "2026-08-01", "2026-08-01T12:34", "...:56", "...:56.123456789", each with a time optionally followed by Z or +hh:mm;
/// UTC otherwise. A space may stand for the T.
std::optional<std::int64_t> parse_iso_time(std::string_view text);

/// Decimal digits only, the whole text.
std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept;

}  // namespace leat::tool
