#include "cmdline/help_format.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/quantity.h"

namespace leat::cmdline {
namespace {

constexpr std::size_t kDefaultWidth = 80;
constexpr std::size_t kLeastWidth = 40;
constexpr std::size_t kMostWidth = 120;  // longer lines are hard to read
constexpr std::size_t kOptionColumn = 24;

}  // namespace

std::size_t help_width() {
  winsize size{};
  std::size_t width = kDefaultWidth;
  if (::isatty(STDOUT_FILENO) == 1 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    width = size.ws_col;
  } else if (const char* const columns = std::getenv("COLUMNS"); columns != nullptr) {
    const auto number = internal::parse_quantity("COLUMNS", columns, internal::QuantityRule::count(1, UINT32_MAX));
    if (number) width = *number;
  }
  return std::clamp(width, kLeastWidth, kMostWidth);
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width, std::size_t column) {
  std::string out(column == 0 ? indent : 0, ' ');
  column = std::max(column, indent);
  std::size_t margin = indent;
  bool at_start = true;  // of a line: blanks are its own margin
  const auto begin_line = [&](std::size_t blanks) {
    out += '\n' + std::string(blanks, ' ');
    column = blanks;
    at_start = true;
  };
  while (!text.empty()) {
    if (text.front() == '\n') {
      text.remove_prefix(1);
      margin = indent;
      begin_line(indent);
      continue;
    }
    const std::size_t blanks = std::min(text.find_first_not_of(' '), text.size());
    text.remove_prefix(blanks);
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    text.remove_prefix(word.size());
    if (word.empty()) continue;
    if (at_start && blanks > 0) {
      margin = column + blanks;
      out.append(blanks, ' ');
      column = margin;
    } else if (!at_start && column + blanks + word.size() > width) {
      begin_line(margin);
    } else if (!at_start) {
      out.append(blanks, ' ');
      column += blanks;
    }
    out += word;
    column += word.size();
    at_start = false;
  }
  return out;
}

std::string help_row(const std::string& left, const std::string& right, std::size_t width) {
  std::string text = std::string(kHelpIndent, ' ') + left;
  if (text.size() + 2 > kOptionColumn) {
    text += '\n' + std::string(kOptionColumn, ' ');
  } else {
    text.resize(kOptionColumn, ' ');
  }
  return text + wrapped(right, kOptionColumn, width, kOptionColumn) + '\n';
}

}  // namespace leat::cmdline
