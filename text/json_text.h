// JSON as text: the one reader of what `leat pub --ndjson` is given, and of payloads that are to be nested. No I/O, no
// numbers: they keep their digits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <leat/result.h>

namespace leat::tool {

enum class JsonKind : std::uint8_t { object, array, string, number, truth, null };

struct JsonMember {
  std::string name;
  JsonKind kind = JsonKind::null;
  std::string text;   ///< the value as it is written, without blanks outside strings
  std::string bytes;  ///< of a string: what it says
};

/// The members of an object, in their order, names that appear twice included. Strict RFC 8259, one object and nothing
/// behind it; a byte order mark before it is passed over. Error: invalid_argument, "column N: ..." (bytes, from 1).
Result<std::vector<JsonMember>> read_json_object(std::string_view text);

/// A text that is one JSON value: its kind, and the value without blanks outside strings. Nothing for any other text.
struct JsonValue {
  JsonKind kind = JsonKind::null;
  std::string text;
};
std::optional<JsonValue> read_json_value(std::string_view text);

}  // namespace leat::tool
