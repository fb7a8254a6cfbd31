// Events as lines of text: what tail and replay print.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <leat/consumer.h>
#include <leat/event.h>

#include "text/text_encoding.h"

namespace leat::tool {

enum class Format : std::uint8_t {
  text,  ///< sequence, time, topic, key, payload; safe on any terminal
  json,  ///< one object a line
  raw,   ///< the payload as it is, and a newline
};

/// Of payloads in a line of JSON.
enum class PayloadStyle : std::uint8_t {
  text,  ///< a string, byte for byte (payload_base64 if it is not UTF-8)
  json,  ///< a payload that is JSON, but no string, is nested, without blanks; any other is a string
};

struct PrinterOptions {
  Format format = Format::text;
  PayloadStyle payload = PayloadStyle::text;
  bool colour = false;      ///< text only
  bool ascii_only = false;  ///< text only
};

/// Turns events into lines. Stateless but for its options; appends only.
class EventPrinter {
 public:
  explicit EventPrinter(PrinterOptions options) : options_(options) {}

  /// Appends one line, with its newline.
  void append(std::string& out, const EventView& event) const;

  /// Appends a line about a reset, for standard output, if the format has one (json). False if not: report it
  /// elsewhere.
  bool append(std::string& out, const Reset& reset) const;

  [[nodiscard]] Format format() const noexcept { return options_.format; }

 private:
  void append_text(std::string& out, const EventView& event) const;
  void append_headers(std::string& out, const HeaderList& headers) const;
  void append_word(std::string& out, std::string_view colour, std::string_view text) const;

  PrinterOptions options_;
};

void append_json(std::string& out, const EventView& event, PayloadStyle style = PayloadStyle::text);
void append_json(std::string& out, const Reset& reset);

/// Decides on colour and on UTF-8 from descriptor 1, NO_COLOR, TERM and the locale.
PrinterOptions printer_options_for_stdout(Format format, PayloadStyle payload = PayloadStyle::text);

/// "text", "json" or "raw".
std::optional<Format> parse_format(std::string_view name);

}  // namespace leat::tool
