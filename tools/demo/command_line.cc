#include "tools/demo/command_line.h"

namespace leat::demo {
namespace {

using cmdline::QuantityRule;

constexpr std::size_t kMaxProducers = 64;

void add_options(cmdline::Command& app, CommandLine& line) {
  app.add_option("--feed", line.run.address.feed, "Name of the feed")->capture_default_str();
  app.add_option("--runtime-dir", line.run.address.runtime_dir,
                 "Where the broker's socket lies; default $LEAT_RUNTIME_DIR, else $XDG_RUNTIME_DIR/leat, else "
                 "/dev/shm/leat-<uid>");
  app.add_option("--data-dir", line.run.address.data_dir,
                 "Where the journal lies; default $LEAT_DATA_DIR, else ~/.local/share/leat (/var/lib/leat for root)");
  cmdline::add_number(app, "--producers", line.run.producers, QuantityRule::count(1, kMaxProducers),
                      "Processes that publish at once");
  app.add_option("--input", line.run.input, "Publish the lines of this file; - is standard input")
      ->capture_default_str();
  app.add_flag("--quiet", line.run.quiet, "Print the summary only");
  app.footer("Exit status: 0 every check passed, 1 a check or the run failed, 2 bad option.");
}

// For this program itself and for scripts/run; not shown by --help.
void add_hidden_commands(cmdline::Command& app, CommandLine& line) {
  cmdline::Command* producer = app.add_subcommand("producer", "Be one producer process")->group("");
  cmdline::add_number(*producer, "--index", line.share.index, QuantityRule::count(0, kMaxProducers - 1),
                      "Which of them")
      ->required();
  cmdline::add_number(*producer, "--count", line.share.count, QuantityRule::count(1, kMaxProducers),
                      "How many there are")
      ->required();
  cmdline::add_number(*producer, "--input-fd", line.input_fd, QuantityRule::count(0, INT32_MAX), "The lines, inherited")
      ->required();
  cmdline::Command* probe = app.add_subcommand("probe", "Succeed if the process serves the feed")->group("");
  cmdline::add_number(*probe, "--pid", line.probe_pid, QuantityRule::count(0, INT32_MAX), "The process")->required();
  app.require_subcommand(0, 1);
}

}  // namespace

void declare_options(cmdline::Command& app, CommandLine& line) {
  add_options(app, line);
  add_hidden_commands(app, line);
}

}  // namespace leat::demo
