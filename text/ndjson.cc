#include "text/ndjson.h"

#include <algorithm>
#include <array>
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
constexpr std::array<std::string_view, 8> kTaken =
    {"topic", "key", "key_base64", "message_id", "message_id_base64", "payload", "payload_base64", "durable"};

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

Result<void> check_names(const Members& members) {
  std::vector<std::string> known;
  for (const std::string_view name : kTaken) known.emplace_back(name);
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::string& name = members[i].name;
    if (std::ranges::find(kIgnored, name) == kIgnored.end() && std::ranges::find(kTaken, name) == kTaken.end()) {
      const std::string meant = internal::nearest(shortened(name), known);
      return bad("unknown field '" + shortened(name) + "'" + (meant.empty() ? "" : " (did you mean " + meant + "?)"),
                 "known: topic, key, message_id, payload, payload_base64, durable");
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
  if (const JsonMember* const durable = find(*members, "durable"); durable != nullptr) {
    if (durable->kind != JsonKind::truth) return bad("durable is neither true nor false");
    event.durable = durable->text == "true";
  }
  return event;
}

}  // namespace leat::tool
