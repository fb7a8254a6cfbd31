// Lines and words of a text, as all rules count them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace leat::tidy {

struct Line {
  std::size_t number = 0;  ///< from 1
  std::string_view text;   ///< without its end
};

/// Views into `text`, which must stay.
inline std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    lines.push_back({lines.size() + 1, text.substr(from, end - from)});
    from = end + 1;
  }
  return lines;
}

inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

inline bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == text.npos; }

/// The lines of a list of this folder: neither blank nor a `#` comment; trimmed.
inline std::vector<Line> entries_of(std::string_view text) {
  std::vector<Line> entries;
  for (const Line& line : lines_of(text)) {
    const std::string_view entry = trimmed(line.text);
    if (!entry.empty() && entry.front() != '#') entries.push_back({line.number, entry});
  }
  return entries;
}

/// ASCII only: the tree's names are. `isalnum` would ask the locale.
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_word(char c) { return is_lower(c) || is_upper(c) || is_digit(c) || c == '_'; }

inline std::size_t line_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
}

}  // namespace leat::tidy
