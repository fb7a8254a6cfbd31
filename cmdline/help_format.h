// What --help prints, of every program: examples first, then options by group, wrapped to the terminal.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

namespace leat::cmdline {

/// Of the terminal that standard output is, else $COLUMNS, else 80; within what can be read.
std::size_t help_width();

/// `text` in lines of at most `width` bytes, each behind `indent` blanks; the first line is taken to stand at `column`
/// already. Line ends in the text stay, and so do blanks at the begin of a line, also for what is wrapped of it. A word
/// longer than a line gets one of its own.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width, std::size_t column = 0);

/// One line of a list: `left` in a column of its own, `right` wrapped beside it.
std::string help_row(const std::string& left, const std::string& right, std::size_t width);

/// CLI11 asks it for the text of --help.
class HelpFormatter final : public CLI::FormatterBase {
 public:
  /// The command lines that the help of an app (a program, or a command of it) begins with, as one types them.
  using Examples = std::function<std::vector<std::string>(const CLI::App*)>;
  explicit HelpFormatter(Examples examples) : examples_(std::move(examples)) {}
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;

 private:
  Examples examples_;
};

}  // namespace leat::cmdline
