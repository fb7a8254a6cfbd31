#include "tests/tidy/advice.h"

#include <string>

#include "tests/tidy/cpp_text.h"
#include "tests/tidy/text_lines.h"

namespace leat::tidy {
namespace {

constexpr std::string_view kCode = "ErrorCode::";

/// Behind the comma of `ErrorCode::name,`; npos if no comma follows the name.
std::size_t begin_of_argument(std::string_view code, std::size_t at) {
  at += kCode.size();
  while (at < code.size() && is_word(code[at])) ++at;
  return at < code.size() && code[at] == ',' ? at + 1 : code.npos;
}

/// At the comma or bracket that ends the argument.
std::size_t end_of_argument(std::string_view code, std::size_t at) {
  for (std::size_t depth = 0; at < code.size(); ++at) {
    const char c = code[at];
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (depth == 0 && (c == ',' || c == ')' || c == ']' || c == '}' || c == ';')) break;
    if (c == ')' || c == ']' || c == '}') --depth;
  }
  return at;
}

bool holds_advice(std::string_view literal) {
  if (literal.find(": use ") != literal.npos) return true;
  for (std::size_t at = literal.find("; "); at != literal.npos; at = literal.find("; ", at + 1)) {
    if (at + 2 == literal.size() || is_lower(literal[at + 2])) return true;
  }
  return false;
}

}  // namespace

std::vector<Violation> hidden_advice(std::string_view path, std::string_view text) {
  std::vector<Violation> found;
  const CppText parts = take_apart(text);
  const std::string_view code = parts.code;
  std::size_t next = 0;  // literal
  for (std::size_t at = code.find(kCode); at != code.npos; at = code.find(kCode, at + 1)) {
    const std::size_t begin = begin_of_argument(code, at);
    if (begin == code.npos) continue;
    const std::size_t end = end_of_argument(code, begin);
    while (next < parts.literals.size() && parts.literals[next].begin < begin) ++next;
    while (next < parts.literals.size() && parts.literals[next].begin < end) {
      const std::size_t first = next;
      std::string said = parts.literals[next].text;
      for (++next; next < parts.literals.size() && parts.literals[next].begin < end; ++next) {
        const std::size_t behind = parts.literals[next - 1].end;
        if (!is_blank(code.substr(behind, parts.literals[next].begin - behind))) break;
        said += parts.literals[next].text;
      }
      if (!holds_advice(said)) continue;
      found.push_back({std::string(path), line_at(text, parts.literals[first].begin), std::string(trimmed(said)),
                       "\"" + said + "\" holds advice: give it to the Error as an argument of its own"});
    }
  }
  return found;
}

}  // namespace leat::tidy
