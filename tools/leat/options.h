// Options that several subcommands have in common, and the values they take.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <leat/consumer.h>
#include <leat/feed_address.h>

#include "tools/leat/event_printer.h"
#include "base/quantity.h"
#include "cmdline/command.h"

namespace leat::tool {

/// The longest duration an option takes: a year.
inline constexpr double kMaxSeconds = 365.0 * 86'400.0;

/// --feed, --runtime-dir, --data-dir.
void add_feed_options(cmdline::Command& app, FeedAddress& address);
/// --runtime-dir, --data-dir.
void add_directory_options(cmdline::Command& app, FeedAddress& address);

/// An integer option, decimal, within bounds. The help names both; `otherwise` is what it says about the default.
void add_integer(cmdline::Command& app, const std::string& name, std::uint64_t& value, std::uint64_t low,
                 std::uint64_t high, const std::string& description, const std::string& otherwise);

/// A duration: "1.5", "90s", "15m"; a number without a unit, and the bounds, are seconds.
void add_seconds(cmdline::Command& app, const std::string& name, std::chrono::nanoseconds& value, double low,
                 double high, const std::string& description, const std::string& otherwise);
internal::QuantityRule seconds_rule(double low, double high);

/// One of a few words. `value` must hold the default.
void add_choice(cmdline::Command& app, const std::string& name, std::string& value,
                const std::vector<std::string>& choices, const std::string& description);

/// --from of tail and replay: earliest | latest | N | CURSOR | time:ISO | time:NS. Error: invalid_argument.
Result<Start> parse_start(std::string_view text);

/// --until of tail and replay.
struct Until {
  bool head = false;                      ///< what is the newest event at the start
  std::uint64_t sequence = 0;             ///< the last event wanted; 0: none is named
  std::optional<std::int64_t> time_ns{};  ///< events stamped later are not wanted
};
/// head | N | TIME. Error: invalid_argument.
Result<Until> parse_until(std::string_view text, std::int64_t now_ns);

extern const char* const kStartHelp;

/// What tail and replay both take.
struct ReadingOptions {
  std::string from;
  static constexpr std::uint64_t kNotGiven = UINT64_MAX;
  std::uint64_t last = kNotGiven;
  std::string since = {};  ///< empty: not given
  std::string until = {};  ///< empty: not given
  std::string filter = ">";
  std::string format = "text";
  std::string payload = "text";
  std::uint64_t count = 0;                ///< 0: no bound
  std::chrono::nanoseconds timeout = {};  ///< 0: none
  bool strict = false;
};
void add_reading_options(cmdline::Command& app, ReadingOptions& options);

/// How events are printed.
struct Printing {
  Format format = Format::text;
  PayloadStyle payload = PayloadStyle::text;
};

/// The same, checked.
struct Reading {
  Start start;
  Until until;
  TopicFilter filter;
  Printing printing;
};
Result<Reading> check(const ReadingOptions& options);

}  // namespace leat::tool
