#include "tests/tidy/removed_words.h"

#include <algorithm>

#include "tests/tidy/text_lines.h"

namespace leat::tidy {
namespace {

/// A small letter of the list is met by its capital too, as at the begin of a sentence.
bool same(char of_text, char of_word) {
  return of_text == of_word || (is_lower(of_word) && of_text == static_cast<char>(of_word - 'a' + 'A'));
}

bool is_used(std::string_view line, std::string_view word) {
  auto at = line.begin();
  for (;;) {
    at = std::search(at, line.end(), word.begin(), word.end(), same);
    if (at == line.end()) return false;
    const auto end = at + static_cast<std::ptrdiff_t>(word.size());
    const bool begins = at == line.begin() || !is_word(at[-1]) || !is_word(word.front());
    const bool ends = end == line.end() || !is_word(*end) || !is_word(word.back());
    if (begins && ends) return true;
    ++at;
  }
}

}  // namespace

std::vector<RemovedWord> removed_words_of(std::string_view list) {
  std::vector<RemovedWord> words;
  for (const Line& line : entries_of(list)) {
    const std::size_t bar = std::min(line.text.find('|'), line.text.size());
    const std::string_view instead = line.text.substr(std::min(bar + 1, line.text.size()));
    words.push_back({std::string(trimmed(line.text.substr(0, bar))), std::string(trimmed(instead))});
  }
  return words;
}

std::vector<Violation> uses_of(std::string_view path, std::string_view text, const std::vector<RemovedWord>& words) {
  std::vector<Violation> found;
  for (const Line& line : lines_of(text)) {
    for (const RemovedWord& word : words) {
      if (!is_used(line.text, word.word)) continue;
      found.push_back({std::string(path), line.number, std::string(trimmed(line.text)),
                       "'" + word.word + "' is not used here any more: write '" + word.instead + "'"});
    }
  }
  return found;
}

}  // namespace leat::tidy
