#include "tools/leat/pub_stream.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>

#include "tools/leat/ack_lines.h"
#include "tools/leat/exit_code.h"
#include "tools/leat/line_reader.h"
#include "text/ndjson.h"
#include "tools/leat/output.h"
#include "tools/leat/publisher.h"
#include "tools/leat/stop_signal.h"

namespace leat::tool {
namespace {

using Clock = std::chrono::steady_clock;

/// JSON may write a byte as six (\u00XX), and says more than the event.
constexpr std::size_t kNdjsonExpansion = 6;
constexpr std::size_t kNdjsonExtraBytes = 64 * 1024;
constexpr auto kProgressPeriod = std::chrono::seconds(1);
/// While somebody waits for the outcome of what was published, the input is looked at in slices that begin with this.
constexpr std::chrono::milliseconds kFirstSlice{1};

std::size_t max_line_bytes(const Producer& producer, bool ndjson) {
  const std::size_t event_bytes = producer.max_event_bytes();
  return ndjson ? event_bytes * kNdjsonExpansion + kNdjsonExtraBytes : event_bytes;
}

bool is_marked(std::string_view line) { return line.starts_with("\xef\xbb\xbf"); }

class Stream {
 public:
  Stream(Producer& producer, const StreamOptions& options)
      : options_(options),
        reader_(STDIN_FILENO, max_line_bytes(producer, options.ndjson)),
        producer_(producer),
        publisher_(
            producer, options.level, options.timeout,
            [this](std::uint64_t line, const Error& error) { reject(line, error); }, on_reached()),
        show_progress_(::isatty(STDERR_FILENO) == 1 && !(options.acks && ::isatty(STDOUT_FILENO) == 1)) {}

  int run() {
    bool more = true;
    while (more && !ended_ && stop_signal() == 0) more = step();
    // Whatever ended it: the events already handed over are in the feed, and deserve an honest count.
    if (auto done = publisher_.finish(); !done && !fatal_) end_with(done.error());
    if (options_.acks) {
      acks_.fail_rest(fate_of_the_rest());
      print_acks();
    }
    clear_progress();
    print_summary();
    return output_.status(stop_signal() != 0 ? stopped_status() : status_);
  }

 private:
  Publisher::Reached on_reached() {
    if (!options_.acks) return {};
    return [this](std::uint64_t line, std::uint64_t sequence) { acks_.reached(line, sequence); };
  }

  /// Of what was handed over, and whose receipts did not come.
  [[nodiscard]] Error fate_of_the_rest() const {
    const bool late =
        fatal_code_ == ErrorCode::ok || fatal_code_ == ErrorCode::timed_out || fatal_code_ == ErrorCode::pending;
    if (!late) return {fatal_code_, "not known: leat ended before the broker had answered for it"};
    return {ErrorCode::pending, "handed over, but not seen to have come to the level asked for",
            "do not publish it again"};
  }

  void print_acks() {
    acks_.append_known(output_.buffer());
    if (!output_.buffer().empty() && !output_.flush()) ended_ = true;
  }

  /// Takes a line. False at the end of the input.
  bool step() {
    if (options_.acks && publisher_.outstanding() == 0) print_acks();
    switch (reader_.next(slice_)) {
      case LineReader::Next::line: take_line(); break;
      case LineReader::Next::too_long: take_too_long(); break;
      case LineReader::Next::idle:
        if (auto done = publisher_.collect_ready(); !done) end_with(done.error());
        if (options_.acks) print_acks();
        slice_ = std::min<std::chrono::milliseconds>(2 * slice_, kStopSlice);
        lines_since_clock_ = kLinesPerClock;
        break;
      case LineReader::Next::end: return false;
      case LineReader::Next::failed: end_with(reader_.error()); break;
    }
    if (show_progress_) progress();
    return true;
  }

  void take_line() {
    if (options_.acks) slice_ = kFirstSlice;
    if (!options_.ndjson)
      return publish(
          {.topic = options_.topic, .key = options_.key, .payload = reader_.line(), .headers = options_.headers});
    if (reader_.line().find_first_not_of(" \t\r", is_marked(reader_.line()) ? 3 : 0) == std::string_view::npos) {
      ++blank_lines_;  // NDJSON allows them
      return;
    }
    auto parsed = parse_ndjson(reader_.line());
    if (!parsed) return take_bad_line(parsed.error());
    if (parsed->is_reset) return note_reset();
    if (parsed->topic.empty()) parsed->topic = options_.topic;
    if (parsed->topic.empty()) {
      return take_bad_line(
          {ErrorCode::invalid_argument, "no topic", "give one in the object, or a default with --topic"});
    }
    std::vector<Header> headers;
    for (const auto& [name, value] : parsed->headers) headers.push_back({.name = name, .value = value});
    publish({.topic = parsed->topic,
             .key = options_.key.empty() ? std::string_view(parsed->key) : std::string_view(options_.key),
             .message_id = parsed->message_id,
             .payload = parsed->payload,
             .durable = parsed->durable,
             .tombstone = parsed->tombstone,
             .headers = headers});
  }

  void publish(const Event& event) {
    const std::uint64_t line = reader_.line_number();
    if (options_.acks) acks_.expect(line);
    auto done = publisher_.publish(event, line);
    if (done) return options_.acks ? note_published(line, event.durable) : void();
    if (Publisher::is_about_one_event(done.error().code)) {
      reject(line, done.error());
    } else {
      acks_.failed(line, done.error());
      end_with(done.error());
    }
  }

