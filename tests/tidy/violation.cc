#include "tests/tidy/violation.h"

#include "tests/tidy/text_lines.h"

namespace leat::tidy {
namespace {

constexpr std::string_view kBar = " | ";

}  // namespace

std::string to_string(const std::vector<Violation>& violations) {
  std::string all;
  for (const Violation& one : violations) {
    all += one.path + ":" + std::to_string(one.line) + ": " + one.what + "\n";
  }
  return all;
}

Allowed::Allowed(std::string path, std::string_view text) : path_(std::move(path)) {
  for (const Line& line : entries_of(text)) {
    const std::size_t first = line.text.find(kBar);
    const std::size_t second = first == line.text.npos ? first : line.text.find(kBar, first + kBar.size());
    const std::size_t last = line.text.rfind(kBar);
    if (second == line.text.npos || last <= second) {
      unreadable_.push_back({path_, line.number, "", "not `rule | file | name | reason`: write all four"});
      continue;
    }
    const std::size_t file = first + kBar.size();
    const std::size_t name = second + kBar.size();
    entries_.push_back({line.number, std::string(trimmed(line.text.substr(0, first))),
                        std::string(trimmed(line.text.substr(file, second - file))),
                        std::string(trimmed(line.text.substr(name, last - name))),
                        std::string(trimmed(line.text.substr(last + kBar.size())))});
  }
}

std::vector<Violation> Allowed::rest(std::string_view rule, const std::vector<Violation>& violations) const {
  std::vector<Violation> rest = unreadable_;
  std::vector<bool> used(entries_.size());
  for (const Violation& violation : violations) {
    bool allowed = false;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const Entry& entry = entries_[i];
      if (entry.rule != rule || (entry.name != "*" && entry.name != violation.name)) continue;
      if (entry.file != "*" && entry.file != violation.path) continue;
      used[i] = true;
      allowed = true;
    }
    if (!allowed) rest.push_back(violation);
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].rule != rule || used[i]) continue;
    rest.push_back({path_, entries_[i].line, entries_[i].name,
                    "allows '" + entries_[i].name + "', which the rule does not find any more: remove the line"});
  }
  return rest;
}

}  // namespace leat::tidy
