// Rule `words`: the words of tests/tidy/removed_words.txt are not used any more, neither in code nor in docs. So a
// thing that was renamed keeps one name.
//
// How to read it: `docs/formats.md:9: 'blob' is not used here any more: write 'payload'`. Where the word is meant
// otherwise, allowed.txt takes the whole line, without the blanks around it, as name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/tidy/violation.h"

namespace leat::tidy {

struct RemovedWord {
  std::string word;  ///< or a phrase on one line
  std::string instead;
};

std::vector<RemovedWord> removed_words_of(std::string_view list);

std::vector<Violation> uses_of(std::string_view path, std::string_view text, const std::vector<RemovedWord>& words);

}  // namespace leat::tidy
