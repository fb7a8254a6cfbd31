// leat-demo: publishes a log's lines from several processes at once, receives them, and checks what came out.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

#include "tools/demo/publish_lines.h"
#include "tools/demo/run_demo.h"

namespace {

using namespace leat;

constexpr std::size_t kMaxProducers = 64;

struct CommandLine {
  demo::DemoOptions run{.address = {.feed = "demo"}, .input = "/var/log/dpkg.log"};
  demo::Share share;
  int input_fd = -1;
  pid_t probe_pid = 0;
};

// A descriptor opened later must not become 0, 1 or 2, which producers are started with.
void take_standard_descriptors() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) ::close(fd);
}

void add_options(CLI::App& app, CommandLine& line) {
  app.add_option("--feed", line.run.address.feed, "Name of the feed")->capture_default_str();
  app.add_option("--runtime-dir", line.run.address.runtime_dir,
                 "Where the broker's socket lies; default $LEAT_RUNTIME_DIR, else /dev/shm/leat-<uid>");
  app.add_option("--data-dir", line.run.address.data_dir,
                 "Where the journal lies; default $LEAT_DATA_DIR, else ~/.local/share/leat (/var/lib/leat for root)");
  app.add_option("--producers", line.run.producers, "Processes that publish at once")
      ->check(CLI::Range(std::size_t{1}, kMaxProducers))
      ->capture_default_str();
  app.add_option("--input", line.run.input, "Publish the lines of this file; - is standard input")
      ->capture_default_str();
  app.add_flag("--quiet", line.run.quiet, "Print the summary only");
  app.footer("Exit status: 0 every check passed, 1 a check or the run failed, 2 bad option.");
}

// For this program itself and for scripts/run; not shown by --help.
void add_hidden_commands(CLI::App& app, CommandLine& line) {
  CLI::App* producer = app.add_subcommand("producer", "Be one producer process")->group("");
  producer->add_option("--index", line.share.index)->required();
  producer->add_option("--count", line.share.count)->required()->check(CLI::PositiveNumber);
  producer->add_option("--input-fd", line.input_fd)->required();
  CLI::App* probe = app.add_subcommand("probe", "Succeed if the process serves the feed")->group("");
  probe->add_option("--pid", line.probe_pid)->required();
  app.require_subcommand(0, 1);
}

int run(const CLI::App& app, const CommandLine& line) {
  if (app.got_subcommand("producer")) return demo::publish_lines(line.run.address, line.share, line.input_fd);
  if (app.got_subcommand("probe")) return demo::probe(line.run.address, line.probe_pid);
  return demo::run_demo(line.run);
}

}  // namespace

int main(int argc, char** argv) {
  take_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);  // a producer that died shows as a failed write
  std::signal(SIGCHLD, SIG_DFL);  // were it ignored, the producers' ends could not be asked for
  CommandLine line;
  CLI::App app{"leat-demo: publishes a log from several processes at once and checks what a consumer receives."};
  add_options(app, line);
  add_hidden_commands(app, line);
  try {
    app.parse(argc, argv);
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
