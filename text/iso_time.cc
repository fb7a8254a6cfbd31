// The times of text_encoding.h.
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "base/quantity.h"
#include "text/text_encoding.h"

namespace leat::tool {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
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
  bool at_digit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }
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

/// Reads a time piece by piece. The first piece that is wrong is named.
class TimeText {
 public:
  /// Of a time that says no offset from UTC.
  enum class Offset : std::uint8_t { utc, local };
  explicit TimeText(std::string_view text, Offset offset = Offset::utc) : scanner_(text), offset_(offset) {}

  Result<std::int64_t> read() {
    date();
    if (!scanner_.at_end() && ok()) {
      if (!scanner_.take('T') && !scanner_.take('t') && !scanner_.take(' '))
        fail("behind the date stands neither T nor a space");
      clock();
      zone();
    }
    return finish();
  }

  /// A time of day, of the day that is now `now_ns` at the offset that is said.
  Result<std::int64_t> read_of_today(std::int64_t now_ns) {
    clock();
    zone();
    const std::int64_t now = now_ns / kNanosPerSecond;
    days_ = (now + (offset_is_said_ ? east_seconds_ : local_offset_at(now))) / kSecondsPerDay;
    return finish();
  }

 private:
  Result<std::int64_t> finish() {
    if (ok() && !scanner_.at_end()) fail("something stands behind the time");
    std::int64_t seconds = days_ * kSecondsPerDay + seconds_ - east_seconds_;
    if (offset_ == Offset::local && !offset_is_said_) seconds -= local_offset(seconds);
    if (ok() && (seconds < 0 || seconds > INT64_MAX / kNanosPerSecond - 1)) fail("it lies outside of 1970 to 2261");
    if (!ok()) return Error{ErrorCode::invalid_argument, problem_};
    return seconds * kNanosPerSecond + nanos_;
  }

  /// How far local time is ahead of UTC at that moment, in seconds.
  static std::int64_t local_offset_at(std::int64_t seconds) {
    const std::time_t time = seconds;
    std::tm local{};
    return ::localtime_r(&time, &local) != nullptr ? local.tm_gmtoff : 0;
  }
  /// The same, where clocks show `shown`, seconds since 1970 as if it were UTC. Asked twice, as the first moment that
  /// is looked at may lie on the other side of a change.
  static std::int64_t local_offset(std::int64_t shown) { return local_offset_at(shown - local_offset_at(shown)); }

  [[nodiscard]] bool ok() const { return problem_.empty(); }
  void fail(const char* what) {
    if (ok()) problem_ = what;
  }
  void number(std::size_t width, int low, int high, int& value, const char* what) {
    if (ok() && !scanner_.take_number(width, low, high, value)) fail(what);
  }
  void mark(char wanted, const char* what) {
    if (ok() && !scanner_.take(wanted)) fail(what);
  }

  void date() {
    constexpr const char* kShape = "a date is written 2026-08-01";
    int year = 0;
    int month = 0;
    int day = 0;
    number(4, 0, 9999, year, kShape);
    mark('-', kShape);
    number(2, 1, 12, month, "the month is not 01 to 12");
    mark('-', kShape);
    number(2, 1, 31, day, "the day is not 01 to 31");
    if (ok() && (year < kFirstYear || year > kLastYear)) fail("it lies outside of 1970 to 2261");
    if (!ok()) return;
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok()) return fail("that month has no such day");
    days_ = std::chrono::sys_days(date).time_since_epoch().count();
  }

  void clock() {
    int hour = 0;
    int minute = 0;
    int second = 0;
    number(2, 0, 23, hour, "the hour is not 00 to 23");
    mark(':', "a time of day is written 12:34:56");
    number(2, 0, 59, minute, "the minute is not 00 to 59");
    if (ok() && scanner_.take(':')) {
      number(2, 0, 60, second, "the second is not 00 to 59");
      if (ok() && second == 60)
        fail("leap seconds have no number of their own here: write second 59 or the next minute");
      if (ok() && (scanner_.take('.') || scanner_.take(',')) && !scanner_.take_fraction(nanos_))
        fail("no digit behind the point");
      if (ok() && scanner_.at_digit()) fail("more digits than nanoseconds have");
    }
    seconds_ = hour * 3600 + minute * 60 + second;
  }

  void zone() {
    constexpr const char* kShape = "the offset from UTC is not Z, +hh:mm, +hhmm or +hh";
    if (!ok() || scanner_.at_end()) return;
    offset_is_said_ = true;
    if (scanner_.take('Z') || scanner_.take('z')) return;
    (void)scanner_.take(' ');
    const bool west = scanner_.take('-');
    int hours = 0;
    int minutes = 0;
    if (!west && !scanner_.take('+')) return fail(kShape);
    number(2, 0, 23, hours, kShape);
    if (ok() && !scanner_.at_end()) {
      (void)scanner_.take(':');
      number(2, 0, 59, minutes, kShape);
    }
    east_seconds_ = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
  }

  Scanner scanner_;
  Offset offset_;
  bool offset_is_said_ = false;
  std::string problem_;
  std::int64_t days_ = 0;
  std::int64_t seconds_ = 0;
  std::int64_t nanos_ = 0;
  std::int64_t east_seconds_ = 0;
};

