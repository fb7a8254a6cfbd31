#include "cmdline/help_format.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/quantity.h"

namespace leat::cmdline {
namespace {

constexpr std::size_t kDefaultWidth = 80;
constexpr std::size_t kLeastWidth = 40;
constexpr std::size_t kMostWidth = 120;  // longer lines are hard to read
constexpr std::size_t kIndent = 2;
constexpr std::size_t kOptionColumn = 24;

/// "-f, --feed TEXT", "PAYLOAD".
std::string heading(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true, false);
  std::string names = option.get_name(false, true);
  for (std::size_t comma = names.find(','); comma != std::string::npos; comma = names.find(',', comma + 2)) {
    names.insert(comma + 1, " ");
  }
  if (option.get_items_expected_max() > 0 && option.get_type_size() != 0) names += " " + option.get_type_name();
  return names;
}

std::string text_of(const CLI::Option& option) {
  std::string text = option.get_description();
  const std::string& variable = option.get_envname();
  if (option.get_required())
    return text + (variable.empty() ? " (required)" : " (required, unless $" + variable + " is set)");
  if (!variable.empty()) text += " (default: $" + variable + ")";
  const std::string otherwise = option.get_default_str();
  const bool told = otherwise.empty() || text.find("default") != std::string::npos;
  if (!told) text += " (default: " + otherwise + ")";
  return text;
}

std::string options_of(const CLI::App& app, const std::string& group, std::size_t width) {
  std::string arguments, options, help;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() != group) continue;
    const bool common = option == app.get_help_ptr() || option == app.get_version_ptr();
    std::string& part = option->get_positional() ? arguments : common ? help : options;
    part += help_row(heading(*option), text_of(*option), width);
  }
  return arguments + options + help;
}

/// "leat pub", of a program that was called by whatever path.
std::string full_name(const CLI::App& app) {
  std::string name = app.get_name();
  name = name.substr(name.find_last_of('/') + 1);
  return app.get_parent() == nullptr ? name : full_name(*app.get_parent()) + " " + name;
}

std::string usage_of(const CLI::App& app, const std::string& name) {
  std::string usage = "Usage: " + name + (app.get_require_subcommand_min() > 0 ? " COMMAND" : "") + " [OPTIONS]";
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) usage += " [" + option->get_name(true, false) + "]";
  }
  return usage;
}

}  // namespace

std::size_t help_width() {
  winsize size{};
  std::size_t width = kDefaultWidth;
  if (::isatty(STDOUT_FILENO) == 1 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    width = size.ws_col;
  } else if (const char* const columns = std::getenv("COLUMNS"); columns != nullptr) {
    const auto number = internal::parse_quantity("COLUMNS", columns, internal::QuantityRule::count(1, UINT32_MAX));
    if (number) width = *number;
  }
  return std::clamp(width, kLeastWidth, kMostWidth);
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width, std::size_t column) {
  std::string out(column == 0 ? indent : 0, ' ');
  column = std::max(column, indent);
  std::size_t margin = indent;
  bool at_start = true;  // of a line: blanks are its own margin
  const auto begin_line = [&](std::size_t blanks) {
    out += '\n' + std::string(blanks, ' ');
    column = blanks;
    at_start = true;
  };
  while (!text.empty()) {
    if (text.front() == '\n') {
      text.remove_prefix(1);
      margin = indent;
      begin_line(indent);
      continue;
    }
    const std::size_t blanks = std::min(text.find_first_not_of(' '), text.size());
    text.remove_prefix(blanks);
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    text.remove_prefix(word.size());
    if (word.empty()) continue;
    if (at_start && blanks > 0) {
      margin = column + blanks;
      out.append(blanks, ' ');
      column = margin;
    } else if (!at_start && column + blanks + word.size() > width) {
      begin_line(margin);
    } else if (!at_start) {
      out.append(blanks, ' ');
      column += blanks;
    }
    out += word;
    column += word.size();
    at_start = false;
  }
  return out;
}

std::string help_row(const std::string& left, const std::string& right, std::size_t width) {
  std::string text = std::string(kIndent, ' ') + left;
  if (text.size() + 2 > kOptionColumn) {
    text += '\n' + std::string(kOptionColumn, ' ');
  } else {
    text.resize(kOptionColumn, ' ');
  }
  return text + wrapped(right, kOptionColumn, width, kOptionColumn) + '\n';
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const {
  const std::size_t width = help_width();
  const std::string name = full_name(*app);
  const std::string& about = app->get_description();
  std::string text = wrapped(about.starts_with(name + ":") ? about : name + ": " + about, 0, width) + "\n\n";
  const std::vector<std::string> examples = examples_(app);
  if (!examples.empty()) text += examples.size() == 1 ? "Example:\n" : "Examples:\n";
  for (const std::string& example : examples) text += std::string(kIndent, ' ') + example + '\n';
  if (!examples.empty()) text += '\n';
  text += wrapped(usage_of(*app, name), 0, width) + '\n';
  const auto commands = app->get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
  if (!commands.empty()) text += "\nCommands:\n";
  for (const CLI::App* command : commands) text += help_row(command->get_name(), command->get_description(), width);
  for (const std::string& group : app->get_groups()) {
    if (!group.empty()) text += '\n' + group + ":\n" + options_of(*app, group, width);
  }
  if (!app->get_footer().empty()) text += '\n' + wrapped(app->get_footer(), 0, width) + '\n';
  return text;
}

}  // namespace leat::cmdline
