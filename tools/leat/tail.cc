// leat tail: follows a feed.
#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "tools/leat/acknowledgements.h"
#include "tools/leat/broker_wait.h"
#include "tools/leat/commands.h"
#include "tools/leat/event_loop.h"
#include "tools/leat/exit_code.h"
#include "tools/leat/options.h"
#include "tools/leat/stop_signal.h"

namespace leat::tool {
namespace {

constexpr std::uint64_t kMaxDescriptor = 1 << 20;

struct TailOptions {
  FeedAddress address;
  BrokerWait wait;
  ReadingOptions reading = {.from = "latest"};
  std::string name = "leat-tail";
  std::string level = "live";
  std::string cursor;
  std::string ack = "write";
  std::uint64_t ack_fd = STDIN_FILENO;
  bool offline = false;
};

/// A consumer whose named cursor, if it has one, moves with what was written.
class ConsumerSource : public EventSource {
 public:
  ConsumerSource(Consumer consumer, bool saves) : consumer_(std::move(consumer)), saves_(saves) {}
  Poll poll(EventView& out) override { return consumer_.poll(out); }
  Poll wait(EventView& out, std::chrono::nanoseconds slice) override { return consumer_.wait(out, slice); }
  [[nodiscard]] const Reset& last_reset() const override { return consumer_.last_reset(); }
  [[nodiscard]] const Error& last_error() const override { return consumer_.last_error(); }
  void leave_before(const EventView& event) override {
    end_ = Cursor{.epoch = event.cursor.epoch, .sequence = event.sequence - 1};
  }
  Result<void> note_written() override { return saves_ ? save(here()) : Result<void>(); }

  [[nodiscard]] Cursor here() const { return end_ ? *end_ : consumer_.cursor(); }
  [[nodiscard]] std::uint64_t latest_sequence() const { return consumer_.latest_sequence(); }

 protected:
  Result<void> save(const Cursor& place) {
    if (place == saved_) return {};
    auto saved = consumer_.save_cursor(place);
    if (saved) saved_ = place;
    return saved;
  }

 private:
  Consumer consumer_;
  bool saves_;
  Cursor saved_;
  std::optional<Cursor> end_;  // of what was asked for
};

/// The same, moved by what the reader acknowledges.
class AcknowledgedSource final : public ConsumerSource {
 public:
  AcknowledgedSource(Consumer consumer, int fd) : ConsumerSource(std::move(consumer), false), reader_(fd), fd_(fd) {}
  void note_printed(const EventView& event) override { reader_.ledger().note_printed(event.cursor); }
  [[nodiscard]] std::uint64_t unacknowledged() const override { return reader_.ledger().waiting(); }
  Result<bool> listen(std::chrono::nanoseconds wait) override {
    const auto heard = reader_.listen(wait);
    const AckLedger& ledger = reader_.ledger();
    // With nothing outstanding, what the filter left out is done with too.
    if (ledger.acknowledged() || ledger.waiting() == 0)
      save_place(ledger.waiting() == 0 ? here() : *ledger.acknowledged());
    if (!heard) return heard.error();
    if (reader_.ended() && !ledger.acknowledged() && ledger.waiting() == 0) {
      return Error{ErrorCode::invalid_argument,
                   "descriptor " + std::to_string(fd_) + " is at its end: no acknowledgement can come",
                   "connect the reader's answers to it, or name another with --ack-fd"};
    }
    return !reader_.ended();
  }

 private:
  void save_place(const Cursor& place) {
    const auto saved = save(place);
    const std::string trouble = saved ? "" : saved.error().message;
    if (!trouble.empty() && trouble != last_trouble_) complain(trouble);
    last_trouble_ = trouble;
  }

