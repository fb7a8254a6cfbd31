// What `leat stat` shows, as a table, as a line and as JSON. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <leat/feed_status.h>

namespace leat::tool {

/// A look at a feed, with the time it was taken.
struct Sample {
  FeedStatus status;
  std::int64_t monotonic_ns = 0;
  std::int64_t realtime_ns = 0;
};

/// What happened a second between two looks.
struct Rates {
  double seconds = 0;
  double events = 0;
  double bytes = 0;
  double syncs = 0;
  double events_per_round = 0;  ///< how many events the sequencer commits at once
};

/// Nothing if `before` is of another incarnation of the broker: its counters began anew.
std::optional<Rates> rates_between(const Sample& before, const Sample& now);

/// Lines without newlines, free of control bytes.
std::vector<std::string> report_table(const Sample& now, const Sample* before);

/// "2026-08-01T12:34:56.000000Z state=running latest=... ": one line, without a newline.
std::string report_line(const Sample& now, const Sample* before);

/// One object, without a newline.
std::string report_json(const Sample& now, const Sample* before);

/// "1.5 MiB".
std::string human_bytes(double bytes);
/// "1.25 ms".
std::string human_duration(std::uint64_t ns);

}  // namespace leat::tool
