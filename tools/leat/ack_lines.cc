#include "tools/leat/ack_lines.h"

#include <algorithm>

#include "text/text_encoding.h"

namespace leat::tool {
namespace {

void append_text(std::string& out, std::string_view text) {
  if (is_utf8(text)) return append_json_string(out, text);
  std::string escaped;  // it quotes the input
  append_escaped(escaped, text, {.ascii_only = true, .keep_backslash = true});
  append_json_string(out, escaped);
}

std::string members_of(const Error& error) {
  std::string text = "\"error\":\"" + std::string(error_name(error.code)) + "\",\"message\":";
  append_text(text, error.message);
  if (error.advice().empty()) return text;
  text += ",\"advice\":";
  append_text(text, error.advice());
  return text;
}

}  // namespace

void AckLines::expect(std::uint64_t line) { entries_.push_back({.line = line, .outcome = {}}); }

AckLines::Entry* AckLines::find(std::uint64_t line) {
  const auto found = std::ranges::lower_bound(entries_, line, {}, &Entry::line);
  return found != entries_.end() && found->line == line ? &*found : nullptr;
}

void AckLines::published(std::uint64_t line, std::uint32_t producer_id, std::uint64_t producer_sequence) {
  if (Entry* const entry = find(line); entry != nullptr) {
    entry->producer_id = producer_id;
    entry->producer_sequence = producer_sequence;
  }
}

void AckLines::settle(std::uint64_t line, std::string outcome) {
  if (Entry* const entry = find(line); entry != nullptr && entry->outcome.empty()) entry->outcome = std::move(outcome);
}

void AckLines::reached(std::uint64_t line, std::uint64_t sequence) {
  settle(line, "\"sequence\":" + std::to_string(sequence));
}
void AckLines::failed(std::uint64_t line, const Error& error) { settle(line, members_of(error)); }
void AckLines::skipped(std::uint64_t line) { settle(line, "\"skipped\":\"ephemeral\""); }

void AckLines::fail_rest(const Error& error) {
  for (Entry& entry : entries_) {
    if (entry.outcome.empty()) entry.outcome = members_of(error);
  }
}

void AckLines::append_known(std::string& out) {
  while (!entries_.empty() && !entries_.front().outcome.empty()) {
    const Entry& entry = entries_.front();
    out += "{\"line\":" + std::to_string(entry.line) + "," + entry.outcome;
    if (entry.producer_sequence != 0) {
      out += ",\"producer_id\":" + std::to_string(entry.producer_id) +
             ",\"producer_sequence\":" + std::to_string(entry.producer_sequence);
    }
    out += "}\n";
    entries_.pop_front();
  }
}

}  // namespace leat::tool
