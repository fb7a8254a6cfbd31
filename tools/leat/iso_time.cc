// The times of text_encoding.h.
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "text_encoding.h"

namespace leat::tool {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kNanosPerMicro = 1000;
constexpr std::int64_t kSecondsPerDay = 86'400;
// Years whose nanoseconds fit into 64 bits.
constexpr int kFirstYear = 1970;
constexpr int kLastYear = 2261;

void append_padded(std::string& out, unsigned value, std::size_t width) {
  std::array<char, 12> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  const auto length = static_cast<std::size_t>(end - digits.data());
  if (length < width) out.append(width - length, '0');
  out.append(digits.data(), length);
}

/// Reads a text from the left.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}
  bool at_end() const { return rest_.empty(); }
  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Exactly `width` digits, between `low` and `high`.
  bool take_number(std::size_t width, int low, int high, int& value) {
    if (rest_.size() < width) return false;
    value = 0;
    for (const char digit : rest_.substr(0, width)) {
      if (digit < '0' || digit > '9') return false;
      value = value * 10 + (digit - '0');
    }
    rest_.remove_prefix(width);
    return value >= low && value <= high;
  }
  /// 1 to 9 digits, as nanoseconds.
  bool take_fraction(std::int64_t& nanos) {
    nanos = 0;
    int digits = 0;
    for (; digits < 9 && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; ++digits) {
      nanos = nanos * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    for (int i = digits; i < 9; ++i) nanos *= 10;
    return digits > 0;
  }

 private:
  std::string_view rest_;
};

bool take_date(Scanner& scanner, std::int64_t& days) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (!scanner.take_number(4, kFirstYear, kLastYear, year) || !scanner.take('-') ||
      !scanner.take_number(2, 1, 12, month) || !scanner.take('-') || !scanner.take_number(2, 1, 31, day)) {
    return false;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return false;
  days = std::chrono::sys_days(date).time_since_epoch().count();
  return true;
}

bool take_clock(Scanner& scanner, std::int64_t& seconds, std::int64_t& nanos) {
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (!scanner.take_number(2, 0, 23, hour) || !scanner.take(':') || !scanner.take_number(2, 0, 59, minute)) return false;
  if (scanner.take(':')) {
    if (!scanner.take_number(2, 0, 59, second)) return false;
    if (scanner.take('.') && !scanner.take_fraction(nanos)) return false;
  }
  seconds = hour * 3600 + minute * 60 + second;
  return true;
}

bool take_zone(Scanner& scanner, std::int64_t& east_seconds) {
  if (scanner.at_end() || scanner.take('Z')) return true;
  const bool west = scanner.take('-');
  int hours = 0;
  int minutes = 0;
  if (!west && !scanner.take('+')) return false;
  if (!scanner.take_number(2, 0, 23, hours)) return false;
  (void)scanner.take(':');
  if (!scanner.take_number(2, 0, 59, minutes)) return false;
  east_seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
  return true;
}

}  // namespace

void append_iso_time(std::string& out, std::int64_t timestamp_ns) {
  using namespace std::chrono;
  std::int64_t seconds = timestamp_ns / kNanosPerSecond;
  std::int64_t nanos = timestamp_ns % kNanosPerSecond;
  if (nanos < 0) {
    nanos += kNanosPerSecond;
    --seconds;
  }
  const auto day = floor<days>(sys_seconds(std::chrono::seconds(seconds)));
  const year_month_day date(day);
  const auto in_day = static_cast<unsigned>(seconds - day.time_since_epoch().count() * kSecondsPerDay);
  append_padded(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_padded(out, in_day / 3600, 2);
  out += ':';
  append_padded(out, in_day / 60 % 60, 2);
  out += ':';
  append_padded(out, in_day % 60, 2);
  out += '.';
  append_padded(out, static_cast<unsigned>(nanos / kNanosPerMicro), 6);
  out += 'Z';
}

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
  Scanner scanner(text);
  std::int64_t days = 0;
  std::int64_t seconds = 0;
  std::int64_t nanos = 0;
  std::int64_t east_seconds = 0;
  if (!take_date(scanner, days)) return std::nullopt;
  if (!scanner.at_end()) {
    if (!scanner.take('T') && !scanner.take(' ')) return std::nullopt;
    if (!take_clock(scanner, seconds, nanos) || !take_zone(scanner, east_seconds)) return std::nullopt;
  }
  if (!scanner.at_end()) return std::nullopt;
  return (days * kSecondsPerDay + seconds - east_seconds) * kNanosPerSecond + nanos;
}

}  // namespace leat::tool
