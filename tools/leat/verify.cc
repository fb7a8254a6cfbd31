// leat verify: is a journal what it should be?
#include <memory>

#include "commands.h"
#include "exit_code.h"
#include "options.h"
#include "verify_journal.h"

namespace leat::tool {

void register_verify(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<VerifyJournalOptions>();
  CLI::App* const verify = app.add_subcommand(
      "verify", "Check every byte of a journal that can be checked; only reads, also beside a running broker");
  add_journal_options(*verify, options->choice);
  add_choice(*verify, "--format", options->format, {"text", "json"}, "how to print");
  verify->footer("Exit status: 0 intact, gaps of earlier repairs included; 1 damaged, or not to be read; 2 to 4 as in\n"
                 "leat --help. Beside a running broker what is committed is checked.");
  commands.push_back({verify, [options] { return run_verify_journal(*options); }});
}

}  // namespace leat::tool
