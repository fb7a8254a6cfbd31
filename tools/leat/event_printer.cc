#include "tools/leat/event_printer.h"

#include <langinfo.h>
#include <unistd.h>

#include <cstdlib>

#include "text/json_text.h"

namespace leat::tool {
namespace {

constexpr std::string_view kDim = "\033[2m";
constexpr std::string_view kCyan = "\033[36m";
constexpr std::string_view kYellow = "\033[33m";
constexpr std::string_view kPlain = "\033[0m";
constexpr std::string_view kNoKey = "-";
constexpr std::string_view kDeleted = "(deleted)";

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
  out += name;
  append_decimal(out, value);
}

/// `,"name":"..."`, or `,"name_base64":"..."` where the bytes are not UTF-8.
void append_bytes_field(std::string& out, std::string_view name, std::string_view bytes) {
  out += ",\"";
  out += name;
  if (is_utf8(bytes)) {
    out += "\":";
    append_json_string(out, bytes);
    return;
  }
  out += "_base64\":\"";
  append_base64(out, bytes);
  out += '"';
}

/// `,"headers":{"name":"value",...}`; a value that is not UTF-8 is {"base64":"..."}. Nothing if there are none.
void append_headers_field(std::string& out, const HeaderList& headers) {
  char before = '{';
  for (const Header& header : headers) {
    if (before == '{') out += ",\"headers\":";
    out += before;
    append_json_string(out, header.name);
    if (is_utf8(header.value)) {
      out += ':';
      append_json_string(out, header.value);
    } else {
      out += ":{\"base64\":\"";
      append_base64(out, header.value);
      out += "\"}";
    }
    before = ',';
  }
  if (before == ',') out += '}';
}

void append_cursor(std::string& out, const Cursor& cursor) {
  append_hex64(out, cursor.epoch);
  out += '-';
  append_decimal(out, cursor.sequence);
}

bool environment_is_set(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

void append_json(std::string& out, const EventView& event, PayloadStyle style) {
  append_field(out, "{\"sequence\":", event.sequence);
  out += ",\"cursor\":\"";
  append_cursor(out, event.cursor);
  out += "\",\"epoch\":\"";
  append_hex64(out, event.cursor.epoch);  // a string: readers whose numbers are doubles would round it
  out += "\",\"timestamp_ns\":\"";
  append_decimal(out, event.timestamp_ns);  // likewise
  out += "\",\"time\":\"";
  append_iso_time(out, event.timestamp_ns, 9);
  append_field(out, "\",\"producer_id\":", event.producer_id);
  append_field(out, ",\"producer_sequence\":", event.producer_sequence);
  append_bytes_field(out, "topic", event.topic);
  append_bytes_field(out, "key", event.key);
  append_bytes_field(out, "message_id", event.message_id);
  append_headers_field(out, event.headers);
  if (event.tombstone) out += ",\"tombstone\":true";
  const auto nested = style == PayloadStyle::json ? read_json_value(event.payload) : std::nullopt;
  if (nested && nested->kind != JsonKind::string) {
    out += ",\"payload\":";
    append_json_value(out, nested->text);
  } else {
    append_bytes_field(out, "payload", event.payload);
  }
  out += '}';
}

void append_json(std::string& out, const Reset& reset) {
  out += "{\"reset\":{\"reason\":";
  append_json_string(out, to_string(reset.reason));
  append_field(out, ",\"wanted_sequence\":", reset.wanted_sequence);
  if (reset.wanted_time_ns) out += ",\"wanted_time_ns\":" + std::to_string(*reset.wanted_time_ns);
  append_field(out, ",\"earliest_sequence\":", reset.earliest_sequence);
  append_field(out, ",\"latest_sequence\":", reset.latest_sequence);
  out += ",\"resume\":\"";
  append_cursor(out, reset.resume);
  out += "\"}}";
}

void EventPrinter::append_word(std::string& out, std::string_view colour, std::string_view text) const {
  if (options_.colour) out += colour;
  append_escaped(out, text, {.ascii_only = options_.ascii_only, .escape_space = true});
  if (options_.colour) out += kPlain;
}

void EventPrinter::append_text(std::string& out, const EventView& event) const {
  append_decimal(out, event.sequence);
  out += ' ';
  if (options_.colour) out += kDim;
  append_iso_time(out, event.timestamp_ns);
  if (options_.colour) out += kPlain;
  out += ' ';
  append_word(out, kCyan, event.topic);
  out += ' ';
  if (event.key.empty()) {
    out += kNoKey;
  } else if (event.key == kNoKey) {
    out += "\\x2d";  // so that a lone dash always means: no key
  } else {
    append_word(out, kYellow, event.key);
  }
  out += ' ';
  append_headers(out, event.headers);
  if (event.tombstone) {
    if (options_.colour) out += kDim;
    out += kDeleted;
    if (options_.colour) out += kPlain;
    return;
  }
  append_escaped(out, event.payload, {.ascii_only = options_.ascii_only});
}

// In braces, in front of the payload: {name=value name=value}.
void EventPrinter::append_headers(std::string& out, const HeaderList& headers) const {
  char before = '{';
  for (const Header& header : headers) {
    out += before;
    append_word(out, kDim, header.name);
    out += '=';
    append_word(out, kDim, header.value);
    before = ' ';
  }
  if (before == ' ') out += "} ";
}

void EventPrinter::append(std::string& out, const EventView& event) const {
  switch (options_.format) {
    case Format::text: append_text(out, event); break;
    case Format::json: append_json(out, event, options_.payload); break;
    case Format::raw: out += event.payload; break;
  }
  out += '\n';
}

bool EventPrinter::append(std::string& out, const Reset& reset) const {
  if (options_.format != Format::json) return false;
  append_json(out, reset);
  out += '\n';
  return true;
}

PrinterOptions printer_options_for_stdout(Format format, PayloadStyle payload) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const char* const term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return {.format = format,
          .payload = payload,
          .colour = terminal && !dumb && !environment_is_set("NO_COLOR"),
          .ascii_only = terminal && std::string_view(::nl_langinfo(CODESET)) != "UTF-8"};
}

std::optional<Format> parse_format(std::string_view name) {
  if (name == "text") return Format::text;
  if (name == "json") return Format::json;
  if (name == "raw") return Format::raw;
  return std::nullopt;
}

}  // namespace leat::tool
