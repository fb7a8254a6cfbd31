// Rule `layers`: tests/tidy/layers.txt says which folder includes which. Every folder of the product has a row; the
// rows have no cycle; nothing of the product includes tests/ or bench/.
//
// How to read it: `broker/log.cc:9: broker may not include broker/log_writer.h: turn the dependency round (...)`:
// line 9 points against the direction. Move what is needed to the lower folder, or turn the dependency round; a new
// row or a wider one is a decision on the architecture. `cycle: a -> b -> a` is about the table itself. allowed.txt
// takes the header's path as name.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tidy/violation.h"

namespace leat::tidy {

class Layers {
 public:
  /// `path` is the table's own, for what is wrong with the table.
  Layers(std::string path, std::string_view text);

  /// Lines that are no row, folders without files, cycles of the rows.
  [[nodiscard]] std::vector<Violation> faults(const std::set<std::string, std::less<>>& folders) const;

  /// The includes of one file of the product that the table does not allow.
  [[nodiscard]] std::vector<Violation> check(std::string_view path, std::string_view text,
                                             const std::set<std::string, std::less<>>& files) const;

 private:
  struct Row {
    std::size_t line = 0;
    std::string folder;
    std::vector<std::string> allowed;
  };

  [[nodiscard]] const Row* row_of(std::string_view file) const;
  [[nodiscard]] static bool covers(std::string_view allowed, std::string_view file);
  [[nodiscard]] std::vector<std::size_t> next_rows(std::size_t row) const;
  [[nodiscard]] bool find_cycle(std::size_t row, std::vector<std::size_t>& way, std::vector<char>& done) const;

  std::string path_;
  std::vector<Row> rows_;
  std::vector<Violation> unreadable_;
};

}  // namespace leat::tidy
