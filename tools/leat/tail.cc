// leat tail: follows a feed.
#include <memory>

#include "commands.h"
#include "event_loop.h"
#include "exit_code.h"
#include "options.h"

namespace leat::tool {
namespace {

struct TailOptions {
  FeedAddress address;
  ReadingOptions reading = {.from = "latest"};
  std::string level = "live";
  std::string cursor;
  bool offline = false;
};

class ConsumerSource final : public EventSource {
 public:
  ConsumerSource(Consumer consumer, bool saves) : consumer_(std::move(consumer)), saves_(saves) {}
  Poll poll(EventView& out) override { return consumer_.poll(out); }
  Poll wait(EventView& out, std::chrono::nanoseconds slice) override { return consumer_.wait(out, slice); }
  [[nodiscard]] const Reset& last_reset() const override { return consumer_.last_reset(); }
  [[nodiscard]] const Error& last_error() const override { return consumer_.last_error(); }
  Result<void> note_written() override {
    if (!saves_ || consumer_.cursor() == saved_) return {};
    saved_ = consumer_.cursor();
    return consumer_.save_cursor();
  }

 private:
  Consumer consumer_;
  bool saves_;
  Cursor saved_;
};

int run_tail(const TailOptions& options) {
  auto reading = check(options.reading);
  if (!reading) return fail(reading.error());
  auto consumer = Consumer::connect({.address = options.address,
                                     .name = "leat-tail",
                                     .start = reading->start,
                                     .cursor_name = options.cursor,
                                     .level = options.level == "durable" ? Level::durable : Level::live,
                                     .allow_offline = options.offline});
  if (!consumer) return fail(consumer.error());
  ConsumerSource source(std::move(*consumer), !options.cursor.empty());
  Output output;
  return print_events(source, EventPrinter(printer_options_for_stdout(reading->format)), output,
                      {.filter = reading->filter,
                       .count = options.reading.count,
                       .timeout = options.reading.timeout,
                       .strict = options.reading.strict});
}

}  // namespace

void register_tail(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<TailOptions>();
  CLI::App* const tail = app.add_subcommand("tail", "Print a feed's events as they come, until Ctrl-C");
  add_feed_options(*tail, options->address);
  add_reading_options(*tail, options->reading);
  add_choice(*tail, "--level", options->level, {"live", "durable"},
             "live: what the journal holds (outlives the broker); durable: what is on disk (outlives the host)");
  tail->add_option("--cursor", options->cursor,
                   "Go on after this named cursor, and move it with what has been printed; a new one begins at --from. "
                   "The broker keeps it, and what it has not read (see leat cursors)");
  tail->add_flag("--offline", options->offline,
                 "Without a broker read the journal, and join the broker when it comes (default: status 3)");
  tail->footer("A reset (the place asked for is gone) is reported on standard error, or as {\"reset\":...} in json, and "
               "tail goes on at the earliest event.");
  commands.push_back({tail, [options] { return run_tail(*options); }});
}

}  // namespace leat::tool
