// leat version: which release this is, and what it can be used together with.
#include <memory>

#include "tools/leat/commands.h"
#include "tools/leat/exit_code.h"
#include "tools/leat/options.h"
#include "tools/leat/output.h"
#include "cmdline/version.h"
#include "journal/format/format_version.h"
#include "shm/layout_version.h"

namespace leat::tool {
namespace {

int run_version(bool json) {
  Output output;
  if (json) {
    output.buffer() += std::string("{\"version\":\"") + cmdline::kVersion +
                       "\",\"layout_version\":" + std::to_string(internal::kSharedLayoutVersion) +
                       ",\"journal_format\":" + std::to_string(internal::kJournalFormatVersion) + "}\n";
  } else {
    output.buffer() += std::string("leat ") + cmdline::kVersion + "\n";
  }
  output.flush();
  return output.status(kExitOk);
}

}  // namespace

void register_version(cmdline::Command& app, Commands& commands) {
  auto format = std::make_shared<std::string>("text");
  auto json = std::make_shared<bool>(false);
  cmdline::Command* const version =
      app.add_subcommand("version", "Print the version; as JSON, those of the shared layouts and of the journal too");
  add_choice(*version, "--format", *format, {"text", "json"}, "text: leat and the version; json: an object");
  version->add_flag("--json", *json, "The same as --format json");
  commands.push_back(
      {version, [format, json] { return run_version(*json || *format == "json"); }, {"leat version --json"}});
}

}  // namespace leat::tool
