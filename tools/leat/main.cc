// leat: the command line of a feed.

#include <algorithm>
#include <clocale>
#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include "cmdline/command.h"
#include "tools/leat/commands.h"
#include "tools/leat/exit_code.h"
#include "tools/leat/help_format.h"
#include "tools/leat/output.h"
#include "base/program_start.h"
#include "tools/leat/stop_signal.h"
#include "base/nearest.h"
#include "cmdline/version.h"

namespace {

using namespace leat::tool;

/// What stands first in the line and is no option, value or command that this one knows; empty if there is none.
std::string first_unknown(const leat::cmdline::Command& app) {
  const std::vector<std::string> remaining = app.remaining();
  const auto option =
      std::ranges::find_if(remaining, [](const std::string& word) { return word.size() > 1 && word[0] == '-'; });
  if (option != remaining.end()) return option->substr(0, option->find('='));
  return remaining.empty() ? std::string() : remaining.front();
}

std::string about_unknown(const leat::cmdline::Command& command, const std::string& name, const std::string& typed) {
  if (typed[0] != '-') return "unexpected argument '" + typed + "'; see " + name + " --help";
  std::vector<std::string> known;
  for (const leat::cmdline::Option* option : command.get_options()) {
    for (const std::string& word : option->get_lnames()) known.push_back("--" + word);
  }
  const std::string meant = leat::internal::nearest(typed, known);
  return "unknown option '" + typed + "'" + (meant.empty() ? "" : " (did you mean " + meant + "?)") + "; see " + name +
         " --help";
}

int usage_error(const leat::cmdline::Command& app, const leat::cmdline::ParseError& error) {
  std::string name = "leat";
  const leat::cmdline::Command* command = &app;
  for (const leat::cmdline::Command* chosen : app.get_subcommands()) {
    name += " " + chosen->get_name();
    command = chosen;
  }
  const std::string unknown = first_unknown(*command);
  if (!unknown.empty() && command == &app && unknown[0] != '-') return fail(kExitUsage, unknown_command(app, unknown));
  if (!unknown.empty()) return fail(kExitUsage, about_unknown(*command, name, unknown));
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return fail(kExitUsage, text + "; see " + name + " --help");
}

int run(int argc, char** argv) {
  leat::cmdline::Command
      app("publish into and read from a Leat feed, a log of change events shared by the processes of a host", "leat");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("leat ") + leat::cmdline::kVersion);
  app.footer(std::string(kExitCodesHelp) + "\n\nleat help COMMAND (or leat COMMAND --help) says all about a command.");
  Commands commands;
  declare_commands(app, commands);
  if (argc < 2) {  // somebody who wants to know what this is; not a success, for a script that lost its arguments
    Output output;
    output.buffer() += overview(commands);
    output.flush();
    return output.status(kExitUsage);
  }
  try {
    leat::cmdline::parse(app, argc, argv);
  } catch (const leat::cmdline::ParseError& error) {
    if (error.is_answered()) return app.exit(error);
    return usage_error(app, error);
  }
  const auto chosen = std::ranges::find_if(commands, [](const Command& command) { return command.app->parsed(); });
  if (chosen == commands.end()) return fail(kExitUsage, "no command given; see leat --help");
  watch_stop_signals();
  return chosen->run();
}

}  // namespace

int main(int argc, char** argv) {
  leat::internal::prepare_program();
  std::setlocale(LC_CTYPE, "");  // only to know whether the terminal takes UTF-8
  try {
    const int status = run(argc, argv);
    if (const int signal = stop_signal(); signal != 0 && status == kExitSignalBase + signal) end_by(signal);
    return status;
  } catch (const std::exception& error) {  // out of memory, and whatever else nobody foresaw
    return fail(kExitFailed, std::string("unexpected: ") + error.what() + "; please report this");
  }
}
