#include "tests/tidy/layers.h"

#include <algorithm>

#include "tests/tidy/cpp_text.h"
#include "tests/tidy/text_lines.h"
#include "tests/tidy/tree.h"

namespace leat::tidy {
namespace {

constexpr std::string_view kArrow = "->";

bool lies_in(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/';
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> names;
  for (std::size_t from = 0; from < list.size();) {
    const std::size_t end = std::min(list.find(',', from), list.size());
    if (const std::string_view name = trimmed(list.substr(from, end - from)); !name.empty()) names.emplace_back(name);
    from = end + 1;
  }
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all.empty() ? "nothing" : all;
}

}  // namespace

Layers::Layers(std::string path, std::string_view text) : path_(std::move(path)) {
  for (const Line& line : entries_of(text)) {
    const std::size_t arrow = line.text.find(kArrow);
    if (arrow == line.text.npos) {
      unreadable_.push_back({path_, line.number, "", "not `folder -> folders`"});
      continue;
    }
    const std::string folder(trimmed(line.text.substr(0, arrow)));
    rows_.push_back({line.number, folder, split(line.text.substr(arrow + kArrow.size()))});
  }
}

const Layers::Row* Layers::row_of(std::string_view file) const {
  const Row* longest = nullptr;
  for (const Row& row : rows_) {
    if (!lies_in(file, row.folder)) continue;
    if (longest == nullptr || row.folder.size() > longest->folder.size()) longest = &row;
  }
  return longest;
}

bool Layers::covers(std::string_view allowed, std::string_view file) {
  if (allowed.ends_with("/.")) return folder_of(file) == allowed.substr(0, allowed.size() - 2);
  return lies_in(file, allowed);
}

std::vector<Violation> Layers::check(std::string_view path, std::string_view text,
                                     const std::set<std::string, std::less<>>& files) const {
  std::vector<Violation> found;
  if (!is_cpp(path) || !is_product(path)) return found;
  const Row* row = row_of(path);
  if (row == nullptr) {
    return {{std::string(path), 1, std::string(folder_of(path)),
             "folder '" + std::string(folder_of(path)) + "' has no row in " + path_ + ": write one"}};
  }
  for (const Include& include : own_includes(path, text, files)) {
    if (row_of(include.header) == row) continue;
    const bool allowed = std::any_of(row->allowed.begin(), row->allowed.end(),
                                     [&](const std::string& one) { return covers(one, include.header); });
    if (allowed) continue;
    const std::string rule = path_ + ":" + std::to_string(row->line) + " allows " + joined(row->allowed);
    const std::string what = row->folder + " may not include " + include.header;
    found.push_back(
        {std::string(path), include.line, include.header, what + ": turn the dependency round (" + rule + ")"});
  }
  return found;
}

/// A row leads to those rows whose files it may include.
std::vector<std::size_t> Layers::next_rows(std::size_t row) const {
  std::vector<std::size_t> next;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const std::string file_in_it = rows_[i].folder + "/x.h";
    for (const std::string& allowed : rows_[row].allowed) {
      if (i == row || !covers(allowed, file_in_it)) continue;
      next.push_back(i);
      break;
    }
  }
  return next;
}

bool Layers::find_cycle(std::size_t row, std::vector<std::size_t>& way, std::vector<char>& done) const {
  if (std::find(way.begin(), way.end(), row) != way.end()) {
    way.push_back(row);
    return true;
  }
  if (done[row]) return false;
  way.push_back(row);
  for (const std::size_t next : next_rows(row)) {
    if (find_cycle(next, way, done)) return true;
  }
  way.pop_back();
  done[row] = 1;
  return false;
}

std::vector<Violation> Layers::faults(const std::set<std::string, std::less<>>& folders) const {
  std::vector<Violation> found = unreadable_;
  for (const Row& row : rows_) {
    std::vector<std::string> named = row.allowed;
    named.push_back(row.folder);
    for (std::string name : named) {
      if (name.ends_with("/.")) name.resize(name.size() - 2);
      if (!folders.contains(name))
        found.push_back({path_, row.line, name, "no folder '" + name + "': correct the row"});
    }
  }
  std::vector<char> done(rows_.size());
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    std::vector<std::size_t> way;
    if (!find_cycle(i, way, done)) continue;
    std::string cycle = rows_[way.back()].folder;
    for (std::size_t at = way.size() - 1; at-- > 0;) {
      cycle = rows_[way[at]].folder + " -> " + cycle;
      if (way[at] == way.back()) break;
    }
    found.push_back({path_, rows_[way.back()].line, cycle, "cycle: " + cycle + "; take one of its arrows out"});
    break;  // the others may be the same one, entered elsewhere
  }
  return found;
}

}  // namespace leat::tidy
