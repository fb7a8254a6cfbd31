// The subcommands of `leat`. One file each: it describes its options and hands back what to run.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cmdline/command.h"

namespace leat::tool {

/// A subcommand whose options have been declared. `run` is called once, after a successful parse, and returns the exit
/// status (see exit_code.h). `examples` are what its help begins with: command lines as one types them.
struct Command {
  cmdline::Command* app = nullptr;
  std::function<int()> run;
  std::vector<std::string> examples = {};
};
using Commands = std::vector<Command>;

// To add one: write <name>.cc with a function of this shape, declare it here, and name it in commands.cc.
void register_pub(cmdline::Command& app, Commands& commands);
void register_tail(cmdline::Command& app, Commands& commands);
void register_replay(cmdline::Command& app, Commands& commands);
void register_stat(cmdline::Command& app, Commands& commands);
void register_cursors(cmdline::Command& app, Commands& commands);
void register_verify(cmdline::Command& app, Commands& commands);
void register_repair(cmdline::Command& app, Commands& commands);
void register_bench(cmdline::Command& app, Commands& commands);
void register_feeds(cmdline::Command& app, Commands& commands);
void register_version(cmdline::Command& app, Commands& commands);

/// Declares all of them, and `help`, in the order in which the help lists them.
void declare_commands(cmdline::Command& app, Commands& commands);

/// "unknown command ...", with the one that was probably meant.
std::string unknown_command(const cmdline::Command& app, const std::string& typed);

}  // namespace leat::tool
