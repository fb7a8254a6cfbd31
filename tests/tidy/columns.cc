#include "tests/tidy/columns.h"

#include <algorithm>

#include "tests/tidy/text_lines.h"
#include "tests/tidy/tree.h"

namespace leat::tidy {
namespace {

std::size_t columns_of(std::string_view line) {
  return static_cast<std::size_t>(
      std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::vector<Violation> long_lines(std::string_view path, std::string_view text) {
  std::vector<Violation> found;
  if (!is_cpp(path) && !is_cmake(path)) return found;
  for (const Line& line : lines_of(text)) {
    const std::size_t columns = columns_of(line.text);
    if (columns <= kColumns) continue;
    found.push_back({std::string(path), line.number, std::string(trimmed(line.text)),
                     std::to_string(columns) + " columns: break the line, at most " + std::to_string(kColumns)});
  }
  return found;
}

}  // namespace leat::tidy
