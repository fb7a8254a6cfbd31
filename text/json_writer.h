// JSON as programs print it: objects and arrays put together from values. Strings may hold any bytes: what is not
// UTF-8 becomes U+FFFD; whoever needs the bytes themselves gives them as <name>_base64 besides.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat::tool {

/// Text that is JSON already.
struct JsonText {
  std::string text;
};

enum class JsonStrings : std::uint8_t { utf8, ascii };      ///< ascii: the rest as \uNNNN
enum class JsonOrder : std::uint8_t { as_added, by_name };  ///< of an object's members

JsonText json_string(std::string_view text, JsonStrings strings = JsonStrings::utf8);
/// The fewest digits that read back as the same value, always with a point or an exponent; null if it is not finite.
JsonText json_number(double value);
JsonText json_number(std::uint64_t value);
JsonText json_number(std::int64_t value);

template <typename Value>
JsonText json_value(const Value& value, JsonStrings strings = JsonStrings::utf8);

class JsonArray {
 public:
  explicit JsonArray(JsonStrings strings = JsonStrings::utf8) : strings_(strings) {}
  template <typename Value>
  void add(const Value& value) {
    if (!members_.empty()) members_ += ',';
    members_ += json_value(value, strings_).text;
  }
  [[nodiscard]] JsonText json() const { return {'[' + members_ + ']'}; }

 private:
  JsonStrings strings_;
  std::string members_;
};

class JsonObject {
 public:
  explicit JsonObject(JsonOrder order = JsonOrder::as_added, JsonStrings strings = JsonStrings::utf8)
      : order_(order), strings_(strings) {}
  /// A name that is not there yet.
  template <typename Value>
  JsonObject& add(std::string_view name, const Value& value) {
    members_.emplace_back(name, json_value(value, strings_).text);
    return *this;
  }
  [[nodiscard]] JsonText json() const;

 private:
  JsonOrder order_;
  JsonStrings strings_;
  std::vector<std::pair<std::string, std::string>> members_;  // name, value as JSON
};

template <typename Value>
JsonText json_value(const std::optional<Value>& value, JsonStrings strings) {
  return value ? json_value(*value, strings) : JsonText{"null"};
}

template <typename Value>
JsonText json_value(const std::vector<Value>& values, JsonStrings strings) {
  JsonArray array(strings);
  for (const Value& value : values) array.add(value);
  return array.json();
}

template <typename Value>
JsonText json_value(const Value& value, JsonStrings strings) {
  if constexpr (std::same_as<Value, JsonText>) {
    return value;
  } else if constexpr (std::same_as<Value, JsonObject> || std::same_as<Value, JsonArray>) {
    return value.json();
  } else if constexpr (std::same_as<Value, std::nullopt_t>) {
    return {"null"};
  } else if constexpr (std::same_as<Value, bool>) {
    return {value ? "true" : "false"};
  } else if constexpr (std::floating_point<Value>) {
    return json_number(static_cast<double>(value));
  } else if constexpr (std::signed_integral<Value>) {
    return json_number(static_cast<std::int64_t>(value));
  } else if constexpr (std::unsigned_integral<Value>) {
    return json_number(static_cast<std::uint64_t>(value));
  } else {
    return json_string(value, strings);
  }
}

}  // namespace leat::tool