/// "1785587696", "1785587696.5": seconds since 1970.
Result<std::int64_t> read_seconds(std::string_view text) {
  const auto rule = internal::QuantityRule::seconds(0, INT64_MAX);
  if (text.find_first_not_of("0123456789.") == std::string_view::npos) {
    if (auto ns = internal::parse_quantity("time", text, rule)) return static_cast<std::int64_t>(*ns);
  }
  return Error{ErrorCode::invalid_argument, "seconds since 1970 are written @1785587696.5, up to 9223372036"};
}

/// "-5m": so long before now.
Result<std::int64_t> read_ago(std::string_view text, std::int64_t now_ns) {
  const auto rule = internal::QuantityRule::seconds(0, INT64_MAX);
  const auto ago = internal::parse_quantity("time", text, rule);
  if (!ago) {
    return Error{ErrorCode::invalid_argument, "how long ago is written -90s, -5m, -1.5h or -7d"};
  }
  const auto before = static_cast<std::int64_t>(*ago);
  if (before > now_ns) return Error{ErrorCode::invalid_argument, "it lies outside of 1970 to 2261"};
  return now_ns - before;
}

/// "10:30" and what may follow, as against "2026-08-01".
bool is_time_of_day(std::string_view text) { return text.size() > 2 && text[2] == ':'; }

}  // namespace

void append_iso_time(std::string& out, std::int64_t timestamp_ns, int digits) {
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
  if (digits > 0) {
    out += '.';
    const std::size_t behind = out.size();
    append_padded(out, static_cast<unsigned>(nanos), 9);
    out.resize(behind + static_cast<std::size_t>(digits));
  }
  out += 'Z';
}

Result<std::int64_t> parse_time(std::string_view text) {
  constexpr std::uint64_t kFirstNanos = 100'000'000'000'000'000;  // 1973
  if (text.starts_with('@')) return read_seconds(text.substr(1));
  const bool has_point = text.find('.') != std::string_view::npos;
  if (!text.empty() && text.find_first_not_of(has_point ? "0123456789." : "0123456789") == std::string_view::npos) {
    if (has_point) return read_seconds(text);
    const auto nanos = parse_decimal(text);
    if (nanos && *nanos >= kFirstNanos && *nanos <= INT64_MAX) return static_cast<std::int64_t>(*nanos);
    return Error{ErrorCode::invalid_argument, "a number without a mark is nanoseconds since 1970, of 18 or 19 digits",
                 "write seconds as @" + std::string(text.substr(0, 20))};
  }
  return TimeText(text).read();
}

Result<std::int64_t> parse_typed_time(std::string_view text, std::int64_t now_ns) {
  if (text == "now") return now_ns;
  if (text.starts_with('-')) return read_ago(text.substr(1), now_ns);
  if (is_time_of_day(text)) return TimeText(text, TimeText::Offset::local).read_of_today(now_ns);
  const bool is_date = text.find('-') != std::string_view::npos;
  return is_date ? TimeText(text, TimeText::Offset::local).read() : parse_time(text);
}

}  // namespace leat::tool
