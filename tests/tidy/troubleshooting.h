// Rule `troubles`: each title of docs/troubleshooting.md is a message that the product can say.
//
// A title is `## ` and a message in backticks; `(or `...`)` gives another. Its literal parts between `<...>`, `...`
// and numbers must occur, in this order, in the string literals of one source file of the product. Adjacent literals
// are one; two with a comma between them are what an Error says and its advice, which are joined by `; `. `{}` in a
// literal, and code between two literals, is a placeholder too. Where the code puts a message together from several
// files, it is enough that each clause (between `: `, `; `, `, ` and ` (`) occurs so in one of them, but for options
// and 'quoted' words.
//
// How to read it: `docs/troubleshooting.md:52: no message has the part ' is no directory' (nearest:
// base/make_file.cc)`. The message was reworded: write the title as the code says it, or put `<...>` where the code
// puts a value together. allowed.txt takes the whole title, without backticks, as name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/tidy/violation.h"

namespace leat::tidy {

/// The messages of one source file: its literals, with kPlaceholder where something else stands.
struct Messages {
  std::string path;
  std::string text;
};

Messages messages_of(std::string_view path, std::string_view text);

/// "a <b> 'c': ..." is "a", "c".
std::vector<std::string> literal_parts(std::string_view title);

std::vector<Violation> unsaid_titles(std::string_view path, std::string_view text, const std::vector<Messages>& said);

}  // namespace leat::tidy
