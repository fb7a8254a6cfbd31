#include "tools/leat/stat_report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "text/table.h"
#include "text/text_encoding.h"

namespace leat::tool {
namespace {

using Align = Table::Align;

std::string decimal(double value, int digits) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string safe(std::string_view text) {
  std::string out;
  append_escaped(out, text, {.ascii_only = true});
  return out;
}

const ProducerStatus* find_producer(const Sample* sample, const ProducerStatus& wanted) {
  if (sample == nullptr) return nullptr;
  for (const ProducerStatus& producer : sample->status.producers) {
    if (producer.slot == wanted.slot && producer.producer_id == wanted.producer_id) return &producer;
  }
  return nullptr;
}

std::string producer_rate(const ProducerStatus& producer, const Sample* before, const std::optional<Rates>& rates) {
  const ProducerStatus* const earlier = find_producer(before, producer);
  if (!rates || earlier == nullptr || earlier->events > producer.events) return "-";
  return decimal(static_cast<double>(producer.events - earlier->events) / rates->seconds, 0);
}

std::string rates_text(const std::optional<Rates>& rates) {
  if (!rates) return "unknown (one look only, or another broker since)";
  return decimal(rates->events, 0) + " events/s, " + human_bytes(rates->bytes) + "/s, " + decimal(rates->syncs, 1) +
         " syncs/s, " + decimal(rates->events_per_round, 1) + " events a commit (over " + decimal(rates->seconds, 2) +
         " s)";
}

// Segments of one size are "60 of 1.0 MiB"; after another --segment-bytes they are not.
std::string segments_text(const FeedStatus& s) {
  const std::string size = human_bytes(static_cast<double>(s.segment_bytes));
  if (s.journal_bytes == s.segments * s.segment_bytes) return std::to_string(s.segments) + " of " + size;
  return std::to_string(s.segments) + ", " + human_bytes(static_cast<double>(s.journal_bytes)) +
         " in all, new ones of " + size;
}

void append_summary(std::vector<std::string>& lines, const FeedStatus& s, const std::optional<Rates>& rates) {
  std::string epoch;
  append_hex64(epoch, s.epoch);
  Table table({Align::left, Align::left});
  table.add({"feed", safe(s.feed) + " (" + safe(s.feed_uuid) + ")"});
  table.add({"state", safe(s.state) + ", broker pid " + std::to_string(s.broker_pid) + ", life " +
                          std::to_string(s.broker_life)});
  table.add({"epoch", epoch});
  table.add({"sequences", "earliest " + std::to_string(s.earliest_sequence) + ", latest " +
                              std::to_string(s.latest_sequence) + ", durable " + std::to_string(s.durable_sequence)});
  table.add({"positions", "earliest " + std::to_string(s.earliest_position) + ", committed " +
                              std::to_string(s.committed_position) + ", durable " + std::to_string(s.durable_position) +
                              " (" + human_bytes(static_cast<double>(s.committed_position - s.durable_position)) +
                              " not yet on disk)"});
  table.add({"rates", rates_text(rates)});
  table.add({"this life", std::to_string(s.events) + " events, " + human_bytes(static_cast<double>(s.bytes)) + ", " +
                              std::to_string(s.rounds) + " commits, " + std::to_string(s.wakeups) + " wake-ups"});
  table.add({"refused", std::to_string(s.refused_entries) + " entries, " + std::to_string(s.bad_tickets) +
                            " tickets, " + std::to_string(s.refused_connections) + " connections"});
  table.add({"skipped", std::to_string(s.skipped_tickets) + " tickets, " + std::to_string(s.ring_repairs) +
                            " ring repairs, " + std::to_string(s.stalls) + " stalls for want of a segment"});
  table.add({"sync", "last " + human_duration(s.last_sync_ns) + ", longest " + human_duration(s.max_sync_ns) + ", " +
                         std::to_string(s.syncs) + " so far"});
  table.add({"segments", segments_text(s) + ", " + std::to_string(s.recycled_segments) + " recycled, " +
                             std::to_string(s.pruned_segments) + " pruned" +
                             (s.lost_segments > 0 ? ", " + std::to_string(s.lost_segments) + " lost" : "")});
  table.add({"rings", "broadcast " + human_bytes(static_cast<double>(s.ring_bytes)) + ", inbound " +
                          std::to_string(s.inbound_slots) + " tickets"});
  table.append_to(lines);
}

void append_producers(std::vector<std::string>& lines, const Sample& now, const Sample* before,
                      const std::optional<Rates>& rates) {
  lines.push_back("");
  lines.push_back("producers: " + std::to_string(now.status.producers.size()));
  if (now.status.producers.empty()) return;
  Table table({Align::right, Align::right, Align::right, Align::right, Align::left, Align::right, Align::right,
               Align::right, Align::right, Align::right, Align::right, Align::right, Align::left});
  table.add({"slot", "id", "pid", "uid", "state", "events", "events/s", "refused", "arena full", "ring full", "retried",
             "arena used", "name"});
  for (const ProducerStatus& p : now.status.producers) {
    table.add({std::to_string(p.slot), std::to_string(p.producer_id), std::to_string(p.pid), std::to_string(p.uid),
               safe(p.state), std::to_string(p.events), producer_rate(p, before, rates), std::to_string(p.refused),
               std::to_string(p.would_block_arena), std::to_string(p.would_block_ring),
               std::to_string(p.retried_tickets),
               human_bytes(static_cast<double>(p.arena_used_bytes)) + " of " +
                   human_bytes(static_cast<double>(p.arena_bytes)),
               safe(p.name)});
  }
  table.append_to(lines);
}

void append_consumers(std::vector<std::string>& lines, const FeedStatus& status) {
  lines.push_back("");
  lines.push_back("consumers: " + std::to_string(status.consumers.size()));
  if (status.consumers.empty()) return;
  Table table({Align::right, Align::right, Align::right, Align::right, Align::right, Align::right, Align::right,
               Align::right, Align::left});
  table.add({"slot", "pid", "uid", "sequence", "lag", "lag bytes", "lapped", "resets", "name"});
  for (const ConsumerStatus& c : status.consumers) {
    table.add({std::to_string(c.slot), std::to_string(c.pid), std::to_string(c.uid), std::to_string(c.sequence),
               std::to_string(c.lag_events), human_bytes(static_cast<double>(c.lag_bytes)), std::to_string(c.lapped),
               std::to_string(c.resets), safe(c.name)});
  }
  table.append_to(lines);
}

}  // namespace

std::optional<Rates> rates_between(const Sample& before, const Sample& now) {
  const FeedStatus& a = before.status;
  const FeedStatus& b = now.status;
  const std::int64_t elapsed_ns = now.monotonic_ns - before.monotonic_ns;
  const bool same_life = a.broker_life == b.broker_life && a.feed_uuid == b.feed_uuid;
  if (!same_life || elapsed_ns <= 0 || b.events < a.events || b.bytes < a.bytes || b.syncs < a.syncs)
    return std::nullopt;
  Rates rates;
  rates.seconds = static_cast<double>(elapsed_ns) / 1e9;
  rates.events = static_cast<double>(b.events - a.events) / rates.seconds;
  rates.bytes = static_cast<double>(b.bytes - a.bytes) / rates.seconds;
  rates.syncs = static_cast<double>(b.syncs - a.syncs) / rates.seconds;
  if (b.rounds > a.rounds) {
    rates.events_per_round = static_cast<double>(b.events - a.events) / static_cast<double>(b.rounds - a.rounds);
  }
  return rates;
}

std::string human_bytes(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return decimal(bytes, unit == 0 || bytes >= 100 ? 0 : 1) + " " + kUnits[unit];
}

std::string human_duration(std::uint64_t ns) {
  const auto value = static_cast<double>(ns);
  if (ns < 1'000) return std::to_string(ns) + " ns";
  if (ns < 1'000'000) return decimal(value / 1e3, 1) + " us";
  if (ns < 1'000'000'000) return decimal(value / 1e6, 2) + " ms";
  return decimal(value / 1e9, 2) + " s";
}

std::vector<std::string> report_table(const Sample& now, const Sample* before) {
  const auto rates = before == nullptr ? std::nullopt : rates_between(*before, now);
  std::vector<std::string> lines;
  append_summary(lines, now.status, rates);
  append_producers(lines, now, before, rates);
  append_consumers(lines, now.status);
  return lines;
}

std::string report_line(const Sample& now, const Sample* before) {
  const FeedStatus& s = now.status;
  const auto rates = before == nullptr ? std::nullopt : rates_between(*before, now);
  std::uint64_t worst_lag = 0;
  for (const ConsumerStatus& consumer : s.consumers) worst_lag = std::max(worst_lag, consumer.lag_events);
  std::string line;
  append_iso_time(line, now.realtime_ns);
  line += " state=" + safe(s.state) + " latest=" + std::to_string(s.latest_sequence) +
          " durable=" + std::to_string(s.durable_sequence) +
          " events_per_s=" + (rates ? decimal(rates->events, 0) : "-") +
          " bytes_per_s=" + (rates ? decimal(rates->bytes, 0) : "-") +
          " producers=" + std::to_string(s.producers.size()) + " consumers=" + std::to_string(s.consumers.size()) +
          " worst_lag=" + std::to_string(worst_lag) + " refused=" + std::to_string(s.refused_entries + s.bad_tickets) +
          " skipped=" + std::to_string(s.skipped_tickets) + " stalls=" + std::to_string(s.stalls) +
          " last_sync_ns=" + std::to_string(s.last_sync_ns);
  return line;
}

}  // namespace leat::tool
