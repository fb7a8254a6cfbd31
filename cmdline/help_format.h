// Text of a help, wrapped to the terminal. What a help consists of is command.cc's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace leat::cmdline {

/// In front of each line of a list, in blanks.
inline constexpr std::size_t kHelpIndent = 2;

/// Of the terminal that standard output is, else $COLUMNS, else 80; within what can be read.
std::size_t help_width();

/// `text` in lines of at most `width` bytes, each behind `indent` blanks; the first line is taken to stand at `column`
/// already. Line ends in the text stay, and so do blanks at the begin of a line, also for what is wrapped of it. A word
/// longer than a line gets one of its own.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width, std::size_t column = 0);

/// One line of a list: `left` in a column of its own, `right` wrapped beside it.
std::string help_row(const std::string& left, const std::string& right, std::size_t width);

}  // namespace leat::cmdline
