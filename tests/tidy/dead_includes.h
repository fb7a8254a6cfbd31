// Rule `includes`: an include of one of our own headers is needed: something that the header declares occurs in the
// file.
//
// A scan of the header finds types, aliases, functions, constants, macros, enumerators and members; no compiler is
// asked. A header counts as used when any of these words occurs in the including file's code, so the rule finds too
// little rather than too much. The header of the same stem (log.h in log.cc, log_test.cc) is never dead.
//
// How to read it: `broker/log.cc:9: nothing that base/clock.h declares is used`. Take the include out, or include what
// is meant: often it is a header that this one includes. If the file only passes the header on, allowed.txt takes the
// header's path as name, with the reason.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tidy/tree.h"
#include "tests/tidy/violation.h"

namespace leat::tidy {

/// What a header declares at namespace, class or enum scope, and its macros.
std::set<std::string> declared_names(std::string_view header_text);

std::vector<Violation> dead_includes(std::string_view path, std::string_view text, const Tree& tree);

}  // namespace leat::tidy
