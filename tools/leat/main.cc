// leat: the command line of a feed.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <exception>

#include "commands.h"
#include "exit_code.h"
#include "stop_signal.h"

#ifndef LEAT_VERSION
#define LEAT_VERSION "unknown"
#endif

namespace {

using namespace leat::tool;

using Register = void (*)(CLI::App&, Commands&);
constexpr Register kRegister[] = {register_pub, register_tail, register_replay, register_stat,
                                  register_cursors, register_verify, register_repair, register_bench};

/// Makes sure that descriptors 0 to 2 are taken, or a socket of ours could become somebody's "standard output".
/// Opened the wrong way round, so that using them still fails.
void occupy_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    (void)::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // takes the lowest free number: this one
  }
}

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (app.get_subcommands().empty() && !app.remaining().empty()) {
    text = "unknown command or option '" + app.remaining().front() + "'";
  }
  std::string command = "leat";
  for (const CLI::App* sub : app.get_subcommands()) command += " " + sub->get_name();
  return fail(kExitUsage, text + "; see " + command + " --help");
}

int run(int argc, char** argv) {
  CLI::App app("leat: publish into and read from a Leat feed, a log of change events shared by the processes of a host.",
               "leat");
  app.require_subcommand(1);
  app.set_version_flag("--version", "leat " LEAT_VERSION);
  app.footer(std::string(kExitCodesHelp) + "\n\nleat COMMAND --help says all about a command.");
  Commands commands;
  for (const Register add : kRegister) add(app, commands);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);
    return usage_error(app, error);
  }
  const auto chosen = std::ranges::find_if(commands, [](const Command& command) { return command.app->parsed(); });
  if (chosen == commands.end()) return fail(kExitUsage, "no command given; see leat --help");
  watch_stop_signals();
  return chosen->run();
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_descriptors();
  std::setlocale(LC_CTYPE, "");  // only to know whether the terminal takes UTF-8
  try {
    const int status = run(argc, argv);
    if (const int signal = stop_signal(); signal != 0 && status == kExitSignalBase + signal) end_by(signal);
    return status;
  } catch (const std::exception& error) {  // out of memory, and whatever else nobody foresaw
    return fail(kExitFailed, std::string("unexpected: ") + error.what() + "; please report this");
  }
}
