// The JSON of stat_report.h.
#include "tools/leat/stat_report.h"

#include "text/json_writer.h"
#include "text/text_encoding.h"

namespace leat::tool {
namespace {

JsonObject ascii_object() { return JsonObject(JsonOrder::as_added, JsonStrings::ascii); }

JsonText json_of(const ProducerStatus& p) {
  return ascii_object()
      .add("slot", p.slot)
      .add("producer_id", p.producer_id)
      .add("pid", p.pid)
      .add("uid", p.uid)
      .add("name", p.name)
      .add("state", p.state)
      .add("events", p.events)
      .add("refused", p.refused)
      .add("would_block_arena", p.would_block_arena)
      .add("would_block_ring", p.would_block_ring)
      .add("retried_tickets", p.retried_tickets)
      .add("arena_bytes", p.arena_bytes)
      .add("arena_used_bytes", p.arena_used_bytes)
      .json();
}

JsonText json_of(const ConsumerStatus& c) {
  return ascii_object()
      .add("slot", c.slot)
      .add("pid", c.pid)
      .add("uid", c.uid)
      .add("name", c.name)
      .add("sequence", c.sequence)
      .add("lag_events", c.lag_events)
      .add("lag_bytes", c.lag_bytes)
      .add("lapped", c.lapped)
      .add("resets", c.resets)
      .json();
}

JsonText json_of(const std::optional<Rates>& rates) {
  if (!rates) return json_value(std::nullopt);
  return ascii_object()
      .add("seconds", rates->seconds)
      .add("events_per_second", rates->events)
      .add("bytes_per_second", rates->bytes)
      .add("syncs_per_second", rates->syncs)
      .add("events_per_round", rates->events_per_round)
      .json();
}

}  // namespace

std::string report_json(const Sample& now, const Sample* before) {
  const FeedStatus& s = now.status;
  std::string epoch;
  append_hex64(epoch, s.epoch);
  std::string time;
  append_iso_time(time, now.realtime_ns, 9);
  JsonObject json = ascii_object();
  json.add("feed", s.feed)
      .add("feed_uuid", s.feed_uuid)
      .add("timestamp_ns", std::to_string(now.realtime_ns))  // a double would round it
      .add("time", time)
      .add("epoch", epoch)
      .add("broker_life", s.broker_life)
      .add("broker_pid", s.broker_pid)
      .add("state", s.state)
      .add("earliest_sequence", s.earliest_sequence)
      .add("latest_sequence", s.latest_sequence)
      .add("durable_sequence", s.durable_sequence)
      .add("earliest_position", s.earliest_position)
      .add("committed_position", s.committed_position)
      .add("durable_position", s.durable_position)
      .add("events", s.events)
      .add("bytes", s.bytes)
      .add("rounds", s.rounds)
      .add("refused_entries", s.refused_entries)
      .add("bad_tickets", s.bad_tickets)
      .add("skipped_tickets", s.skipped_tickets)
      .add("ring_repairs", s.ring_repairs)
      .add("stalls", s.stalls)
      .add("wakeups", s.wakeups)
      .add("refused_connections", s.refused_connections)
      .add("segments", s.segments)
      .add("segment_bytes", s.segment_bytes)
      .add("journal_bytes", s.journal_bytes)
      .add("lost_segments", s.lost_segments)
      .add("recycled_segments", s.recycled_segments)
      .add("pruned_segments", s.pruned_segments)
      .add("syncs", s.syncs)
      .add("last_sync_ns", s.last_sync_ns)
      .add("max_sync_ns", s.max_sync_ns)
      .add("ring_bytes", s.ring_bytes)
      .add("inbound_slots", s.inbound_slots);
  json.add("rates", json_of(before == nullptr ? std::nullopt : rates_between(*before, now)));
  JsonArray producers;
  for (const ProducerStatus& producer : s.producers) producers.add(json_of(producer));
  JsonArray consumers;
  for (const ConsumerStatus& consumer : s.consumers) consumers.add(json_of(consumer));
  return json.add("producers", producers).add("consumers", consumers).json().text;  // ASCII only
}

}  // namespace leat::tool
