// What a history compares instead of whole events.
#pragma once

#include <cstdint>
#include <string_view>

namespace leat::history {

/// FNV-1a, 64 bits, over each field's length and bytes: enough against accidents, and easy to write in any language.
class ContentHash {
 public:
  ContentHash& add(std::string_view field) {
    std::uint64_t length = field.size();
    for (int i = 0; i < 8; ++i, length >>= 8U) take(static_cast<unsigned char>(length));
    for (const char c : field) take(static_cast<unsigned char>(c));
    return *this;
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  void take(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001b3ULL; }
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

/// Of anything with the fields of an event. Headers and a tombstone count where there are any, so an event without them
/// has the hash that it always had.
template <typename AnyEvent>
std::uint64_t content_hash(const AnyEvent& event) {
  ContentHash hash;
  hash.add(event.topic).add(event.key).add(event.message_id).add(event.payload);
  for (const auto& header : event.headers) hash.add(header.name).add(header.value);
  if (event.tombstone) hash.add("tombstone");
  return hash.value();
}

}  // namespace leat::history
