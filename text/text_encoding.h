// Bytes as text: escaping for terminals and JSON, base64, UTF-8, times. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <leat/result.h>

namespace leat::tool {

/// Length of the well-formed UTF-8 character at the start of `text` (1..4), or 0 if there is none.
std::size_t utf8_length(std::string_view text) noexcept;
bool is_utf8(std::string_view text) noexcept;
/// The code point of one well-formed character of UTF-8, and of nothing else.
char32_t code_point(std::string_view character) noexcept;

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

/// Appends `text`, a value of JSON without blanks, so that no terminal acts on it: as append_json_string does within
/// strings.
void append_json_value(std::string& out, std::string_view text);

/// `bytes` as a value of JSON where that may not be all there is to say: valid UTF-8 as it is, else readable, with the
/// bytes that are not UTF-8 as \xNN. Whoever needs the bytes themselves gives them as <name>_base64 besides.
std::string readable_utf8(std::string_view bytes);

/// RFC 4648 base64 with padding.
void append_base64(std::string& out, std::string_view bytes);
/// Nothing if `text` is not canonical RFC 4648 base64 with padding.
std::optional<std::string> decode_base64(std::string_view text);

void append_decimal(std::string& out, std::uint64_t value);
void append_decimal(std::string& out, std::int64_t value);
/// 16 lower-case digits.
void append_hex64(std::string& out, std::uint64_t value);

/// CLOCK_REALTIME nanoseconds as "2026-08-01T12:34:56.123456Z", with so many digits behind the point, 0 to 9 (cut, not
/// rounded).
void append_iso_time(std::string& out, std::int64_t timestamp_ns, int digits = 6);

/// A time as people and date(1) write it, exactly, in nanoseconds since 1970:
/// - "2026-08-01", "2026-08-01T12:34", "...:56", "...:56.123456789" (or with a comma, as date -Ins has it), a time
///   optionally followed by Z, +hh, +hhmm or +hh:mm, UTC otherwise whatever the time zone of the process; a space may
///   stand for the T and before the offset, t and z for T and Z;
/// - "@1785587696" and "@1785587696.5", seconds since 1970, the latter also without the @, as date +%s.%N has it;
/// - nanoseconds since 1970, from 1973 on: less is some other unit.
/// Error: invalid_argument, naming the part that is wrong.
Result<std::int64_t> parse_time(std::string_view text);

/// What people type where a time is asked for, `now_ns` being the present:
/// - "-5m", "-1.5h", "-7d": so long ago ("-90" is 90 seconds); "now";
/// - "10:30", "10:30:15.5": of today;
/// - all that parse_time() takes.
/// A date or a time of day without an offset is local time, by TZ; where clocks were set back, one of the two. Error:
/// invalid_argument, naming the part that is wrong.
Result<std::int64_t> parse_typed_time(std::string_view text, std::int64_t now_ns);

/// Decimal digits only, the whole text.
std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept;

}  // namespace leat::tool
