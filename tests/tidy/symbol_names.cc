#include "tests/tidy/symbol_names.h"

#include <algorithm>
#include <array>

#include "tests/tidy/cpp_text.h"
#include "tests/tidy/text_lines.h"
#include "tests/tidy/tree.h"

namespace leat::tidy {
namespace {

constexpr std::array<std::string_view, 5> kTestMacros = {"TEST", "TEST_F", "TEST_P", "TYPED_TEST", "TYPED_TEST_P"};

std::string_view word_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_word(text[end])) ++end;
  return text.substr(at, end - at);
}

std::size_t past_blanks(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(" \n", at), text.size());
}

bool has_lower(std::string_view word) { return std::any_of(word.begin(), word.end(), is_lower); }

bool is_camel(std::string_view word) {
  return !word.empty() && is_upper(word.front()) && has_lower(word) && word.find('_') == word.npos;
}

/// Camel case with a second capital behind a small letter; so that `Reset` and `Cargo` are words of the language.
bool is_two_humped(std::string_view word) {
  if (!is_camel(word)) return false;
  for (std::size_t i = 1; i < word.size(); ++i) {
    if (is_upper(word[i]) && !is_upper(word[i - 1])) return true;
  }
  return false;
}

bool is_constant(std::string_view word) {
  return word.size() > 2 && word[0] == 'k' && is_upper(word[1]) && word.find('_') == word.npos;
}

/// What a backticked span claims to find in the code; nothing if it is no name.
std::vector<std::string_view> claimed(std::string_view span) {
  const bool called = span.ends_with("()");
  if (called) span.remove_suffix(2);
  std::vector<std::string_view> words;
  bool qualified = false;
  for (std::size_t at = 0; at < span.size();) {
    const std::string_view word = word_at(span, at);
    if (word.empty() || is_digit(word.front())) return {};
    words.push_back(word);
    at += word.size();
    if (at == span.size()) break;
    if (!span.substr(at).starts_with("::")) return {};
    qualified = true;
    at += 2;
  }
  if (words.empty()) return {};
  const std::string_view last = words.back();
  const bool claims = called || qualified || is_two_humped(last) || is_constant(last) || last.find('_') != last.npos;
  if (words.front() == "std") return {};
  return claims ? words : std::vector<std::string_view>{};
}

bool is_a_test(std::string_view name, const std::set<std::string, std::less<>>& tests) {
  const bool wild = name.ends_with('*') || name.ends_with("...");
  if (!wild) return tests.contains(name);
  name = name.substr(0, name.find_first_of("*.", name.find('.') + 1));
  const auto first = tests.lower_bound(name);
  return first != tests.end() && std::string_view(*first).starts_with(name);
}

/// Suite.Name, Suite.Begin*, Suite.Begin..., Suite.*; nothing if none stands there.
std::string_view test_at(std::string_view prose, std::size_t at) {
  const std::string_view suite = word_at(prose, at);
  std::size_t end = at + suite.size();
  if (!is_camel(suite) || end + 1 >= prose.size() || prose[end] != '.') return {};
  const std::string_view test = word_at(prose, end + 1);
  end += 1 + test.size();
  const std::string_view rest = prose.substr(end);
  std::size_t wild = rest.starts_with('*') && !rest.starts_with("**") ? 1 : 0;  // **Bold.** is no test
  if (rest.starts_with("...")) wild = 3;
  if (test.empty() ? wild != 1 : !is_camel(test)) return {};
  return prose.substr(at, end + wild - at);
}

bool is_ctest_word(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(),
                                      [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; });
}

/// A backticked span that names a test of a family there is, and no test of it; a wildcard is not for these few names.
bool is_no_ctest(std::string_view span, const std::set<std::string, std::less<>>& tests) {
  const std::size_t dot = span.find('.');
  if (dot == span.npos || !is_ctest_word(span.substr(0, dot)) || !is_ctest_word(span.substr(dot + 1))) return false;
  const std::string_view family = span.substr(0, dot + 1);
  const auto first = tests.lower_bound(family);
  if (first == tests.end() || !std::string_view(*first).starts_with(family)) return false;
  return !tests.contains(span) && !tests.contains(family);
}

}  // namespace

