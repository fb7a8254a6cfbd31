#include "tools/leat/options.h"

#include <cmath>

#include "base/clock.h"
#include "base/quantity.h"
#include "cmdline/number_option.h"

namespace leat::tool {

void add_feed_options(cmdline::Command& app, FeedAddress& address) {
  app.add_option("-f,--feed", address.feed, "The feed's name (1 to 64 of A-Z a-z 0-9 _ -)")
      ->required()
      ->envname("LEAT_FEED")
      ->type_name("NAME");
  add_directory_options(app, address);
}

void add_directory_options(cmdline::Command& app, FeedAddress& address) {
  app.add_option("--runtime-dir", address.runtime_dir,
                 "Where brokers keep sockets and rings (default: $LEAT_RUNTIME_DIR, else $XDG_RUNTIME_DIR/leat, else "
                 "/dev/shm/leat-<uid>)")
      ->type_name("DIR");
  app.add_option(
         "--owner", address.owner,
         "User that may serve the feed beside you and root (default: $LEAT_OWNER, else the owner of a --runtime-dir "
         "that nobody else can have made)")
      ->type_name("USER");
  app.add_option(
         "--data-dir", address.data_dir,
         "Where journals lie (default: $LEAT_DATA_DIR, else /var/lib/leat for root, ~/.local/share/leat for others)")
      ->type_name("DIR");
}

void add_integer(cmdline::Command& app, const std::string& name, std::uint64_t& value, std::uint64_t low,
                 std::uint64_t high, const std::string& description, const std::string& otherwise) {
  cmdline::add_number(app, name, value, internal::QuantityRule::count(low, high), description, otherwise);
}

internal::QuantityRule seconds_rule(double low, double high) {
  const auto nanos = [](double seconds) { return static_cast<std::uint64_t>(std::llround(seconds * 1e9)); };
  return internal::QuantityRule::seconds(nanos(low), nanos(high));
}

void add_seconds(cmdline::Command& app, const std::string& name, std::chrono::nanoseconds& value, double low,
                 double high, const std::string& description, const std::string& otherwise) {
  cmdline::add_number(app, name, value, seconds_rule(low, high), description, otherwise);
}

void add_choice(cmdline::Command& app, const std::string& name, std::string& value,
                const std::vector<std::string>& choices, const std::string& description) {
  std::string list;
  for (const std::string& choice : choices) list += (list.empty() ? "" : "|") + choice;
  const auto check_choice = [choices, list](const std::string& text) {
    for (const std::string& choice : choices) {
      if (choice == text) return std::string();
    }
    return "'" + text + "' is none of " + list;
  };
  app.add_option(name, value, description + " (" + list + "; default: " + value + ")")
      ->type_name("WORD")
      ->check(check_choice);
}

/// parse_time() takes a bare number of so many digits for nanoseconds.
constexpr std::size_t kLeastDigitsOfNanos = 18;

const char* const kStartHelp =
    "Where to start: earliest, latest, N (the first event wanted), CURSOR (after it: <16 hex>-<n>, as in --format "
    "json), time:2026-08-01T12:34:56.5+02:00 (UTC unless it says otherwise), time:@SECONDS or time:NANOSECONDS "
    "(since 1970)";

Result<Start> parse_start(std::string_view text) {
  constexpr std::string_view kTime = "time:";
  constexpr std::size_t kEpochDigits = 16;
  if (text == "earliest") return Start::earliest();
  if (text == "latest") return Start::latest();
  if (text.starts_with(kTime)) {
    const auto time = parse_time(text.substr(kTime.size()));
    if (time) return Start::at_time(*time);
    return time.error()
        .in("--from " + std::string(text))
        .with_advice("write time:2026-08-01T12:34:56.5Z, time:@SECONDS or time:NANOSECONDS");
  }
  if (const auto sequence = parse_decimal(text); sequence && *sequence > 0) return Start::at(*sequence);
  if (text.find('-') == kEpochDigits) {
    if (auto cursor = Cursor::parse(text)) return Start::after(*cursor);
  }
  return Error{ErrorCode::invalid_argument, "--from " + std::string(text) + ": not a place",
               "give earliest, latest, a sequence from 1, a cursor <16 hex>-<n>, or time:..."};
}

Result<Until> parse_until(std::string_view text, std::int64_t now_ns) {
  if (text.empty()) return Until{};
  if (text == "head") return Until{.head = true};
  if (const auto sequence = parse_decimal(text); sequence && *sequence > 0 && text.size() < kLeastDigitsOfNanos) {
    return Until{.sequence = *sequence};
  }
  const auto time = parse_typed_time(text, now_ns);
  if (time) return Until{.time_ns = *time};
  return time.error().in("--until " + std::string(text)).with_advice("give head, a sequence from 1, or a time");
}

void add_reading_options(cmdline::Command& app, ReadingOptions& options) {
  auto* const from =
      app.add_option("--from", options.from, std::string(kStartHelp) + " (default: " + options.from + ")")
          ->type_name("PLACE");
  auto* const last =
      cmdline::add_number(app, "--last", options.last, internal::QuantityRule::count(0, internal::kMostCount),
                          "Instead of --from: start with the newest N events, as far as there are so many", "none");
  last->excludes(from);
  app.add_option(
         "--since", options.since,
         "Instead of --from: start at this time: -5m (so long ago), 10:30 (today), 2026-08-01T12:34:56.5+02:00, "
         "what date -Ins prints, now; local time where no offset is given; a time yet to come is waited for "
         "(default: none)")
      ->type_name("TIME")
      ->excludes(from)
      ->excludes(last);
  app.add_option("--until", options.until,
                 "End behind the event with this sequence, before the first event that is later than this time (as for "
                 "--since), or, with head, behind what is the newest event at the start (default: none)")
      ->type_name("N|TIME|head");
  app.add_option("--filter", options.filter,
                 "Topics wanted: * stands for one token, a final > for one or more (default: >, all of them)")
      ->type_name("PATTERN");
  cmdline::add_number(app, "-n,--count", options.count, internal::QuantityRule::count(1, UINT64_MAX).or_unlimited(0),
                      "End after N events were printed", "unlimited");
  add_choice(
      app, "--format", options.format, {"text", "json", "raw"},
      "text: sequence, time, topic, key (- if none), payload, escaped so that no terminal acts on it; "
      "json: one object a line, bytes that are not UTF-8 as ..._base64; raw: payload bytes as they are and a newline");
  add_choice(app, "--payload", options.payload, {"text", "json"},
             "With --format json. text: the payload as a string, byte for byte; json: nested where it is JSON (but "
             "no string), without blanks");
  add_seconds(app, "--timeout", options.timeout, 0.001, kMaxSeconds, "End with status 5 after so long without an event",
              "none");
  app.add_flag("--strict", options.strict,
               "End with status 8 at a reset or a gap, instead of reporting it and going on (default: go on)");
}

namespace {

Result<Start> start_of(const ReadingOptions& options, std::int64_t now_ns) {
  if (options.last != ReadingOptions::kNotGiven) return Start::last(options.last);
  if (options.since.empty()) return parse_start(options.from);
  const auto time = parse_typed_time(options.since, now_ns);
  if (time) return Start::at_time(*time);
  return time.error()
      .in("--since " + options.since)
      .with_advice("give -5m, 10:30, 2026-08-01T12:34:56+02:00 or @SECONDS");
}

}  // namespace

Result<Reading> check(const ReadingOptions& options) {
  const std::int64_t now_ns = internal::realtime_ns();
  auto start = start_of(options, now_ns);
  if (!start) return start.error();
  auto until = parse_until(options.until, now_ns);
  if (!until) return until.error();
  if (options.payload != "text" && options.format != "json") {
    return Error{ErrorCode::invalid_argument, "--payload json is for --format json: give both"};
  }
  auto filter = TopicFilter::parse(options.filter);
  if (!filter) return filter.error();
  return Reading{.start = *start,
                 .until = *until,
                 .filter = std::move(*filter),
                 .printing = {.format = parse_format(options.format).value_or(Format::text),
                              .payload = options.payload == "json" ? PayloadStyle::json : PayloadStyle::text}};
}

}  // namespace leat::tool
