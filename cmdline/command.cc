#include "cmdline/command.h"

#include <algorithm>
#include <deque>
#include <iostream>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "cmdline/help_format.h"

namespace leat::cmdline {
namespace {

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
  const bool said = otherwise.empty() || text.find("default") != std::string::npos;
  if (!said) text += " (default: " + otherwise + ")";
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

std::string make_help(const CLI::App* app, const std::vector<std::string>& examples) {
  const std::size_t width = help_width();
  const std::string name = full_name(*app);
  const std::string& about = app->get_description();
  std::string text = wrapped(about.starts_with(name + ":") ? about : name + ": " + about, 0, width) + "\n\n";
  if (!examples.empty()) text += examples.size() == 1 ? "Example:\n" : "Examples:\n";
  for (const std::string& example : examples) text += std::string(kHelpIndent, ' ') + example + '\n';
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

class HelpFormatter final : public CLI::FormatterBase {
 public:
  explicit HelpFormatter(std::vector<std::string> examples) : examples_(std::move(examples)) {}
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override {
    return cmdline::make_help(app, examples_);
  }

 private:
  std::vector<std::string> examples_;
};

/// Whether some option of this name, of the program or of a command, takes a value.
bool takes_a_value(const CLI::App& app, const std::string& name) {
  const auto options = app.get_options([&](const CLI::Option* option) { return option->check_name(name); });
  if (std::ranges::any_of(options, [](const CLI::Option* option) { return option->get_items_expected_max() > 0; }))
    return true;
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  return std::ranges::any_of(commands, [&](const CLI::App* command) { return takes_a_value(*command, name); });
}

/// Words as the parser behind this wants them: the last one first.
std::vector<std::string> reversed(const CLI::App& app, std::vector<std::string> words) {
  std::vector<std::string> split;
  bool options_end = false;
  for (std::string& word : words) {
    options_end = options_end || word == "--";
    const bool empty_value =
        !options_end && word.size() > 3 && word.starts_with("--") && word.find('=') == word.size() - 1;
    if (empty_value && takes_a_value(app, word.substr(0, word.size() - 1))) {
      split.push_back(word.substr(0, word.size() - 1));
      split.emplace_back();
    } else {
      split.push_back(std::move(word));
    }
  }
  std::ranges::reverse(split);  // as CLI11 wants them
  return split;
}

}  // namespace

ParseError::ParseError(const CLI::ParseError& error)
    : std::runtime_error(error.what()),
      error_(std::make_shared<CLI::ParseError>(error)),
      unexpected_(error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {}

bool ParseError::is_answered() const { return error_->get_exit_code() == static_cast<int>(CLI::ExitCodes::Success); }

Option* Option::required(bool needed) {
  option_->required(needed);
  return this;
}
Option* Option::envname(const std::string& variable) {
  option_->envname(variable);
  return this;
}
Option* Option::type_name(const std::string& name) {
  option_->type_name(name);
  return this;
}
Option* Option::group(const std::string& heading) {
  option_->group(heading);
  return this;
}
Option* Option::expected(int least, int most) {
  option_->expected(least, most);
  return this;
}
Option* Option::one_value_each() {
  option_->allow_extra_args(false);
  return this;
}
Option* Option::default_str(const std::string& text) {
  option_->default_str(text);
  return this;
}
Option* Option::default_function(const std::function<std::string()>& text) {
  option_->default_function(text);
  return this;
}
Option* Option::capture_default_str() {
  option_->capture_default_str();
  return this;
}
Option* Option::check(const std::function<std::string(const std::string&)>& complaint) {
  option_->check(complaint);
  return this;
}
Option* Option::excludes(const Option* other) {
  option_->excludes(other->option_);
  return this;
}
Option* Option::needs(const Option* other) {
  option_->needs(other->option_);
  return this;
}

std::size_t Option::count() const { return option_->count(); }
bool Option::get_required() const { return option_->get_required(); }
bool Option::get_positional() const { return option_->get_positional(); }
int Option::get_items_expected_max() const { return option_->get_items_expected_max(); }
std::string Option::get_name(bool positional, bool all_options) const {
  return option_->get_name(positional, all_options);
}
const std::vector<std::string>& Option::get_lnames() const { return option_->get_lnames(); }
const std::string& Option::get_description() const { return option_->get_description(); }
const std::string& Option::get_group() const { return option_->get_group(); }
std::string Option::get_type_name() const { return option_->get_type_name(); }
std::string Option::get_envname() const { return option_->get_envname(); }
std::string Option::get_default_str() const { return option_->get_default_str(); }

struct Command::Parts {
  std::deque<Option> options;  // those that were asked for
  std::deque<std::unique_ptr<Command>> commands;
};

Command::Command(const std::string& about, const std::string& name)
    : owned_(std::make_unique<CLI::App>(about, name)), app_(owned_.get()), parts_(std::make_unique<Parts>()) {}
Command::Command(CLI::App* app) : app_(app), parts_(std::make_unique<Parts>()) {}
Command::~Command() = default;

Option* Command::wrapped(CLI::Option* option) const {
  const auto known =
      std::ranges::find_if(parts_->options, [option](const Option& one) { return one.option_ == option; });
  return known != parts_->options.end() ? &*known : &parts_->options.emplace_back(option);
}

Command* Command::add_subcommand(const std::string& name, const std::string& about) {
  parts_->commands.push_back(std::unique_ptr<Command>(new Command(app_->add_subcommand(name, about))));
  return parts_->commands.back().get();
}
Option* Command::add_option(const std::string& names, std::string& value, const std::string& description) {
  return wrapped(app_->add_option(names, value, description));
}
Option* Command::add_option(const std::string& names, std::optional<std::string>& value,
                            const std::string& description) {
  return wrapped(app_->add_option(names, value, description));
}
Option* Command::add_option(const std::string& names, std::vector<std::string>& values,
                            const std::string& description) {
  return wrapped(app_->add_option(names, values, description));
}
Option* Command::add_taker(const std::string& names, std::function<void(const std::string&)> take,
                           const std::string& description) {
  const auto take_or_refuse = [take = std::move(take)](const std::string& text) {
    try {
      take(text);
    } catch (const BadValue& bad) {
      throw CLI::ValidationError(bad.what());
    }
  };
  return wrapped(app_->add_option_function<std::string>(names, take_or_refuse, description));
}
Option* Command::add_flag(const std::string& names, bool& value, const std::string& description) {
  return wrapped(app_->add_flag(names, value, description));
}
void Command::set_version_flag(const std::string& names, const std::string& text) {
  app_->set_version_flag(names, text);
}

void Command::name(const std::string& name) { app_->name(name); }
Command* Command::group(const std::string& heading) {
  app_->group(heading);
  return this;
}
void Command::footer(const std::string& text) { app_->footer(text); }
void Command::require_subcommand(std::size_t least, std::size_t most) { app_->require_subcommand(least, most); }
void Command::help_with_examples(std::vector<std::string> examples) {
  app_->formatter(std::make_shared<HelpFormatter>(std::move(examples)));
}

void Command::parse(std::vector<std::string> words) {
  try {
    app_->parse(reversed(*app_, std::move(words)));
  } catch (const CLI::ParseError& error) {
    throw ParseError(error);
  }
}
int Command::exit(const ParseError& error) const { return exit(error, std::cout, std::cerr); }
int Command::exit(const ParseError& error, std::ostream& out, std::ostream& err) const {
  return app_->exit(*error.error_, out, err);
}

std::string Command::help() const { return app_->help(); }
const std::string& Command::get_name() const { return app_->get_name(); }
std::string Command::get_description() const { return app_->get_description(); }
std::vector<const Option*> Command::get_options() const {
  std::vector<const Option*> options;
  for (CLI::Option* option : app_->get_options()) options.push_back(wrapped(option));
  return options;
}
Option* Command::get_option(const std::string& name) { return wrapped(app_->get_option(name)); }
const Option* Command::get_option_no_throw(const std::string& name) const {
  CLI::Option* const option = app_->get_option_no_throw(name);
  return option == nullptr ? nullptr : wrapped(option);
}
std::vector<const Command*> Command::all_subcommands() const {
  std::vector<const Command*> commands;
  for (const auto& command : parts_->commands) commands.push_back(command.get());
  return commands;
}
Command* Command::get_subcommand(const std::string& name) {
  const auto found =
      std::ranges::find_if(parts_->commands, [&](const auto& command) { return command->get_name() == name; });
  if (found == parts_->commands.end()) throw std::logic_error("no command " + name);
  return found->get();
}

std::size_t Command::count(const std::string& option) const { return app_->count(option); }
bool Command::parsed() const { return app_->parsed(); }
bool Command::got_subcommand(const std::string& name) const { return app_->got_subcommand(name); }
std::vector<const Command*> Command::get_subcommands() const {
  std::vector<const Command*> given;
  for (const CLI::App* app : app_->get_subcommands()) {
    for (const auto& command : parts_->commands) {
      if (command->app_ == app) given.push_back(command.get());
    }
  }
  return given;
}
std::vector<std::string> Command::remaining() const { return app_->remaining(); }

void parse(Command& command, std::vector<std::string> words) { command.parse(std::move(words)); }

void parse(Command& command, int argc, const char* const* argv) {
  if (command.get_name().empty() && argc > 0) command.name(argv[0]);
  parse(command, argc > 0 ? std::vector<std::string>(argv + 1, argv + argc) : std::vector<std::string>());
}

}  // namespace leat::cmdline
