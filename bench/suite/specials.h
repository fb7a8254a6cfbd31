// What is measured of Leat alone: no peer has the like.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "histogram.h"

namespace leat::bench {

/// Nanoseconds that one try_publish of 64 bytes takes while nobody else touches its lines: the broker is stopped, so
/// neither cache lines nor system calls are the broker's. Median of many bursts. Throws std::runtime_error.
double publish_cost_ns(const std::string& scratch);

struct IdleBroker {
  double cpu_percent = 0;   ///< of one core, all threads, over a few seconds without events
  Histogram wake{};         ///< publish into a sleeping broker, until a spinning consumer has the event
};
IdleBroker idle_broker(const std::string& scratch, double seconds);

/// Starting on a journal of this size.
struct JournalStart {
  std::uint64_t journal_bytes = 0;
  double broker_ms = 0;         ///< from exec until it serves; median of several
  double consumer_ms = 0;       ///< connect at a sequence in the middle, first event delivered; median of several
  std::uint64_t broker_rss_bytes = 0;  ///< anonymous memory: mapped files are the page cache's
};
JournalStart start_on_journal(const std::string& scratch, std::uint64_t bytes);

nlohmann::json to_json(const IdleBroker& idle);
nlohmann::json to_json(const JournalStart& start);

}  // namespace leat::bench
