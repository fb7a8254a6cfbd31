// leat replay: prints a journal directory, without a broker.
#include <algorithm>
#include <memory>

#include <leat/journal.h>

#include "tools/leat/commands.h"
#include "tools/leat/event_loop.h"
#include "tools/leat/exit_code.h"
#include "tools/leat/options.h"
#include "tools/leat/stop_signal.h"

namespace leat::tool {
namespace {

/// How often --follow looks for more: nobody tells a journal reader.
constexpr auto kFollowPeriod = std::chrono::milliseconds(20);

struct ReplayOptions {
  std::string journal;
  ReadingOptions reading = {.from = "earliest"};
  std::uint64_t to = 0;
  bool follow = false;
};

class JournalSource final : public EventSource {
 public:
  explicit JournalSource(JournalReader reader) : reader_(std::move(reader)) {}
  Poll poll(EventView& out) override { return reader_.next(out); }
  Poll wait(EventView& out, std::chrono::nanoseconds slice) override {
    sleep_unless_stopped(std::min<std::chrono::nanoseconds>(slice, kFollowPeriod));
    return reader_.next(out);
  }
  [[nodiscard]] const Reset& last_reset() const override { return reader_.last_reset(); }
  [[nodiscard]] const Error& last_error() const override { return reader_.last_error(); }

 private:
  JournalReader reader_;
};

int run_replay(const ReplayOptions& options) {
  auto reading = check(options.reading);
  if (!reading) return fail(reading.error());
  if (options.reading.timeout.count() != 0 && !options.follow) {
    return fail(kExitUsage, "--timeout is for --follow: give both, or neither; see leat replay --help");
  }
  if (options.to != 0 && !options.reading.until.empty()) {
    return fail(kExitUsage, "--to and --until are two ends: give one; see leat replay --help");
  }
  if (reading->until.head && options.follow) {
    return fail(kExitUsage, "--until head ends where --follow goes on: give one; see leat replay --help");
  }
  auto reader = open_journal(options.journal, reading->start);
  if (!reader) return fail(reader.error());
  JournalSource source(std::move(*reader));
  Output output;
  return print_events(source,
                      EventPrinter(printer_options_for_stdout(reading->printing.format, reading->printing.payload)),
                      output,
                      {.filter = reading->filter,
                       .count = options.reading.count,
                       .last_sequence = options.to != 0 ? options.to : reading->until.sequence,
                       .last_time_ns = reading->until.time_ns,
                       .timeout = options.reading.timeout,
                       .strict = options.reading.strict,
                       .end_when_empty = !options.follow});
}

}  // namespace

void register_replay(cmdline::Command& app, Commands& commands) {
  auto options = std::make_shared<ReplayOptions>();
  cmdline::Command* const replay =
      app.add_subcommand("replay", "Print the events of a journal directory, without a broker");
  replay->add_option("-j,--journal", options->journal, "The directory of the segments: <data-dir>/<feed>")
      ->required()
      ->type_name("DIR");
  add_reading_options(*replay, options->reading);
  add_integer(*replay, "--to", options->to, 1, UINT64_MAX, "End behind the event with this sequence",
              "the journal's end");
  replay->add_flag("--follow", options->follow, "Wait for more at the end of the journal (default: end there)");
  replay->footer("Bytes that fail their check: all before them is printed, then the error, with status 7.");
  commands.push_back({replay,
                      [options] { return run_replay(*options); },
                      {"leat replay --journal /var/lib/leat/demo --from 100 --count 5"}});
}

}  // namespace leat::tool
