// Rule `columns`: no line of *.h, *.cc, CMakeLists.txt and *.cmake is longer than 120 columns, so that two files fit
// beside each other. A column is a code point of UTF-8.
//
// How to read it: `broker/log.cc:17: 131 columns: break the line, at most 120`. Break it, or say it shorter.
// allowed.txt takes the whole line, without the blanks around it, as name.
#pragma once

#include <string_view>
#include <vector>

#include "tests/tidy/violation.h"

namespace leat::tidy {

constexpr std::size_t kColumns = 120;

std::vector<Violation> long_lines(std::string_view path, std::string_view text);

}  // namespace leat::tidy