  AckReader reader_;
  int fd_;
  std::string last_trouble_;  // said once
};

/// What is wrong with the options taken together, if anything.
std::string complaint_about(const TailOptions& options, const cmdline::Command& tail) {
  const bool by_line = options.ack == "line";
  if (by_line && options.cursor.empty()) return "--ack moves a named cursor: give --cursor NAME";
  if (tail.count("--ack-fd") > 0 && !by_line) return "--ack-fd is for --ack line: give both, or neither";
  if (!by_line) return {};
  const int fd = static_cast<int>(options.ack_fd);
  if (fd == STDOUT_FILENO || fd == STDERR_FILENO)
    return "--ack-fd " + std::to_string(fd) + " is for output: name another";
  if (::fcntl(fd, F_GETFD) < 0) return "--ack-fd " + std::to_string(fd) + " is not open: open it for reading";
  return {};
}

int run_tail(const TailOptions& options, const cmdline::Command& tail) {
  if (const std::string complaint = complaint_about(options, tail); !complaint.empty()) {
    return fail(kExitUsage, complaint + "; see leat tail --help");
  }
  auto reading = check(options.reading);
  if (!reading) return fail(reading.error());
  const auto connect = [&] {
    return Consumer::connect({.address = options.address,
                              .name = options.name,
                              .start = reading->start,
                              .cursor_name = options.cursor,
                              .level = options.level == "durable" ? Level::durable : Level::live,
                              .allow_offline = options.offline});
  };
  auto consumer = options.offline ? connect() : connect_patiently(options.wait, options.address, connect);
  if (!consumer) return stop_signal() != 0 ? stopped_status() : fail(consumer.error());
  std::unique_ptr<ConsumerSource> source;
  if (options.ack == "line") {
    source = std::make_unique<AcknowledgedSource>(std::move(*consumer), static_cast<int>(options.ack_fd));
  } else {
    source = std::make_unique<ConsumerSource>(std::move(*consumer), !options.cursor.empty());
  }
  const Until& until = reading->until;
  const std::uint64_t last = until.head ? source->latest_sequence() : until.sequence;
  Output output;
  return print_events(*source,
                      EventPrinter(printer_options_for_stdout(reading->printing.format, reading->printing.payload)),
                      output,
                      {.filter = reading->filter,
                       .count = options.reading.count,
                       .last_sequence = last,
                       .last_time_ns = until.time_ns,
                       .ends_at_once = (until.head || last != 0) && source->here().sequence >= last,
                       .timeout = options.reading.timeout,
                       .strict = options.reading.strict});
}

}  // namespace

void register_tail(cmdline::Command& app, Commands& commands) {
  auto options = std::make_shared<TailOptions>();
  cmdline::Command* const tail = app.add_subcommand("tail", "Print a feed's events as they come, until Ctrl-C");
  add_feed_options(*tail, options->address);
  add_wait_option(*tail, options->wait);
  add_reading_options(*tail, options->reading);
  add_choice(*tail, "--level", options->level, {"live", "durable"},
             "live: what the journal holds (outlives the broker); durable: what is on disk (outlives the host)");
  tail->add_option(
          "--cursor", options->cursor,
          "Go on after this named cursor, and move it (see --ack); a new one begins at --from. The broker keeps "
          "it, and what it has not read (see leat cursors)")
      ->type_name("NAME");
  add_choice(
      *tail, "--ack", options->ack, {"write", "line"},
      "What moves the cursor. write: a line has been written, to a pipe too, whose reader may yet die before it has "
      "read it. line: the reader has answered with a line of its own on --ack-fd, empty for the next event in order, "
      "or the sequence of an event, which stands for all printed before it too; any other line ends leat");
  add_integer(*tail, "--ack-fd", options->ack_fd, 0, kMaxDescriptor,
              "The descriptor on which the answers of --ack line come", "0, standard input");
  tail->add_option("--name", options->name, "Shown by leat stat (default: leat-tail)")->type_name("NAME");
  tail->add_flag("--offline", options->offline,
                 "Without a broker read the journal, and join the broker when it comes (default: status 3)");
  tail->footer(
      "A reset (the place asked for is gone) is reported on standard error, or as {\"reset\":...} in json, and tail "
      "goes on at the earliest event, or behind the gap if a repair left one. A reset is not acknowledged. When the "
      "reader goes away tail ends, and what was not acknowledged comes again with the same --cursor: at least once.");
  commands.push_back({tail,
                      [options, tail] { return run_tail(*options, *tail); },
                      {"leat tail --feed demo --from earliest --filter 'session.>'",
                       "leat tail --feed demo --cursor mine --format json | my-program",
                       "leat tail --feed demo --cursor mine --ack line <answers | my-program >answers"}});
}

}  // namespace leat::tool
