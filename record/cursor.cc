#include <leat/cursor.h>

#include <charconv>
#include <cinttypes>
#include <cstdio>

namespace leat {

std::string Cursor::to_string() const {
  char text[48];
  std::snprintf(text, sizeof text, "%016" PRIx64 "-%" PRIu64, epoch, sequence);
  return text;
}

Result<Cursor> Cursor::parse(std::string_view text) {
  constexpr std::size_t kEpochDigits = 16;
  Cursor cursor;
  const char* const end = text.data() + text.size();
  if (text.size() > kEpochDigits + 1 && text[kEpochDigits] == '-') {
    const char* const dash = text.data() + kEpochDigits;
    const auto epoch = std::from_chars(text.data(), dash, cursor.epoch, 16);
    const auto sequence = std::from_chars(dash + 1, end, cursor.sequence, 10);
    if (epoch.ec == std::errc{} && epoch.ptr == dash && sequence.ec == std::errc{} && sequence.ptr == end) {
      return cursor;
    }
  }
  return Error{ErrorCode::invalid_argument, "bad cursor '" + std::string(text.substr(0, 64)) +
                                                "': expected <epoch>-<sequence>, 16 hex digits, a dash, a number"};
}

}  // namespace leat
