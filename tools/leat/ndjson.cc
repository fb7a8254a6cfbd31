#include "ndjson.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "text_encoding.h"

namespace leat::tool {
namespace {

using Json = nlohmann::json;

/// What tail prints and a broker gives anew.
constexpr std::array<std::string_view, 6> kIgnored = {"sequence",     "cursor",      "epoch",
                                                      "timestamp_ns", "producer_id", "producer_sequence"};
/// Deeper than any event needs, and far from what the parser's stack would not bear.
constexpr int kMaxDepth = 512;

/// Of what a message quotes from the input.
constexpr std::size_t kMaxQuotedBytes = 200;

std::string shortened(std::string_view text) {
  return text.size() <= kMaxQuotedBytes ? std::string(text) : std::string(text.substr(0, kMaxQuotedBytes)) + "...";
}

Error bad(std::string what) { return {ErrorCode::invalid_argument, std::move(what)}; }

/// A cursor over text that is known to be JSON.
class JsonText {
 public:
  explicit JsonText(std::string_view text) : text_(text) {}

  char peek() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  char take() {
    const char c = peek();
    ++at_;
    return c;
  }
  /// The next value, as it is written but without blanks outside strings.
  std::string take_value() {
    std::string out;
    int depth = 0;
    for (char c = peek(); c != '\0'; c = peek()) {
      if (depth == 0 && (c == ',' || c == '}' || c == ']' || (c == ':' && !out.empty()))) break;
      if (c == '"') {
        take_string(out);
      } else {
        depth += (c == '{' || c == '[') ? 1 : (c == '}' || c == ']') ? -1 : 0;
        out += take();
      }
    }
    return out;
  }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  void take_string(std::string& out) {
    out += text_[at_++];
    for (bool open = true; open && at_ < text_.size();) {
      const char c = text_[at_++];
      out += c;
      open = c != '"';
      if (c == '\\' && at_ < text_.size()) out += text_[at_++];
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// The text of the member `name` of an object that has it. nlohmann::json would round numbers and reorder members.
std::string member_text(std::string_view object, std::string_view name) {
  JsonText text(object);
  text.take();  // {
  while (text.peek() == '"') {
    const std::string key = text.take_value();
    text.take();  // :
    std::string value = text.take_value();
    if (Json::parse(key).get_ref<const std::string&>() == name) return value;
    if (text.peek() == ',') text.take();
  }
  return {};
}

/// Parses; an empty object result with `problem` set if the text is no good.
Json parse_checked(std::string_view line, std::string& problem) {
  std::vector<std::string> names;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth && problem.empty()) problem = "nested deeper than " + std::to_string(kMaxDepth);
    if (event == Json::parse_event_t::key && depth == 1) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (std::ranges::find(names, name) != names.end()) problem = "field '" + shortened(name) + "' appears twice";
      names.push_back(name);
    }
    return true;
  };
  try {
    return Json::parse(line.begin(), line.end(), watch);
  } catch (const Json::parse_error& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 7: syntax error ...": the column is of use.
    const std::string_view what = error.what();
    const std::size_t column = what.find("column ");
    problem = "not JSON: " + shortened(column == std::string_view::npos ? what : what.substr(column));
    return Json::object();
  }
}

struct Field {
  std::string_view name;
  std::string* value;
};

/// Takes `name` or `name_base64` from the object. Says what is wrong, if anything.
std::optional<Error> take_field(const Json& object, std::string_view line, Field field) {
  const std::string plain(field.name);
  const std::string encoded = plain + "_base64";
  const auto text = object.find(plain);
  const auto base64 = object.find(encoded);
  if (text != object.end() && base64 != object.end()) return bad("both " + plain + " and " + encoded + "; give one");
  if (base64 != object.end()) {
    auto bytes = base64->is_string() ? decode_base64(base64->get_ref<const std::string&>()) : std::nullopt;
    if (!bytes) return bad(encoded + " is not base64 (A-Z a-z 0-9 + / with = at the end)");
    *field.value = std::move(*bytes);
  } else if (text != object.end() && text->is_string()) {
    *field.value = text->get_ref<const std::string&>();
  } else if (text != object.end()) {
    if (plain != "payload") return bad(plain + " is not a string");
    *field.value = member_text(line, plain);
  }
  return std::nullopt;
}

bool is_known(std::string_view name) {
  constexpr std::array<std::string_view, 8> kTaken = {"topic",          "key",     "key_base64",     "message_id",
                                                      "message_id_base64", "payload", "payload_base64", "durable"};
  return std::ranges::find(kTaken, name) != kTaken.end() || std::ranges::find(kIgnored, name) != kIgnored.end();
}

}  // namespace

Result<NdjsonEvent> parse_ndjson(std::string_view line) {
  std::string problem;
  const Json object = parse_checked(line, problem);
  if (!problem.empty()) return bad(problem);
  if (!object.is_object()) return bad("not an object; write {\"topic\":...,\"payload\":...}");
  for (const auto& member : object.items()) {
    if (!is_known(member.key())) {
      return bad("unknown field '" + shortened(member.key()) + "'; known: topic, key, message_id, payload, payload_base64, durable");
    }
  }
  NdjsonEvent event;
  for (const Field field : {Field{"key", &event.key}, Field{"message_id", &event.message_id},
                            Field{"payload", &event.payload}}) {
    if (auto error = take_field(object, line, field)) return *error;
  }
  if (const auto topic = object.find("topic"); topic != object.end()) {
    if (!topic->is_string()) return bad("topic is not a string");
    event.topic = topic->get_ref<const std::string&>();
  }
  if (const auto durable = object.find("durable"); durable != object.end()) {
    if (!durable->is_boolean()) return bad("durable is neither true nor false");
    event.durable = durable->get<bool>();
  }
  return event;
}

}  // namespace leat::tool
