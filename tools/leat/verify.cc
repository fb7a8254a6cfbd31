// leat verify: checks what a feed has left behind.
#include <memory>

#include "commands.h"
#include "options.h"
#include "verify_history.h"

namespace leat::tool {

void register_verify(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<VerifyHistoryOptions>();
  CLI::App* const verify = app.add_subcommand(
      "verify", "Judge histories: does what consumers received agree with what producers were told? Status 9 if not");
  verify->add_option("--history", options->files,
                     "NDJSON files, one for each process; docs/formats.md, \"A history\", says what a line holds")
      ->required()
      ->type_name("FILE...");
  verify->add_flag("!--no-resets", options->resets_allowed, "Any Reset is a finding (default: those that are justified are not)");
  add_integer(*verify, "--window", options->window_events, 1024, UINT64_MAX,
              "Hold only the newest N sequences in memory, 32 bytes each, and compare those", "all");
  add_choice(*verify, "--format", options->format, {"text", "json"}, "how to print");
  commands.push_back({verify, [options] { return verify_history(*options); }});
}

}  // namespace leat::tool
