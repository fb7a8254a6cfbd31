// What --help prints: examples first, wrapped to the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "commands.h"

namespace leat::tool {

/// Of the terminal that standard output is, else $COLUMNS, else 80; within what can be read.
std::size_t help_width();

/// `text` in lines of at most `width` bytes, each behind `indent` blanks; the first line is taken to stand at `column`
/// already. Line ends in the text stay, and so do blanks at the begin of a line, also for what is wrapped of it. A word
/// longer than a line gets one of its own.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width, std::size_t column = 0);

/// What leat alone prints: what it is, and how one begins.
std::string overview(const Commands& commands);

/// CLI11 asks it for the text of --help. `commands` must live as long: it has each command's examples.
class HelpFormatter final : public CLI::FormatterBase {
 public:
  explicit HelpFormatter(const Commands& commands) : commands_(commands) {}
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;

 private:
  const Commands& commands_;
};

}  // namespace leat::tool
