#include "tests/tidy/dead_includes.h"

#include <algorithm>
#include <array>

#include "tests/tidy/cpp_text.h"
#include "tests/tidy/text_lines.h"

namespace leat::tidy {
namespace {

using Tokens = std::vector<std::string_view>;

constexpr std::array<std::string_view, 4> kClassWords = {"class", "struct", "union", "enum"};

/// What may stand where a declared name is looked for.
constexpr std::array<std::string_view, 11> kNoNames = {"alignas",  "const",   "default",  "delete",   "false", "final",
                                                       "noexcept", "nullptr", "operator", "override", "true"};

bool is_name(std::string_view token) {
  if (token.empty() || !is_word(token.front()) || is_digit(token.front())) return false;
  return std::find(kNoNames.begin(), kNoNames.end(), token) == kNoNames.end();
}

bool is_class_word(std::string_view token) {
  return std::find(kClassWords.begin(), kClassWords.end(), token) != kClassWords.end();
}

/// Words, and single characters of what else is not blank.
Tokens tokens_of(std::string_view code) {
  Tokens tokens;
  for (std::size_t i = 0; i < code.size();) {
    std::size_t end = i;
    while (end < code.size() && is_word(code[end])) ++end;
    if (end == i && !is_blank(code.substr(i, 1))) ++end;
    if (end > i) tokens.push_back(code.substr(i, end - i));
    i = std::max(end, i + 1);
  }
  return tokens;
}

/// Takes the macros of the text's directives into `names`, and the directives out of the code.
void take_macros(std::string& code, std::set<std::string>& names) {
  bool goes_on = false;
  for (const Line& line : lines_of(code)) {
    const std::string_view text = trimmed(line.text);
    const bool directive = goes_on || text.starts_with('#');
    goes_on = directive && text.ends_with('\\');
    if (!directive) continue;
    const Tokens tokens = tokens_of(text);
    if (tokens.size() > 2 && tokens[0] == "#" && tokens[1] == "define") names.emplace(tokens[2]);
    std::fill_n(code.begin() + (line.text.data() - code.data()), line.text.size(), ' ');
  }
}

/// Walks over the declarations of a header. Bodies of functions and initializers are passed over.
class Scan {
 public:
  Scan(const Tokens& tokens, std::set<std::string>& names) : tokens_(tokens), names_(names) {}

  /// One scope: up to its closing brace, or the end.
  void scope() {
    Tokens statement;
    while (at_ < tokens_.size() && tokens_[at_] != "}") {
      const std::string_view token = tokens_[at_++];
      if (token == ";" || (token == ":" && statement.size() == 1 && statement[0] != "default")) {
        finish(statement);
      } else if (token == "(" || token == "[") {
        add_before(statement);  // f(...), or an array
        pass_over(token, token == "(" ? ")" : "]");
        statement.emplace_back("()");
      } else if (token == "{") {
        open_brace(statement);
      } else if (token == "<" && !statement.empty() && statement.back() == "template") {
        pass_over("<", ">");
        statement.clear();
      } else {
        if (token == "=" || token == ",") add_before(statement);
        statement.push_back(token);
      }
    }
    ++at_;
  }

 private:
  /// The word in front of `(`, `=`, `{` or `;` is what is declared, if it is no keyword; one too many does no harm.
  void add_before(const Tokens& statement) {
    if (statement.size() < 2 || !is_name(statement.back())) return;
    const bool is_value = std::find(statement.begin(), statement.end(), "=") != statement.end();
    if (!is_value) names_.emplace(statement.back());
  }

  void finish(Tokens& statement) {
    const bool forward = statement.size() == 2 && is_class_word(statement[0]);
    if (!forward && !statement.empty() && statement[0] != "friend") add_before(statement);
    statement.clear();
  }

  void pass_over(std::string_view open, std::string_view close) {
    for (std::size_t depth = 1; at_ < tokens_.size() && depth > 0; ++at_) {
      if (tokens_[at_] == open) ++depth;
      if (tokens_[at_] == close) --depth;
    }
  }

  void enumerators() {
    bool expected = true;
    for (; at_ < tokens_.size() && tokens_[at_] != "}"; ++at_) {
      if (expected && is_name(tokens_[at_])) names_.emplace(tokens_[at_]);
      expected = tokens_[at_] == ",";
      if (tokens_[at_] == "(") {
        ++at_;
        pass_over("(", ")");
        --at_;
      }
    }
    ++at_;
  }

  /// class X final : public Y {  ->  X.
  void add_class(const Tokens& statement, std::size_t class_word) {
    std::string_view name;
    for (std::size_t i = class_word + 1; i < statement.size() && statement[i] != ":"; ++i) {
      if (is_name(statement[i]) && !is_class_word(statement[i])) name = statement[i];
      if (statement[i] == "<") break;  // a specialization is of the name before it
    }
    if (!name.empty()) names_.emplace(name);
  }

  void open_brace(Tokens& statement) {
    const auto is = [&](std::string_view word) {
      return std::find(statement.begin(), statement.end(), word) != statement.end();
    };
    const auto class_word = std::find_if(statement.begin(), statement.end(), is_class_word);
    const bool is_class = class_word != statement.end() && !is("=");
    if (is("namespace") || (!statement.empty() && statement[0] == "extern" && statement.size() < 4)) {
      statement.clear();
      scope();
    } else if (is_class && !has_parameters(statement)) {
      add_class(statement, static_cast<std::size_t>(class_word - statement.begin()));
      is("enum") ? enumerators() : scope();
      statement = {"of_class"};  // struct { ... } name;
    } else {
      add_before(statement);
      pass_over("{", "}");
      const std::string_view next = at_ < tokens_.size() ? tokens_[at_] : "";
      if (next != "," && next != ";" && next != "{") statement.clear();
    }
  }

  /// A function that returns `struct X`; alignas(n) and [[x]] are no parameters.
  static bool has_parameters(const Tokens& statement) {
    for (std::size_t i = 1; i < statement.size(); ++i) {
      if (statement[i] == "()" && is_name(statement[i - 1]) && !is_class_word(statement[i - 1])) return true;
    }
    return false;
  }

  const Tokens& tokens_;
  std::set<std::string>& names_;
  std::size_t at_ = 0;
};

/// a/log.h, a/log.cc and x/log_test.cc have one stem.
std::string_view stem_of(std::string_view path) {
  std::string_view stem = base_name_of(path);
  stem = stem.substr(0, stem.find('.'));
  if (stem.ends_with("_test")) stem.remove_suffix(5);
  return stem;
}

}  // namespace

std::set<std::string> declared_names(std::string_view header_text) {
  std::set<std::string> names;
  std::string code = take_apart(header_text).code;
  take_macros(code, names);
  const Tokens tokens = tokens_of(code);
  Scan(tokens, names).scope();
  return names;
}

std::vector<Violation> dead_includes(std::string_view path, std::string_view text, const Tree& tree) {
  std::vector<Violation> found;
  if (!is_cpp(path)) return found;
  const std::string code = take_apart(text).code;
  const std::set<std::string_view> words = words_of(code);
  for (const Include& include : own_includes(path, text, tree.names.files)) {
    if (!path.ends_with(".h") && stem_of(path) == stem_of(include.header)) continue;
    const std::set<std::string> names = declared_names(text_of(tree, include.header));
    const bool used = std::any_of(names.begin(), names.end(), [&](const auto& name) { return words.contains(name); });
    if (used) continue;
    found.push_back(
        {std::string(path), include.line, include.header,
         "nothing that " + include.header + " declares is used: take the include out, or include what is meant"});
  }
  return found;
}

}  // namespace leat::tidy
