// leat stat: how a feed is doing.
#include <sys/ioctl.h>
#include <unistd.h>

#include <ctime>
#include <memory>
#include <optional>

#include "tools/leat/broker_wait.h"
#include "cmdline/number_option.h"
#include "tools/leat/commands.h"
#include "tools/leat/exit_code.h"
#include "tools/leat/options.h"
#include "tools/leat/output.h"
#include "tools/leat/stat_report.h"
#include "tools/leat/stop_signal.h"

namespace leat::tool {
namespace {

constexpr std::chrono::milliseconds kDefaultSample{200};
constexpr std::chrono::seconds kDefaultPeriod{1};
constexpr double kMinPeriodSeconds = 0.05;
constexpr double kMaxPeriodSeconds = 86'400;

struct StatOptions {
  FeedAddress address;
  BrokerWait wait;
  std::string format = "text";
  bool watch = false;
  std::chrono::nanoseconds period = kDefaultPeriod;
  std::chrono::nanoseconds sample = kDefaultSample;
};

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

Result<Sample> look(FeedObserver& observer) {
  auto status = observer.read();
  if (!status) return status.error();
  return Sample{.status = std::move(*status),
                .monotonic_ns = clock_ns(CLOCK_MONOTONIC),
                .realtime_ns = clock_ns(CLOCK_REALTIME)};
}

class Stat {
 public:
  explicit Stat(const StatOptions& options)
      : options_(options), redraw_(options.watch && options.format == "text" && ::isatty(STDOUT_FILENO) == 1) {}

  int run() {
    if (auto done = take_two_looks(); !done) return stop_signal() != 0 ? stopped_status() : fail(done.error());
    print();
    while (options_.watch && output_.state() == Output::State::open && wait_a_period()) {
      if (auto done = look_again(); !done) return fail(done.error());
      if (online_) print();
    }
    output_.flush();
    return output_.status(stop_signal() != 0 ? stopped_status() : kExitOk);
  }

 private:
  Result<void> take_two_looks() {
    auto observer =
        connect_patiently(options_.wait, options_.address, [this] { return FeedObserver::connect(options_.address); });
    if (!observer) return observer.error();
    observer_ = std::move(*observer);
    auto first = look(*observer_);
    if (!first) return first.error();
    now_ = std::move(*first);
    if (options_.sample.count() == 0 || !sleep_unless_stopped(options_.sample)) return {};
    return step(look(*observer_));
  }

  Result<void> step(Result<Sample> sample) {
    if (!sample) return sample.error();
    before_ = std::move(now_);
    now_ = std::move(*sample);
    return {};
  }

  /// While watching, a broker that goes away is waited for. Any other error is returned.
  Result<void> look_again() {
    Result<void> done;
    if (!online_) {
      auto observer = FeedObserver::connect(options_.address);
      if (observer) {
        observer_ = std::move(*observer);
        online_ = true;
      } else {
        done = observer.error();
      }
    }
    if (online_) done = step(look(*observer_));
    if (done || done.error().code != ErrorCode::no_broker) return done;
    if (online_ || !told_offline_) complain(describe(done.error()) + "; waiting for it");
    told_offline_ = true;
    online_ = false;
    return {};
  }

  /// Between two looks. False when it is time to end.
  bool wait_a_period() {
    auto left = options_.period;
    while (left.count() > 0) {
      const auto slice = std::min<std::chrono::nanoseconds>(left, kStopSlice);
      if (!sleep_unless_stopped(slice) || !output_.reader_is_there(0)) return false;
      left -= slice;
    }
    return true;
  }

  void print() {
    const Sample* const before = before_ ? &*before_ : nullptr;
    std::string& out = output_.buffer();
    told_offline_ = false;
    if (options_.format == "json") {
      out += report_json(*now_, before) + '\n';
    } else if (redraw_) {
      draw(report_table(*now_, before));
    } else if (options_.watch) {
      out += report_line(*now_, before) + '\n';
    } else {
      for (const std::string& line : report_table(*now_, before)) out += line + '\n';
    }
    output_.flush();
  }

  /// Over what the screen holds, cut to its size so that nothing scrolls.
  void draw(const std::vector<std::string>& lines) {
    winsize size{};
    const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 && size.ws_col > 0;
    const std::size_t rows = known ? size.ws_row - 1U : lines.size();
    const std::size_t columns = known ? size.ws_col : std::string::npos;
    std::string& out = output_.buffer();
    if (!drawn_) out += "\033[2J";
    drawn_ = true;
    out += "\033[H";
    for (std::size_t i = 0; i < lines.size() && i < rows; ++i) {
      const bool cut = i + 1 == rows && lines.size() > rows;
      const std::string text =
          cut ? "... " + std::to_string(lines.size() - i) + " more lines: enlarge the window" : lines[i];
      out += text.substr(0, columns) + "\033[K\n";
    }
    out += "\033[J";
  }

  const StatOptions& options_;
  bool redraw_;
  bool drawn_ = false;
  bool online_ = true;
  bool told_offline_ = false;
  std::optional<FeedObserver> observer_;
  std::optional<Sample> before_;
  std::optional<Sample> now_;
  Output output_;
};

}  // namespace

void register_stat(cmdline::Command& app, Commands& commands) {
  auto options = std::make_shared<StatOptions>();
  cmdline::Command* const stat =
      app.add_subcommand("stat", "Show a feed's sequences, rates, refusals, producers, and consumers with their lag");
  add_feed_options(*stat, options->address);
  add_wait_option(*stat, options->wait);
  add_choice(*stat, "--format", options->format, {"text", "json"},
             "text: aligned columns; json: one object with everything (one a period with --watch)");
  cmdline::add_number(
      *stat, "-w,--watch", options->period, seconds_rule(kMinPeriodSeconds, kMaxPeriodSeconds),
      "Look again every so many seconds, until Ctrl-C: redraws a terminal, prints a line a period elsewhere",
      "once; --watch alone: 1s")
      ->expected(0, 1)
      ->default_str("1");  // of --watch alone
  add_seconds(*stat, "--sample", options->sample, 0, 60,
              "Measure rates over so long before the first output; 0: no rates", "0.2");
  commands.push_back({stat,
                      [options, stat] {
                        options->watch = stat->count("--watch") > 0;
                        return Stat(*options).run();
                      },
                      {"leat stat --feed demo", "leat stat --feed demo --watch 5"}});
}

}  // namespace leat::tool
