// leat-demo: publishes a log's lines from several processes at once, receives them, and checks what came out.
#include <csignal>
#include <cstdio>
#include <exception>

#include "base/program_start.h"
#include "tools/demo/command_line.h"

namespace {

using namespace leat;

int run(const cmdline::Command& app, const demo::CommandLine& line) {
  if (app.got_subcommand("producer")) return demo::publish_lines(line.run.address, line.share, line.input_fd);
  if (app.got_subcommand("probe")) return demo::probe(line.run.address, line.probe_pid);
  return demo::run_demo(line.run);
}

}  // namespace

int main(int argc, char** argv) {
  leat::internal::prepare_program();  // a producer that died shows as a failed write
  std::signal(SIGCHLD, SIG_DFL);      // were it ignored, the producers' ends could not be asked for
  demo::CommandLine line;
  cmdline::Command app{
      "leat-demo: publishes a log from several processes at once and checks what a consumer receives."};
  demo::declare_options(app, line);
  try {
    cmdline::parse(app, argc, argv);
  } catch (const cmdline::ParseError& error) {
    if (error.is_answered()) return app.exit(error);
    std::fprintf(stderr, "leat-demo: %s; see leat-demo --help\n", error.what());
    return 2;
  }
  try {
    return run(app, line);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "leat-demo: %s\n", error.what());
    return 1;
  }
}
