// A consumer's durable place in a feed: in which epoch, and behind which event.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <leat/result.h>

namespace leat {

/// `<epoch>-<sequence>`: 16 lower-case hex digits, a dash, a decimal. Sequence 0 means "before the first event".
struct Cursor {
  std::uint64_t epoch = 0;
  std::uint64_t sequence = 0;

  [[nodiscard]] std::string to_string() const;
  static Result<Cursor> parse(std::string_view text);
  friend bool operator==(const Cursor&, const Cursor&) = default;
};

}  // namespace leat
