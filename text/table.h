// Aligned columns.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace leat::tool {

/// Rows of cells; the first row holds the headings. A column is as wide as its widest cell, in bytes.
class Table {
 public:
  enum class Align { left, right };
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}

  /// As many cells as columns.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  void append_to(std::vector<std::string>& lines) const {
    std::vector<std::size_t> widths(columns_.size(), 0);
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows_) lines.push_back(aligned(row, widths));
  }

 private:
  [[nodiscard]] std::string aligned(const std::vector<std::string>& row, const std::vector<std::size_t>& widths) const {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      if (i != 0) line += "  ";
      line += columns_[i] == Align::right ? padding + row[i] : row[i] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  }

  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace leat::tool
