#include "history/report.h"

#include <utility>

namespace leat::history {
namespace {

using Counter = std::pair<std::string_view, std::uint64_t>;

std::array<Counter, 13> counters_of(const Report& r) {
  return {{{"facts", r.facts},
           {"producers", r.producers},
           {"consumers", r.consumers},
           {"published", r.published},
           {"accepted", r.accepted},
           {"committed", r.committed},
           {"durable", r.durable},
           {"refused", r.refused},
           {"without_outcome", r.without_outcome},
           {"events", r.events},
           {"received", r.received},
           {"resets", r.resets},
           {"broker_facts", r.broker_facts}}};
}

void append_pair(std::string& out, std::string_view name, std::uint64_t value) {
  out.append("\"").append(name).append("\":").append(std::to_string(value));
}

// Names in findings come from parsed facts, which hold neither quotes nor backslashes nor control bytes.
void append_finding(std::string& out, const Finding& finding) {
  out.append("{\"fault\":\"").append(to_string(finding.fault)).append("\",");
  append_pair(out, "at", static_cast<std::uint64_t>(finding.at_ns));
  out += ',';
  append_pair(out, "sequence", finding.sequence);
  out.append(",\"text\":\"").append(finding.text).append("\"}");
}

}  // namespace

std::string Report::to_text() const {
  std::string out;
  for (const auto& [name, value] : counters_of(*this)) {
    out.append(out.empty() ? "" : ", ").append(std::to_string(value)).append(" ").append(name);
  }
  out += '\n';
  if (undecided != 0) {
    out += std::to_string(undecided) + " events are undecided: nobody read where they should be\n";
  }
  if (unchecked != 0) out += std::to_string(unchecked) + " receptions lay below the window and were not compared\n";
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (faults[i] != 0) out.append(kFaultNames[i]).append(": ").append(std::to_string(faults[i])).append("\n");
  }
  for (const Finding& finding : findings) {
    out.append("  ").append(to_string(finding.fault)).append(": ").append(finding.text);
    if (finding.at_ns != 0) out.append(" (at ").append(std::to_string(finding.at_ns)).append(")");
    out += '\n';
  }
  return out;
}

std::string Report::to_json() const {
  std::string out = good() ? "{\"good\":true" : "{\"good\":false";
  for (const auto& [name, value] : counters_of(*this)) append_pair(out += ',', name, value);
  append_pair(out += ',', "undecided", undecided);
  append_pair(out += ',', "unchecked", unchecked);
  out += ",\"faults\":{";
  bool first = true;
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (faults[i] == 0) continue;
    append_pair(first ? out : out += ',', kFaultNames[i], faults[i]);
    first = false;
  }
  out += "},\"findings\":[";
  for (const Finding& finding : findings) {
    if (out.back() != '[') out += ',';
    append_finding(out, finding);
  }
  return out + "]}";
}

}  // namespace leat::history
