// The broker's log: one for the process. A line is text with {} where values go. How lines are timed, coloured and
// written is log.cc's alone: nobody else compiles what that needs.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <leat/result.h>

namespace leat::broker {

class LogWriter;

/// The log of this process while it lives: logging never waits for the file. A line of level critical gives what is
/// before it, and itself, kCriticalWaitNs to be written; the end of this object gives the rest LogWriter::kLastWaitNs.
class Log {
 public:
  static constexpr std::int64_t kCriticalWaitNs = 500'000'000;

  /// Lines go to standard error (coloured on a terminal), or to a file. Errors: io_error, ...
  static Result<std::unique_ptr<Log>> open(const std::string& level, const std::string& file);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// Any thread.
  static void set_level(const std::string& level);
  /// Any thread: the file by that name from now on, as after logrotate has renamed the old one.
  void reopen();

 private:
  explicit Log(std::unique_ptr<LogWriter> writer);

  std::unique_ptr<LogWriter> writer_;
};

}  // namespace leat::broker

namespace leat::broker::log {

enum class Level : std::uint8_t { debug, info, warn, error, critical };

/// What stands for a {}: borrowed for the call.
class Value {
 public:
  template <std::convertible_to<std::string_view> Text>
  Value(const Text& text) : kind_(Kind::text), text_(std::string_view(text)) {}
  template <std::same_as<bool> Truth>  // and nothing that would become one: no pointer, no double
  Value(Truth truth) : kind_(Kind::text), text_(truth ? "true" : "false") {}
  template <std::signed_integral Number>
  requires(!std::same_as<Number, char>) Value(Number number)
      : kind_(number < 0 ? Kind::negative : Kind::natural),
        number_(number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number)) {}
  template <std::unsigned_integral Number>
  requires(!std::same_as<Number, bool> && !std::same_as<Number, char>) Value(Number number)
      : kind_(Kind::natural), number_(number) {}

  void append_to(std::string& line, int base, std::size_t least_digits) const;

 private:
  enum class Kind : std::uint8_t { text, natural, negative };

  Kind kind_;
  std::string_view text_;
  std::uint64_t number_ = 0;
};

/// A place for a value: {}, {:o}, {:x}, with leading zeros as in {:016x}. A brace of any other kind is none.
struct Field {
  std::size_t begin = std::string_view::npos;
  std::size_t end = std::string_view::npos;
  int base = 10;
  std::size_t least_digits = 0;
};

/// The first field at `from` or behind it; its begin is npos if there is none.
constexpr Field next_field(std::string_view format, std::size_t from) {
  for (std::size_t at = format.find('{', from); at < format.size(); at = format.find('{', at + 1)) {
    Field field{.begin = at};
    std::size_t next = at + 1;
    const auto is = [&](char letter) { return next < format.size() && format[next] == letter; };
    if (is(':')) {
      for (++next; next < format.size() && format[next] >= '0' && format[next] <= '9'; ++next) {
        field.least_digits = field.least_digits * 10 + static_cast<std::size_t>(format[next] - '0');
      }
      if (is('x') || is('o')) field.base = format[next++] == 'x' ? 16 : 8;
    }
    if (!is('}')) continue;
    field.end = next + 1;
    return field;
  }
  return {};
}

void as_many_values_as_fields_are_needed();  // not constexpr: a format that calls it does not compile

/// A format for so many values, proven when it is compiled.
template <std::size_t Values>
class Format {
 public:
  consteval Format(const char* text) : text_(text) {
    std::size_t fields = 0;
    for (Field field = next_field(text_, 0); field.end <= text_.size(); field = next_field(text_, field.end)) ++fields;
    if (fields != Values) as_many_values_as_fields_are_needed();
  }
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

/// `format` with the values in its fields, in their order. Fields without a value stay as they are written.
std::string formatted(std::string_view format, std::span<const Value> values);

/// Any thread. Never throws: if memory for the line fails, the format is the line.
void write(Level level, std::string_view format, std::span<const Value> values) noexcept;

template <typename... Values>
void write_packed(Level level, std::string_view format, const Values&... values) {
  const std::array<Value, sizeof...(Values)> packed{Value(values)...};
  write(level, format, packed);
}

template <typename... Values>
void debug(Format<sizeof...(Values)> format, const Values&... values) {
  write_packed(Level::debug, format.text(), values...);
}
template <typename... Values>
void info(Format<sizeof...(Values)> format, const Values&... values) {
  write_packed(Level::info, format.text(), values...);
}
template <typename... Values>
void warn(Format<sizeof...(Values)> format, const Values&... values) {
  write_packed(Level::warn, format.text(), values...);
}
template <typename... Values>
void error(Format<sizeof...(Values)> format, const Values&... values) {
  write_packed(Level::error, format.text(), values...);
}
template <typename... Values>
void critical(Format<sizeof...(Values)> format, const Values&... values) {
  write_packed(Level::critical, format.text(), values...);
}

}  // namespace leat::broker::log
