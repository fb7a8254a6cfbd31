#include "bench/suite/command_line.h"

namespace leat::bench {

using cmdline::QuantityRule;

constexpr unsigned kMaxRounds = 1000;
constexpr std::uint64_t kMaxJournalGigabytes = 1000;

void declare_options(cmdline::Command& app, Options& options) {
  app.add_flag("--quick", options.quick, "fewer rows, shorter, one round: under two minutes");
  app.add_option("--dir", options.directory,
                 "where journals are written: the file system to be measured (default /var/tmp)");
  cmdline::add_number(app, "--rounds", options.rounds, QuantityRule::count(1, kMaxRounds),
                      "how often the rows of the targets are measured", "5; quick 1");
  QuantityRule size = QuantityRule::bytes(1'000'000, kMaxJournalGigabytes * internal::kGigabyte);
  size.bare = internal::kGigabyte;
  cmdline::add_number(app, "--journal-gb", options.journal_bytes, size, "size of the large journal", "10; quick 0.5");
  app.add_option("--only", options.only,
                 "only rows whose description matches this regular expression, e.g. 'targets: leat'");
  app.add_option("--commit", options.commit, "what is being measured, for the record");
  app.add_option("--instructions", options.instructions, "JSON of bench/instructions/check, to be part of the results");
  app.add_option("--json", options.json_path, "write the results here");
  auto* html = app.add_option("--html", options.html_path, "write a report with pictures here");
  html->needs(app.add_option("--template", options.template_path, "the report's template (bench/suite/report.html)"));
  app.add_option("--show", options.show, "show the results in this JSON file; measure nothing");
}

}  // namespace leat::bench
