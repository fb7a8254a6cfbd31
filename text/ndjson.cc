#include "text/ndjson.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "text/json_text.h"
#include "base/nearest.h"
#include "text/text_encoding.h"

namespace leat::tool {
namespace {

/// What tail prints and a broker gives anew.
constexpr std::array<std::string_view, 7> kIgnored = {"sequence",         "cursor", "epoch",
                                                      "timestamp_ns",     "time",   "producer_id",
                                                      "producer_sequence"};
constexpr std::array<std::string_view, 10> kTaken =
    {"topic",   "key",     "key_base64",     "message_id", "message_id_base64",
     "payload", "headers", "payload_base64", "tombstone",  "durable"};

/// Of what a message quotes from the input.
constexpr std::size_t kMaxQuotedBytes = 200;

std::string shortened(std::string_view text) {
  return text.size() <= kMaxQuotedBytes ? std::string(text) : std::string(text.substr(0, kMaxQuotedBytes)) + "...";
}

Error bad(std::string what, std::string_view advice = {}) {
  return {ErrorCode::invalid_argument, std::move(what), advice};
}

using Members = std::vector<JsonMember>;

const JsonMember* find(const Members& members, std::string_view name) {
  const auto found = std::ranges::find(members, name, &JsonMember::name);
  return found == members.end() ? nullptr : &*found;
}

/// Takes `name` or `name_base64` from the object.
Result<void> take_field(const Members& members, const std::string& name, std::string& value) {
  const JsonMember* const text = find(members, name);
  const JsonMember* const base64 = find(members, name + "_base64");
  if (text != nullptr && base64 != nullptr) return bad("both " + name + " and " + name + "_base64", "give one");
  if (base64 != nullptr) {
    auto bytes = base64->kind == JsonKind::string ? decode_base64(base64->bytes) : std::nullopt;
    if (!bytes) return bad(name + "_base64 is not base64 (A-Z a-z 0-9 + / with = at the end)");
    value = std::move(*bytes);
  } else if (text != nullptr) {
    if (text->kind != JsonKind::string && name != "payload") return bad(name + " is not a string");
    value = text->kind == JsonKind::string ? text->bytes : text->text;
  }
  return {};
}

Result<void> take_truth(const Members& members, const std::string& name, bool& value) {
  const JsonMember* const found = find(members, name);
  if (found == nullptr) return {};
  if (found->kind != JsonKind::truth) return bad(name + " is neither true nor false");
  value = found->text == "true";
  return {};
}

/// {"base64": "..."}, or nothing.
std::optional<std::string> bytes_of(const JsonMember& value) {
  if (value.kind != JsonKind::object) return std::nullopt;
  const auto members = read_json_object(value.text);
  const bool fits =
      members && members->size() == 1 && members->front().name == "base64" && members->front().kind == JsonKind::string;
  return fits ? decode_base64(members->front().bytes) : std::nullopt;
}

Result<void> take_headers(const Members& members, NdjsonEvent& event) {
  const JsonMember* const headers = find(members, "headers");
  if (headers == nullptr) return {};
  if (headers->kind != JsonKind::object) return bad("headers is not an object");
  auto pairs = read_json_object(headers->text);
  if (!pairs) return pairs.error().in("headers");
  for (const JsonMember& pair : *pairs) {
    std::optional<std::string> value = pair.kind == JsonKind::string ? pair.bytes : bytes_of(pair);
    if (!value) {
      return bad("header '" + shortened(pair.name) + "' is neither a string nor an object with base64",
                 "write \"" + shortened(pair.name) + "\":\"...\", or {\"base64\":\"...\"}");
    }
    event.headers.emplace_back(pair.name, std::move(*value));
  }
  return {};
}

Result<void> check_names(const Members& members) {
  std::vector<std::string> known;
  for (const std::string_view name : kTaken) known.emplace_back(name);
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::string& name = members[i].name;
    if (std::ranges::find(kIgnored, name) == kIgnored.end() && std::ranges::find(kTaken, name) == kTaken.end()) {
      const std::string meant = internal::nearest(shortened(name), known);
      return bad("unknown field '" + shortened(name) + "'" + (meant.empty() ? "" : " (did you mean " + meant + "?)"),
                 "known: topic, key, message_id, payload, payload_base64, headers, tombstone, durable");
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (members[j].name == name) return bad("field '" + shortened(name) + "' appears twice");
    }
  }
  return {};
}

}  // namespace

Result<NdjsonEvent> parse_ndjson(std::string_view line) {
  auto members = read_json_object(line);
  if (!members) {
    if (members.error().message == "not an object")
      return bad("not an object", "write {\"topic\":...,\"payload\":...}");
    return members.error().in("not JSON");
  }
  NdjsonEvent event;
  event.is_reset =
      members->size() == 1 && members->front().name == "reset" && members->front().kind == JsonKind::object;
  if (event.is_reset) return event;
  if (auto known = check_names(*members); !known) return known.error();
  for (const auto& [name, value] : {std::pair{"key", &event.key}, std::pair{"message_id", &event.message_id},
                                    std::pair{"payload", &event.payload}}) {
    if (auto taken = take_field(*members, name, *value); !taken) return taken.error();
  }
  if (const JsonMember* const topic = find(*members, "topic"); topic != nullptr) {
    if (topic->kind != JsonKind::string) return bad("topic is not a string");
    event.topic = topic->bytes;
  }
  if (auto taken = take_headers(*members, event); !taken) return taken.error();
  if (auto taken = take_truth(*members, "durable", event.durable); !taken) return taken.error();
  if (auto taken = take_truth(*members, "tombstone", event.tombstone); !taken) return taken.error();
  return event;
}

}  // namespace leat::tool
