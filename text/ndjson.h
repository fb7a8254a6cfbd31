// One line of `leat pub --ndjson`. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <leat/event.h>
#include <leat/result.h>

namespace leat::tool {

/// An event as an object describes it. Absent fields are empty.
struct NdjsonEvent {
  std::string topic;
  std::string key;
  std::string message_id;
  std::string payload;
  std::vector<std::pair<std::string, std::string>> headers;
  bool durable = true;
  bool tombstone = false;
  bool is_reset = false;  ///< the line tells of a Reset, as tail prints it, and is no event
};

/// Reads an object with any of: topic, key, message_id (strings), key_base64, message_id_base64, payload (a string: its
/// bytes; any other value: its JSON text without the blanks, digit for digit), payload_base64, headers (an object of
/// strings, or of {"base64": "..."}), tombstone (true: the key is deleted), durable (false: ephemeral). The other
/// fields that `leat tail --format json` writes are let pass, so its output can be published again; any further one is
/// an error, for a misspelt field must not be lost in silence. An object with the one field reset is not an event.
/// Error: invalid_argument, saying what is wrong with the line, and where.
Result<NdjsonEvent> parse_ndjson(std::string_view line);

}  // namespace leat::tool
