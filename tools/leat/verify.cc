// leat verify: is a journal what it should be, or do histories agree?
#include <memory>

#include "tools/leat/commands.h"
#include "tools/leat/options.h"
#include "tools/leat/verify_history.h"
#include "tools/leat/verify_journal.h"

namespace leat::tool {

void register_verify(cmdline::Command& app, Commands& commands) {
  auto journal = std::make_shared<VerifyJournalOptions>();
  auto history = std::make_shared<VerifyHistoryOptions>();
  cmdline::Command* const verify = app.add_subcommand(
      "verify", "Check every byte of a journal that can be checked, also beside a running broker; or judge histories");
  add_journal_options(*verify, journal->choice);
  cmdline::Option* const files = verify->add_option(
      "--history", history->files,
      "Judge these instead: does what consumers received agree with what producers were told? NDJSON, a file for each\n"
      "process; docs/formats.md, \"A history\", says what a line holds");
  files->type_name("FILE...");
  verify
      ->add_flag("!--no-resets", history->resets_allowed,
                 "Any Reset is a finding (default: those that are justified are not)")
      ->needs(files);
  add_integer(*verify, "--window", history->window_events, 1024, UINT64_MAX,
              "Hold only the newest N sequences in memory, 32 bytes each, and compare those", "all");
  add_choice(*verify, "--format", journal->format, {"text", "json"}, "how to print");
  verify->footer(
      "Exit status: 0 intact, gaps of earlier repairs included; 1 damaged, or not to be read; 2 to 4 as in\n"
      "leat --help; 9 if histories do not agree. Beside a running broker what is committed is checked.");
  commands.push_back({verify,
                      [journal, history] {
                        history->format = journal->format;
                        return history->files.empty() ? run_verify_journal(*journal) : verify_history(*history);
                      },
                      {"leat verify --feed demo", "leat verify --history told.ndjson seen.ndjson"}});
}

}  // namespace leat::tool