  void note_published(std::uint64_t line, bool durable) {
    if (durable) {
      acks_.published(line, producer_.producer_id(), producer_.last_producer_sequence());
    } else {
      acks_.skipped(line);
    }
    if (++acks_since_look_ < kAcksPerLook) return;
    acks_since_look_ = 0;
    if (auto done = publisher_.collect_ready(); !done) return end_with(done.error());
    print_acks();
  }

  /// What tail printed of a gap: no event, and nothing that could be published; whoever copies a feed should know.
  void note_reset() {
    ++resets_;
    clear_progress();
    complain("line " + std::to_string(reader_.line_number()) +
             ": a reset, not an event: the feed that was read had lost its place here; not published");
  }

  void take_too_long() {
    ++bad_lines_;
    if (options_.acks) acks_.expect(reader_.line_number());
    const EventBound bound = event_bound(producer_);
    reject(reader_.line_number(),
           {ErrorCode::too_large, "longer than the " + bound.text, bound.advice + ", or split it"});
  }

  void take_bad_line(const Error& error) {
    ++bad_lines_;
    if (options_.acks) acks_.expect(reader_.line_number());
    reject(reader_.line_number(), error);
  }

  void reject(std::uint64_t line, const Error& error) {
    clear_progress();
    const Error in_line = error.in("line " + std::to_string(line));
    complain(options_.keep_going ? in_line.message : in_line.with_advice("correct it, or use --keep-going").message);
    acks_.failed(line, error);
    status_ = kExitRefused;
    if (!options_.keep_going) ended_ = true;
  }

  /// An error that no later event can escape.
  void end_with(const Error& error) {
    ended_ = true;
    fatal_ = true;
    fatal_code_ = error.code;
    const bool late = error.code == ErrorCode::timed_out || error.code == ErrorCode::pending;
    if (stop_signal() != 0 && late) return;  // cut short by Ctrl-C: the summary says it
    clear_progress();
    complain(describe(error));
    status_ = exit_code_for(error.code);
  }

  void progress() {
    if (++lines_since_clock_ < kLinesPerClock) return;
    lines_since_clock_ = 0;
    const auto now = Clock::now();
    if (now - last_progress_ < kProgressPeriod) return;
    const std::chrono::duration<double> period = now - last_progress_;
    const std::uint64_t published = publisher_.totals().published;
    std::fprintf(stderr, "\r%llu events, %.0f/s \033[K", static_cast<unsigned long long>(published),
                 static_cast<double>(published - shown_) / period.count());
    shown_ = published;
    last_progress_ = now;
    progress_shown_ = true;
  }

  void clear_progress() {
    if (progress_shown_) std::fputs("\r\033[K", stderr);
    progress_shown_ = false;
  }

  void print_summary() const {
    const PublisherTotals& totals = publisher_.totals();
    const std::uint64_t waiting = totals.published - totals.acknowledged;
    std::string text;
    const auto add = [&](const char* name, const char* label, std::uint64_t count, bool always) {
      if (options_.json_summary) {
        text += (text.empty() ? "\"" : ",\"") + std::string(name) + "\":" + std::to_string(count);
      } else if (count != 0 || always) {
        text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + label;
      }
    };
    add("published", "published", totals.published, true);
    add("refused", "refused", totals.refused, true);
    add("bad_lines", "bad", bad_lines_, false);
    add("ephemeral_skipped", "ephemeral skipped", totals.ephemeral, true);
    add("blank_lines", "blank", blank_lines_, false);
    add("resets_skipped", "resets skipped", resets_, false);
    add("not_acknowledged", "not acknowledged", waiting, false);
    if (options_.json_summary) {
      add("first_sequence", "", totals.first_sequence, true);
      add("last_sequence", "", totals.last_sequence, true);
      text = "{" + text + "}\n";
    } else {
      if (totals.first_sequence != 0) {
        text += ", sequences " + std::to_string(totals.first_sequence) + ".." + std::to_string(totals.last_sequence);
      }
      text += "\n";
    }
    std::fputs(text.c_str(), stderr);
  }

  static constexpr unsigned kLinesPerClock = 256;
  static constexpr unsigned kAcksPerLook = 256;

  const StreamOptions& options_;
  LineReader reader_;
  Producer& producer_;
  AckLines acks_;
  Output output_;
  unsigned acks_since_look_ = 0;
  std::chrono::milliseconds slice_ = kStopSlice;  // how long to wait for input
  Publisher publisher_;
  bool show_progress_;
  bool progress_shown_ = false;
  bool ended_ = false;
  bool fatal_ = false;  // reported already
  ErrorCode fatal_code_ = ErrorCode::ok;
  int status_ = kExitOk;
  std::uint64_t bad_lines_ = 0;
  std::uint64_t blank_lines_ = 0;
  std::uint64_t resets_ = 0;
  std::uint64_t shown_ = 0;
  unsigned lines_since_clock_ = 0;
  Clock::time_point last_progress_ = Clock::now();
};

}  // namespace

int publish_stream(Producer& producer, const StreamOptions& options) { return Stream(producer, options).run(); }

}  // namespace leat::tool
