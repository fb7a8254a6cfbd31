// leat-demo: publishes a log's lines from several processes at once, receives them, and checks what came out.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "tools/demo/command_line.h"

namespace {

using namespace leat;

// A descriptor opened later must not become 0, 1 or 2, which producers are started with.
void take_standard_descriptors() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) ::close(fd);
}

int run(const CLI::App& app, const demo::CommandLine& line) {
  if (app.got_subcommand("producer")) return demo::publish_lines(line.run.address, line.share, line.input_fd);
  if (app.got_subcommand("probe")) return demo::probe(line.run.address, line.probe_pid);
  return demo::run_demo(line.run);
}

}  // namespace

int main(int argc, char** argv) {
  take_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);  // a producer that died shows as a failed write
  std::signal(SIGCHLD, SIG_DFL);  // were it ignored, the producers' ends could not be asked for
  demo::CommandLine line;
  CLI::App app{"leat-demo: publishes a log from several processes at once and checks what a consumer receives."};
  demo::declare_options(app, line);
  try {
    cmdline::parse(app, argc, argv);
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
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