void add_ctest_names(std::string_view text, std::set<std::string, std::less<>>& tests) {
  constexpr std::string_view kBegin = "add_test(NAME ";
  for (std::size_t at = text.find(kBegin); at != text.npos; at = text.find(kBegin, at + 1)) {
    const std::string_view name = text.substr(at + kBegin.size());
    const std::string_view whole = name.substr(0, name.find_first_of(" \n)$"));
    if (whole.find('.') != whole.npos) tests.emplace(whole);
  }
}

void add_tests(std::string_view text, std::set<std::string, std::less<>>& tests) {
  const std::string code = take_apart(text).code;
  const std::string_view view = code;
  for (std::size_t at = view.find("TEST"); at != view.npos; at = view.find("TEST", at + 1)) {
    std::size_t begin = at;
    while (begin > 0 && is_word(view[begin - 1])) --begin;
    const std::string_view macro = word_at(view, begin);
    if (std::find(kTestMacros.begin(), kTestMacros.end(), macro) == kTestMacros.end()) continue;
    std::size_t next = past_blanks(view, begin + macro.size());
    if (next >= view.size() || view[next] != '(') continue;
    const std::string_view suite = word_at(view, past_blanks(view, next + 1));
    next = past_blanks(view, static_cast<std::size_t>(suite.data() + suite.size() - view.data()));
    if (next >= view.size() || view[next] != ',') continue;
    const std::string_view name = word_at(view, past_blanks(view, next + 1));
    tests.insert(std::string(suite) + "." + std::string(name));
  }
}

void add_words(std::string_view path, std::string_view text, std::set<std::string, std::less<>>& words) {
  if (is_cpp(path)) {
    const CppText parts = take_apart(text);
    for (const std::string_view word : words_of(parts.code)) words.emplace(word);
    for (const Literal& literal : parts.literals) {
      for (const std::string_view word : words_of(literal.text)) words.emplace(word);
    }
  } else if (has_hash_comments(path)) {
    for (const std::string_view word : words_of(text)) words.emplace(word);
  }
}

std::vector<Violation> missing_tests(std::string_view path, std::string_view text,
                                     const std::set<std::string, std::less<>>& tests) {
  std::vector<Violation> found;
  const std::string prose = prose_of(path, text);
  for (std::size_t i = 0; i < prose.size(); ++i) {
    if (!is_upper(prose[i]) || (i > 0 && (is_word(prose[i - 1]) || prose[i - 1] == '.'))) continue;
    const std::string_view name = test_at(prose, i);
    if (name.empty()) continue;
    if (!is_a_test(name, tests)) {
      found.push_back({std::string(path), line_at(prose, i), std::string(name),
                       "no test '" + std::string(name) + "': correct the name, or write the test"});
    }
    i += name.size() - 1;
  }
  if (!is_markdown(path)) return found;
  for (const Line& line : lines_of(text)) {
    for (std::size_t open = line.text.find('`'); open != line.text.npos;) {
      const std::size_t close = line.text.find('`', open + 1);
      if (close == line.text.npos) break;
      const std::string_view span = line.text.substr(open + 1, close - open - 1);
      if (is_no_ctest(span, tests)) {
        found.push_back({std::string(path), line.number, std::string(span),
                         "no test '" + std::string(span) + "' of ctest: correct the name, or add the test"});
      }
      open = line.text.find('`', close + 1);
    }
  }
  return found;
}

std::vector<Violation> missing_symbols(std::string_view path, std::string_view text,
                                       const std::set<std::string, std::less<>>& words) {
  std::vector<Violation> found;
  if (!is_markdown(path)) return found;
  for (const Line& line : lines_of(text)) {
    std::size_t open = line.text.find('`');
    while (open != line.text.npos) {
      const std::size_t close = line.text.find('`', open + 1);
      if (close == line.text.npos) break;
      const std::string_view span = line.text.substr(open + 1, close - open - 1);
      for (const std::string_view word : claimed(span)) {
        if (words.contains(word)) continue;
        found.push_back({std::string(path), line.number, std::string(word),
                         "no '" + std::string(word) + "' in the code: correct the name"});
      }
      open = line.text.find('`', close + 1);
    }
  }
  return found;
}

}  // namespace leat::tidy
