// What a rule of this folder finds, and the list of what is allowed all the same.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace leat::tidy {

struct Violation {
  std::string path;
  std::size_t line = 0;
  std::string name;  ///< what allowed.txt calls it: the word, header or line that the rule does not like
  std::string what;  ///< what it is, and what to do
};

/// "file:line: what, and what to do", one a line.
std::string to_string(const std::vector<Violation>& violations);

/// allowed.txt: `rule | file | name | reason` a line; `*` is any file, or any name. A name may hold " | " itself, a
/// reason may not.
class Allowed {
 public:
  Allowed(std::string path, std::string_view text);

  /// The violations that no line allows; and the lines of this rule that allow nothing any more, so that the list
  /// shrinks.
  [[nodiscard]] std::vector<Violation> rest(std::string_view rule, const std::vector<Violation>& violations) const;

 private:
  struct Entry {
    std::size_t line = 0;
    std::string rule, file, name, reason;
  };
  std::string path_;
  std::vector<Entry> entries_;
  std::vector<Violation> unreadable_;
};

}  // namespace leat::tidy
