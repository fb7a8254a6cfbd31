#include "tools/leat/commands.h"

#include <algorithm>
#include <memory>

#include "tools/leat/exit_code.h"
#include "tools/leat/output.h"
#include "base/nearest.h"

namespace leat::tool {
namespace {

using Register = void (*)(cmdline::Command&, Commands&);
constexpr Register kRegister[] = {register_pub,    register_tail,   register_stat,   register_feeds, register_cursors,
                                  register_replay, register_verify, register_repair, register_bench, register_version};

int print_help(const cmdline::Command& app, const Commands& commands, const std::string& wanted) {
  Output output;
  if (wanted.empty()) {
    output.buffer() += app.help();
  } else {
    const auto found =
        std::ranges::find_if(commands, [&](const Command& known) { return known.app->get_name() == wanted; });
    if (found == commands.end()) return fail(kExitUsage, unknown_command(app, wanted));
    output.buffer() += found->app->help();
  }
  output.flush();
  return output.status(kExitOk);
}

}  // namespace

std::string unknown_command(const cmdline::Command& app, const std::string& typed) {
  std::vector<std::string> names;
  for (const cmdline::Command* command : app.all_subcommands()) names.push_back(command->get_name());
  const std::string meant = internal::nearest(typed, names);
  return "unknown command '" + typed + "'" + (meant.empty() ? "" : " (did you mean " + meant + "?)") +
         "; see leat --help";
}

void declare_commands(cmdline::Command& app, Commands& commands) {
  app.help_with_examples({});
  for (const Register add : kRegister) add(app, commands);
  auto wanted = std::make_shared<std::string>();
  cmdline::Command* const help = app.add_subcommand("help", "Say all about a command, or what commands there are");
  help->add_option("COMMAND", *wanted, "The command to be explained (default: what commands there are)");
  commands.push_back(
      {help, [&app, &commands, wanted] { return print_help(app, commands, *wanted); }, {"leat help pub"}});
  for (const Command& command : commands) command.app->help_with_examples(command.examples);
}

}  // namespace leat::tool
