#include "tools/leat/verify_history.h"

#include "tools/leat/exit_code.h"
#include "history/checker.h"
#include "history/merge.h"
#include "tools/leat/output.h"
#include "tools/leat/stop_signal.h"

namespace leat::tool {

int verify_history(const VerifyHistoryOptions& options) {
  history::Merge merge;
  for (const std::string& file : options.files) {
    auto source = history::Source::open(file);
    if (!source) return fail(kExitFailed, describe(source.error()));
    merge.add(std::move(*source));
  }
  history::Checker checker({.resets_allowed = options.resets_allowed, .window_events = options.window_events});
  history::Fact fact;
  history::Source::Read read{};
  while ((read = merge.next(fact)) == history::Source::Read::fact) {
    if (const int signal = stop_signal(); signal != 0) return kExitSignalBase + signal;
    checker.take(fact);
  }
  if (read == history::Source::Read::error) return fail(kExitFailed, describe(merge.error()));
  const history::Report& report = checker.finish();
  Output output;
  output.buffer() += options.format == "json" ? report.to_json() + "\n" : report.to_text();
  output.end_line();
  output.flush();
  return output.status(report.good() ? kExitOk : kExitBroken);
}

}  // namespace leat::tool
