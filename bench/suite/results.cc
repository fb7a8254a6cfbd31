#include "results.h"

#include <cstdio>
#include <stdexcept>

#include "text/table.h"

namespace leat::bench {
namespace {

using nlohmann::json;
using tool::Table;

std::string number(double value, const char* pattern = "%.2f") {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

std::string rate(double per_second) {
  if (per_second >= 1e6) return number(per_second / 1e6, "%.2f M");
  if (per_second >= 1e3) return number(per_second / 1e3, "%.1f k");
  return number(per_second, "%.0f");
}

std::string duration(double ns) {
  if (ns < 1e3) return number(ns, "%.0f ns");
  if (ns < 1e6) return number(ns / 1e3, "%.2f us");
  return number(ns / 1e6, "%.2f ms");
}

json target_json(const Target& target) {
  json out = {{"what", target.what}, {"wanted", target.wanted}, {"basis", target.basis}};
  if (target.known) out["measured"] = target.measured, out["met"] = target.met;
  return out;
}

void finish(std::string& text, Table& table) {
  std::vector<std::string> lines;
  table.append_to(lines);
  for (const std::string& line : lines) text += line + "\n";
  text += "\n";
}

std::string describe(const json& row) {
  std::string text = row["kind"].get<std::string>() + ", " + std::to_string(row["payload_bytes"].get<int>()) + " B, " +
                     std::to_string(row["producers"].get<int>()) + " -> " + std::to_string(row["consumers"].get<int>());
  if (row.contains("rate_per_second")) text += ", " + rate(row["rate_per_second"]) + "/s";
  return text + ", " + row["idle"].get<std::string>() + ", " + row["level"].get<std::string>();
}

void add_floors(std::string& text, const json& floors) {
  using enum Table::Align;
  Table table({left, right, right});
  table.add({"floors of this machine", "p50", "p99"});
  const auto latency = [&](const char* name, const char* key) {
    table.add({name, duration(floors[key]["p50_ns"]), duration(floors[key]["p99_ns"])});
  };
  latency("cache line, round trip between two cores", "cache_line_round_trip");
  latency("futex wake until the woken one answers", "futex_wake");
  latency("write and fdatasync of 4 KiB", "fdatasync_4k");
  table.add({"memcpy", number(floors["memcpy_bytes_per_second"].get<double>() / 1e9, "%.2f GB/s"), ""});
  table.add({"sequential write, synced",
             number(floors["sequential_write_bytes_per_second"].get<double>() / 1e9, "%.2f GB/s"), ""});
  table.add({"copies and checksum of one event of 128 B", duration(floors["relay_ns_per_event"]), ""});
  finish(text, table);
}

void add_rows(std::string& text, const json& rows) {
  using enum Table::Align;
  Table latency({left, left, right, right, right, right, right, right});
  latency.add({"latency", "", "p50", "p90", "p99", "p99.9", "p99.99", "p50 / floor"});
  Table throughput({left, left, right, right});
  throughput.add({"events a second", "", "", "/ floor"});
  std::string failed;
  for (const json& row : rows) {
    const std::string name = row["transport"];
    if (row.contains("error")) {
      failed += "not measured: " + name + ", " + describe(row) + ": " + row["error"].get<std::string>() + "\n";
      continue;
    }
    if (row.contains("lost"))
      failed += "lost or out of order: " + name + ", " + describe(row) + ": " + row["lost"].dump() + "\n";
    const std::string over = row.contains("over_floor") ? number(row["over_floor"]) : "";
    if (row.contains("latency")) {
      const json& p = row["latency"];
      latency.add({name, describe(row), duration(p["p50_ns"]), duration(p["p90_ns"]), duration(p["p99_ns"]),
                   duration(p["p99.9_ns"]), duration(p["p99.99_ns"]), over});
    } else {
      throughput.add({name, describe(row), rate(row["events_per_second"]), over});
    }
  }
  finish(text, latency);
  finish(text, throughput);
  if (!failed.empty()) text += failed + "\n";
}

void add_targets(std::string& text, const json& targets) {
  using enum Table::Align;
  Table table({left, left, right, left, left});
  table.add({"target", "wanted", "measured", "", "from"});
  for (const json& target : targets) {
    const bool known = target.contains("measured");
    table.add({target["what"], target["wanted"], known ? number(target["measured"]) : "?",
               !known                      ? "unknown"
               : target["met"].get<bool>() ? "met"
                                           : "MISSED",
               target["basis"]});
  }
  finish(text, table);
}

}  // namespace

void compare_with_floors(Results& results) {
  const Floors& floors = results.floors;
  for (Outcome& outcome : results.rows) {
    if (!outcome.error.empty()) continue;
    const Setup& setup = outcome.row.setup;
    const auto ratio = [&](const char* floor, double value, double base) {
      if (base > 0) outcome.floor = floor, outcome.over_floor = value / base;
    };
    const double p50 = outcome.p(0.5);
    const double bytes = outcome.events_per_second * static_cast<double>(setup.payload_bytes);
    if (setup.durable && outcome.latency) {
      ratio("fdatasync_4k", p50, static_cast<double>(floors.fdatasync.at(0.5)));
    } else if (outcome.row.kind == Kind::ping && setup.idle == Idle::spin) {
      ratio("cache_line_round_trip", p50, static_cast<double>(floors.cache_line.at(0.5)));
    } else if (outcome.latency) {
      ratio("futex_wake", p50, static_cast<double>(floors.futex_wake.at(0.5)));
    } else if (outcome.row.kind == Kind::acknowledge_window) {
      ratio("fdatasync_4k", static_cast<double>(setup.window) * 1e9 / outcome.events_per_second,
            static_cast<double>(floors.fdatasync.at(0.5)));
    } else {
      ratio("memcpy_bytes_per_second", bytes, floors.memcpy_bytes_per_second);
    }
  }
}

json to_json(const Results& results) {
  json run = {{"format", 1},
              {"machine", results.machine},
              {"transports", results.transports},
              {"floors", to_json(results.floors)},
              {"rows", json::array()},
              {"targets", json::array()},
              {"journal_start", json::array()},
              {"publish_cost_ns", results.publish_cost_ns},
              {"sequencer_alone_ns", results.sequencer_alone_ns},
              {"sequencer_alone_batch_ns", results.sequencer_alone_batch_ns},
              {"instructions", results.instructions},
              {"failures", results.failures}};
  for (const Outcome& outcome : results.rows) run["rows"].push_back(to_json(outcome));
  for (const Target& target : judge(results)) run["targets"].push_back(target_json(target));
  for (const JournalStart& start : results.starts) run["journal_start"].push_back(to_json(start));
  if (results.latency) {
    run["latency_beside_cache_line"] = to_json(*results.latency);
    run["latency_beside_cache_line"]["relay"] = latency_json(results.latency->relay);
  }
  if (results.durable) run["durable_beside_fdatasync"] = to_json(*results.durable);
  if (results.idle) run["idle_broker"] = to_json(*results.idle);
  return run;
}

std::string to_text(const json& run) {
  const json& machine = run.at("machine");
  std::string text = machine.at("cpu").get<std::string>() + ", " + machine.at("cores").dump() + " cores, " +
                     machine.at("kernel").get<std::string>() + ", " + machine.at("compiler").get<std::string>() +
                     ", commit " + machine.at("commit").get<std::string>() + "\n\n";
  add_floors(text, run.at("floors"));
  add_rows(text, run.at("rows"));
  add_targets(text, run.at("targets"));
  for (const json& transport : run.at("transports")) {
    if (!transport.at("missing").get<std::string>().empty()) {
      text += "not there: " + transport.at("name").get<std::string>() + ": " +
              transport.at("missing").get<std::string>() + "\n";
    }
  }
  for (const json& failure : run.at("failures")) text += "not measured: " + failure.get<std::string>() + "\n";
  return text;
}

std::string to_html(const json& run, const std::string& template_html) {
  static const std::string kMark = "/*RUN*/null";
  const auto at = template_html.find(kMark);
  if (at == std::string::npos) throw std::runtime_error("the report's template holds no " + kMark);
  std::string data = run.dump();
  // A text that ends the script element would end the data with it.
  for (auto found = data.find("</"); found != std::string::npos; found = data.find("</", found + 3))
    data.insert(found + 1, "\\");
  std::string html = template_html;
  return html.replace(at, kMark.size(), data);
}

}  // namespace leat::bench
