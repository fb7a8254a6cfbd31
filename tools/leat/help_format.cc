#include "help_format.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "text_encoding.h"

namespace leat::tool {
namespace {

constexpr std::size_t kDefaultWidth = 80;
constexpr std::size_t kLeastWidth = 40;
constexpr std::size_t kMostWidth = 120;  // longer lines are hard to read
constexpr std::size_t kIndent = 2;
constexpr std::size_t kOptionColumn = 24;

/// `left` in a column of its own, `right` wrapped beside it.
std::string row(const std::string& left, const std::string& right, std::size_t width) {
  std::string text = std::string(kIndent, ' ') + left;
  if (text.size() + 2 > kOptionColumn) {
    text += '\n' + std::string(kOptionColumn, ' ');
  } else {
    text.resize(kOptionColumn, ' ');
  }
  return text + wrapped(right, kOptionColumn, width, kOptionColumn) + '\n';
}

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
  if (option.get_required()) return text + (variable.empty() ? " (required)" : " (required, unless $" + variable + " is set)");
  if (!variable.empty()) text += " (default: $" + variable + ")";
  return text;
}

std::string options_of(const CLI::App& app, std::size_t width) {
  std::string arguments, options, help;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    std::string& part = option->get_positional() ? arguments : option == app.get_help_ptr() ? help : options;
    part += row(heading(*option), text_of(*option), width);
  }
  return arguments + options + help;
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
    width = parse_decimal(columns).value_or(kDefaultWidth);
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

std::string overview(const Commands& commands) {
  const std::size_t width = help_width();
  std::string text = "leat: publish into and read from feeds of change events on this host.\n\n"
                     "  leatd --feed demo &                                   serve a feed\n"
                     "  leat pub --feed demo --topic session.created hello    publish into it\n"
                     "  leat tail --feed demo --from earliest                 read it, and follow it\n"
                     "  leat feeds                                            what is served here\n\n"
                     "Commands:\n";
  for (const Command& known : commands) text += row(known.app->get_name(), known.app->get_description(), width);
  return text + "\nleat help COMMAND says all about one; leat help, also about exit statuses and the environment.\n";
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const {
  const std::size_t width = help_width();
  std::string name = app->get_name();
  for (const CLI::App* parent = app->get_parent(); parent != nullptr; parent = parent->get_parent()) {
    name = parent->get_name() + " " + name;
  }
  std::string text = wrapped(name + ": " + app->get_description(), 0, width) + "\n\n";
  const auto command = std::ranges::find_if(commands_, [app](const Command& known) { return known.app == app; });
  if (command != commands_.end() && !command->examples.empty()) {
    text += command->examples.size() == 1 ? "Example:\n" : "Examples:\n";
    for (const std::string& example : command->examples) text += std::string(kIndent, ' ') + example + '\n';
    text += '\n';
  }
  text += wrapped(usage_of(*app, name), 0, width) + "\n\n";
  if (app->get_require_subcommand_min() > 0) {
    text += "Commands:\n";
    for (const Command& known : commands_) text += row(known.app->get_name(), known.app->get_description(), width);
    text += '\n';
  }
  text += "Options:\n" + options_of(*app, width);
  if (!app->get_footer().empty()) text += '\n' + wrapped(app->get_footer(), 0, width) + '\n';
  return text;
}

}  // namespace leat::tool
