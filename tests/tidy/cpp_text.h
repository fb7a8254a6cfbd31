// A C++ text taken apart into code, comments and string literals; and, of any file of the tree, what is written for
// people.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace leat::tidy {

struct Literal {
  std::size_t begin = 0;  ///< of its opening quote, in the file
  std::size_t end = 0;    ///< behind its closing quote
  std::string text;       ///< escapes of quotes, backslashes and line ends resolved
};

struct CppText {
  std::string code;      ///< as long as the file: comments and the insides of literals are blanks, line ends stay
  std::string comments;  ///< as long as the file: all but comments is blank
  std::vector<Literal> literals;
};

CppText take_apart(std::string_view text);

/// As long as the file: comments of code, all of a Markdown text, and of a file of sabotages all but the code that it
/// changes. The rest is blank.
std::string prose_of(std::string_view path, std::string_view text);

/// Every identifier of the text.
std::set<std::string_view> words_of(std::string_view text);

struct Include {
  std::size_t line = 0;
  std::string header;  ///< path of a file of ours, from the top of the tree
};

/// The includes of our own headers, in either form; seen from the file, the top, and the roots that targets give.
std::vector<Include> own_includes(std::string_view path, std::string_view text,
                                  const std::set<std::string, std::less<>>& files);

}  // namespace leat::tidy
