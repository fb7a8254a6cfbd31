#include "tests/tidy/cpp_text.h"

#include <algorithm>
#include <filesystem>

#include "tests/tidy/text_lines.h"
#include "tests/tidy/tree.h"

namespace leat::tidy {
namespace {

/// Walks over one text and copies each character to code or comments; the other of the two keeps its blank.
class Walk {
 public:
  explicit Walk(std::string_view text) : text_(text) {
    for (std::string* part : {&parts_.code, &parts_.comments}) {
      part->assign(text.size(), ' ');
      for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n') (*part)[i] = '\n';
      }
    }
  }

  CppText run() && {
    while (at_ < text_.size()) {
      const std::string_view rest = text_.substr(at_);
      if (rest.starts_with("//")) {
        comment_until(line_end(rest));
      } else if (rest.starts_with("/*")) {
        const std::size_t end = text_.find("*/", at_ + 2);
        comment_until(end == text_.npos ? text_.size() : end + 2);
      } else if (rest.front() == '"') {
        is_raw() ? raw_literal() : literal('"');
      } else if (rest.front() == '\'' && !is_in_number()) {
        literal('\'');
      } else {
        keep();
      }
    }
    return std::move(parts_);
  }

 private:
  [[nodiscard]] std::size_t line_end(std::string_view rest) const {
    return at_ + std::min(rest.find('\n'), rest.size());
  }

  void keep() {
    parts_.code[at_] = text_[at_];
    ++at_;
  }

  void comment_until(std::size_t end) {
    for (; at_ < end; ++at_) parts_.comments[at_] = text_[at_];
  }

  [[nodiscard]] std::string_view word_before() const {
    std::size_t first = at_;
    while (first > 0 && (is_word(text_[first - 1]) || text_[first - 1] == '\'')) --first;
    return text_.substr(first, at_ - first);
  }

  /// 1'000: the quote stands in a number.
  [[nodiscard]] bool is_in_number() const {
    const std::string_view word = word_before();
    return !word.empty() && is_digit(word.front());
  }

  [[nodiscard]] bool is_raw() const {
    const std::string_view word = word_before();
    return word == "R" || word == "u8R" || word == "LR";
  }

  void literal(char quote) {
    Literal found{at_, 0, ""};
    keep();
    while (at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n') {
      const bool escaped = text_[at_] == '\\' && at_ + 1 < text_.size();
      if (escaped) ++at_;
      found.text += escaped && text_[at_] == 'n' ? '\n' : text_[at_];
      ++at_;
    }
    if (at_ < text_.size() && text_[at_] == quote) keep();
    found.end = at_;
    if (quote == '"') parts_.literals.push_back(std::move(found));
  }

  void raw_literal() {
    const std::size_t open = std::min(text_.find('(', at_), text_.size() - 1);
    const std::string close = ")" + std::string(text_.substr(at_ + 1, open - at_ - 1)) + "\"";
    const std::size_t end = std::min(text_.find(close, open), text_.size());
    const std::size_t begin = at_;
    keep();
    parts_.literals.push_back({begin, std::min(end + close.size(), text_.size()),
                               std::string(text_.substr(open + 1, end - std::min(end, open + 1)))});
    at_ = parts_.literals.back().end;
    parts_.code[at_ - 1] = '"';
  }

  std::string_view text_;
  std::size_t at_ = 0;
  CppText parts_;
};

/// Blanks all of a line from `from` on.
void blank(std::string& text, std::string_view line, std::size_t from) {
  const std::size_t begin = static_cast<std::size_t>(line.data() - text.data()) + from;
  std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(begin), line.size() - from, ' ');
}

std::string hash_comments(std::string_view path, std::string_view text) {
  const bool sabotages = path.ends_with(".sabotages");
  std::string prose(text);
  for (const Line& line : lines_of(prose)) {
    if (sabotages) {
      const std::string_view entry = trimmed(line.text);
      if (entry.starts_with("- ") || entry.starts_with("+ ") || entry.starts_with("in:")) {
        blank(prose, line.text, 0);
      }
      continue;
    }
    std::size_t hash = line.text.find('#');
    while (hash != line.text.npos && hash > 0 && line.text[hash - 1] != ' ') hash = line.text.find('#', hash + 1);
    std::fill_n(prose.begin() + (line.text.data() - prose.data()), std::min(hash, line.text.size()), ' ');
  }
  return prose;
}

}  // namespace

CppText take_apart(std::string_view text) { return Walk(text).run(); }

std::string prose_of(std::string_view path, std::string_view text) {
  if (is_markdown(path)) return std::string(text);
  if (is_cpp(path) || path.ends_with(".pml")) return take_apart(text).comments;
  if (has_hash_comments(path) || path.ends_with(".sabotages")) return hash_comments(path, text);
  return {};
}

std::set<std::string_view> words_of(std::string_view text) {
  std::set<std::string_view> words;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_word(text[i])) {
      ++i;
      continue;
    }
    const std::size_t begin = i;
    while (i < text.size() && is_word(text[i])) ++i;
    words.insert(text.substr(begin, i - begin));
  }
  return words;
}

std::vector<Include> own_includes(std::string_view path, std::string_view text,
                                  const std::set<std::string, std::less<>>& files) {
  std::vector<Include> includes;
  const std::string code = take_apart(text).code;
  for (const Line& line : lines_of(text)) {
    std::string_view rest = trimmed(line.text);
    // A directive inside a comment is blank in the code.
    if (!rest.starts_with('#') || code[static_cast<std::size_t>(rest.data() - text.data())] != '#') continue;
    rest = trimmed(rest.substr(1));
    if (!rest.starts_with("include")) continue;
    rest = trimmed(rest.substr(7));
    if (rest.empty() || (rest.front() != '"' && rest.front() != '<')) continue;
    const std::size_t end = rest.find(rest.front() == '"' ? '"' : '>', 1);
    if (end == rest.npos) continue;
    const std::string name(rest.substr(1, end - 1));
    const bool quoted = rest.front() == '"';
    for (const std::string_view root : {folder_of(path), std::string_view(), std::string_view("tests"),
                                        std::string_view("client-lib"), std::string_view("include")}) {
      if (!quoted && root != "include") continue;
      const std::string header = (std::filesystem::path(root) / name).lexically_normal().generic_string();
      if (!files.contains(header)) continue;
      includes.push_back({line.number, header});
      break;
    }
  }
  return includes;
}

}  // namespace leat::tidy
