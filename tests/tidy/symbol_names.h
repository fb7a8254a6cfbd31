// Rule `symbols`: what comments and docs call a test, a type, a constant or a function is there.
//
// `Suite.TestName` in prose and in the `by:` lines of sabotages is a TEST, TEST_F, TEST_P or TYPED_TEST; `Suite.*`,
// `Suite.Begin*` and `Suite.Begin...` must match one. `family.name` in backticks of docs is an add_test() of CMake, if
// there is any of that family. `SomeType`, `kSomeConstant`, `some_function()`, `Type::member`
// and `some_name` in backticks of docs occur as words in the code (comments do not count).
//
// How to read it: `docs/recovery.md:30: no test 'Restart.Foo'`, `docs/formats.md:9: no 'kOld' in the code`. Mend the
// name, or put it on allowed.txt with the reason if it is a word of somebody else.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tidy/violation.h"

namespace leat::tidy {

/// "Suite.Name" of all tests of a C++ text.
void add_tests(std::string_view text, std::set<std::string, std::less<>>& tests);

/// "family.name" of all tests that a text of CMake adds; "family." where a variable is the name.
void add_ctest_names(std::string_view text, std::set<std::string, std::less<>>& tests);

/// The words of a text's code and of its literals; of CMake and scripts, all.
void add_words(std::string_view path, std::string_view text, std::set<std::string, std::less<>>& words);

std::vector<Violation> missing_tests(std::string_view path, std::string_view text,
                                     const std::set<std::string, std::less<>>& tests);

std::vector<Violation> missing_symbols(std::string_view path, std::string_view text,
                                       const std::set<std::string, std::less<>>& words);

}  // namespace leat::tidy
