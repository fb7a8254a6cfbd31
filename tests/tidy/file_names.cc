#include "tests/tidy/file_names.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>

#include "tests/tidy/cpp_text.h"
#include "tests/tidy/text_lines.h"

namespace leat::tidy {
namespace {

constexpr std::string_view kInPaths = "./-+{}";
constexpr std::string_view kPlaceholders = "<>*$~@%";
constexpr std::array<std::string_view, 4> kBareEndings = {"h", "cc", "md", "sh"};

struct Token {
  std::size_t offset = 0;
  std::string_view text;
  bool spans_backticks = false;  ///< `token`, the whole of it
};

/// Whether a character can belong to a path, or to what says that a path is none of ours.
bool is_of_path(char c) {
  return is_word(c) || kInPaths.find(c) != kInPaths.npos || kPlaceholders.find(c) != kPlaceholders.npos;
}

std::vector<Token> tokens_of(std::string_view prose) {
  std::vector<Token> tokens;
  for (std::size_t i = 0; i < prose.size();) {
    std::size_t end = i;
    bool in_braces = false;
    while (end < prose.size() && (is_of_path(prose[end]) || (in_braces && prose[end] == ','))) {
      if (prose[end] == '{') in_braces = true;
      if (prose[end] == '}') in_braces = false;
      ++end;
    }
    if (end == i) {
      ++i;
      continue;
    }
    std::string_view text = prose.substr(i, end - i);
    const bool spans = i > 0 && prose[i - 1] == '`' && end < prose.size() && prose[end] == '`';
    while (!text.empty() && (text.back() == '.' || text.back() == ',' || text.back() == '-')) text.remove_suffix(1);
    if (!text.empty()) tokens.push_back({i, text, spans});
    i = end;
  }
  return tokens;
}

/// a.{h,cc} is a.h and a.cc. What has no such braces is itself; what has others is nothing.
std::vector<std::string> spelled_out(std::string_view token) {
  const std::size_t open = token.find('{');
  if (open == token.npos) return {std::string(token)};
  const std::size_t close = token.find('}', open);
  if (close == token.npos || token.find(',', open) > close) return {};
  std::vector<std::string> all;
  for (std::size_t from = open + 1; from <= close;) {
    const std::size_t end = std::min(token.find(',', from), close);
    all.push_back(std::string(token.substr(0, open)) + std::string(token.substr(from, end - from)) +
                  std::string(token.substr(close + 1)));
    from = end + 1;
  }
  return all;
}

std::string_view ending_of(std::string_view path) {
  const std::string_view base = base_name_of(path);
  const std::size_t dot = base.rfind('.');
  return dot == base.npos || dot == 0 ? std::string_view() : base.substr(dot + 1);
}

bool is_there(std::string_view path, std::string_view name, const TreeNames& names) {
  for (const std::string_view root : {std::string_view(), folder_of(path)}) {
    std::string full = (std::filesystem::path(root) / name).lexically_normal().generic_string();
    if (full.ends_with('/')) full.pop_back();
    if (names.files.contains(full) || names.folders.contains(full)) return true;
    // base/quantity: a header and its source.
    if (names.files.contains(full + ".h") || names.files.contains(full + ".cc")) return true;
  }
  return false;
}

/// tests/torture/NAME: whoever reads it knows the name.
bool is_to_fill_in(std::string_view name) {
  const std::string_view base = base_name_of(name);
  return !base.empty() && std::all_of(base.begin(), base.end(), is_upper);
}

/// Whether the token is meant as a name of ours at all.
bool is_ours(const Token& token, std::string_view name, const TreeNames& names) {
  if (name.find_first_of(kPlaceholders) != name.npos || name.front() == '/' || name.starts_with("build/")) return false;
  if (is_to_fill_in(name)) return false;
  const std::string_view ending = ending_of(name);
  const std::size_t slash = name.find('/');
  if (slash == name.npos) {
    return std::find(kBareEndings.begin(), kBareEndings.end(), ending) != kBareEndings.end() && is_word(name.front());
  }
  if (!ending.empty()) return names.endings.contains(ending);
  return names.folders.contains(name.substr(0, slash)) || (token.spans_backticks && is_lower(name.front()));
}

std::string hint(std::string_view name, const TreeNames& names) {
  for (const std::string& file : names.files) {
    if (base_name_of(file) == base_name_of(name)) return "; there is " + file;
  }
  return "";
}

}  // namespace

std::vector<Violation> missing_files(std::string_view path, std::string_view text, const TreeNames& names) {
  std::vector<Violation> found;
  const std::string prose = prose_of(path, text);
  for (const Token& token : tokens_of(prose)) {
    for (const std::string& name : spelled_out(token.text)) {
      if (!is_ours(token, name, names)) continue;
      const bool bare = name.find('/') == name.npos;
      if (bare ? names.base_names.contains(name) : is_there(path, name, names)) continue;
      found.push_back({std::string(path), line_at(prose, token.offset), name,
                       "no file or folder '" + name + "'" + hint(name, names) + ": correct the name"});
    }
  }
  return found;
}

}  // namespace leat::tidy
