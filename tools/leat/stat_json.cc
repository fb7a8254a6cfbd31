// The JSON of stat_report.h.
#include <nlohmann/json.hpp>

#include "tools/leat/stat_report.h"
#include "text/text_encoding.h"

namespace leat::tool {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const ProducerStatus& p) {
  return {{"slot", p.slot},
          {"producer_id", p.producer_id},
          {"pid", p.pid},
          {"uid", p.uid},
          {"name", p.name},
          {"state", p.state},
          {"events", p.events},
          {"refused", p.refused},
          {"would_block_arena", p.would_block_arena},
          {"would_block_ring", p.would_block_ring},
          {"retried_tickets", p.retried_tickets},
          {"arena_bytes", p.arena_bytes},
          {"arena_used_bytes", p.arena_used_bytes}};
}

Json json_of(const ConsumerStatus& c) {
  return {{"slot", c.slot},           {"pid", c.pid},           {"uid", c.uid},
          {"name", c.name},           {"sequence", c.sequence}, {"lag_events", c.lag_events},
          {"lag_bytes", c.lag_bytes}, {"lapped", c.lapped},     {"resets", c.resets}};
}

Json json_of(const std::optional<Rates>& rates) {
  if (!rates) return nullptr;
  return {{"seconds", rates->seconds},
          {"events_per_second", rates->events},
          {"bytes_per_second", rates->bytes},
          {"syncs_per_second", rates->syncs},
          {"events_per_round", rates->events_per_round}};
}

}  // namespace

std::string report_json(const Sample& now, const Sample* before) {
  const FeedStatus& s = now.status;
  std::string epoch;
  append_hex64(epoch, s.epoch);
  std::string time;
  append_iso_time(time, now.realtime_ns, 9);
  Json json = {{"feed", s.feed},
               {"feed_uuid", s.feed_uuid},
               {"timestamp_ns", std::to_string(now.realtime_ns)},  // a double would round it
               {"time", time},
               {"epoch", epoch},
               {"broker_life", s.broker_life},
               {"broker_pid", s.broker_pid},
               {"state", s.state},
               {"earliest_sequence", s.earliest_sequence},
               {"latest_sequence", s.latest_sequence},
               {"durable_sequence", s.durable_sequence},
               {"earliest_position", s.earliest_position},
               {"committed_position", s.committed_position},
               {"durable_position", s.durable_position},
               {"events", s.events},
               {"bytes", s.bytes},
               {"rounds", s.rounds},
               {"refused_entries", s.refused_entries},
               {"bad_tickets", s.bad_tickets},
               {"skipped_tickets", s.skipped_tickets},
               {"ring_repairs", s.ring_repairs},
               {"stalls", s.stalls},
               {"wakeups", s.wakeups},
               {"refused_connections", s.refused_connections},
               {"segments", s.segments},
               {"segment_bytes", s.segment_bytes},
               {"journal_bytes", s.journal_bytes},
               {"lost_segments", s.lost_segments},
               {"recycled_segments", s.recycled_segments},
               {"pruned_segments", s.pruned_segments},
               {"syncs", s.syncs},
               {"last_sync_ns", s.last_sync_ns},
               {"max_sync_ns", s.max_sync_ns},
               {"ring_bytes", s.ring_bytes},
               {"inbound_slots", s.inbound_slots}};
  json["rates"] = json_of(before == nullptr ? std::nullopt : rates_between(*before, now));
  json["producers"] = Json::array();
  for (const ProducerStatus& producer : s.producers) json["producers"].push_back(json_of(producer));
  json["consumers"] = Json::array();
  for (const ConsumerStatus& consumer : s.consumers) json["consumers"].push_back(json_of(consumer));
  // ASCII only, and names that are not UTF-8 must not make it throw.
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace leat::tool
