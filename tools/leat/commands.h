// The subcommands of `leat`. One file each: it describes its options to CLI11 and hands back what to run.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace leat::tool {

/// A subcommand whose options have been declared. `run` is called once, after a successful parse, and returns the exit
/// status (see exit_code.h). `examples` are what its help begins with: command lines as one types them.
struct Command {
  CLI::App* app = nullptr;
  std::function<int()> run;
  std::vector<std::string> examples = {};
};
using Commands = std::vector<Command>;

// To add one: write <name>.cc with a function of this shape, declare it here, and name it in commands.cc.
void register_pub(CLI::App& app, Commands& commands);
void register_tail(CLI::App& app, Commands& commands);
void register_replay(CLI::App& app, Commands& commands);
void register_stat(CLI::App& app, Commands& commands);
void register_cursors(CLI::App& app, Commands& commands);
void register_verify(CLI::App& app, Commands& commands);
void register_repair(CLI::App& app, Commands& commands);
void register_bench(CLI::App& app, Commands& commands);
void register_feeds(CLI::App& app, Commands& commands);
void register_version(CLI::App& app, Commands& commands);

/// Declares all of them, and `help`, in the order in which the help lists them.
void declare_commands(CLI::App& app, Commands& commands);

/// "unknown command ...", with the one that was probably meant.
std::string unknown_command(const CLI::App& app, const std::string& typed);

}  // namespace leat::tool
