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

/// Nanoseconds that the sequencer takes for one event of 64 bytes, in entries of `batch`, rounds of 256, alone: the
/// floor of throughput. Median of many rounds.
double sequencer_alone_ns(std::uint32_t batch);

/// A latency and its floor, measured turn by turn, as a shared machine is fast in one second and slow in the next.
struct Paired {
  Histogram ours{};
  Histogram floor{};
};

/// Publish of 64 bytes until a poll in the same thread has it, all spinning; floors, while the broker is stopped: a
/// cache line's round trip between two threads, and the bare relay.
struct DeliveryLatency : Paired {
  Histogram relay{};
};
DeliveryLatency latency_beside_cache_line(const std::string& scratch, int bursts);

/// Publish of 64 bytes until its receipt says durable, all spinning; floor: BlockSync.
Paired durable_beside_fdatasync(const std::string& scratch, int rounds);

struct IdleBroker {
  double cpu_percent = 0;  ///< of one core, all threads, over a few seconds without events
  Paired wake{};           ///< publish into a sleeping broker, until a spinning consumer has the event; floor: Sleeper
};
IdleBroker idle_broker(const std::string& scratch, double seconds);

/// Starting on a journal of this size.
struct JournalStart {
  std::uint64_t journal_bytes = 0;
  double broker_ms = 0;    ///< from exec until it serves; median of several
  double consumer_ms = 0;  ///< connect at a sequence in the middle, first event delivered; median of several
  std::uint64_t broker_rss_bytes = 0;  ///< anonymous memory: mapped files are the page cache's
};
JournalStart start_on_journal(const std::string& scratch, std::uint64_t bytes);

nlohmann::json to_json(const IdleBroker& idle);
nlohmann::json to_json(const Paired& paired);
nlohmann::json to_json(const JournalStart& start);

}  // namespace leat::bench
