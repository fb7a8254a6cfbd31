#include "history/checker.h"

#include <algorithm>

namespace leat::history {

void Checker::find(Fault fault, std::uint64_t sequence, const std::string& text) {
  ++report_.faults[static_cast<std::size_t>(fault)];
  if (report_.findings.size() >= options_.max_findings) return;
  report_.findings.push_back({.fault = fault, .at_ns = now_ns_, .sequence = sequence, .text = text});
}

std::uint32_t Checker::producer_of(std::string_view name) {
  key_.assign(name);
  const auto [found, added] = producer_index_.try_emplace(key_, static_cast<std::uint32_t>(producers_.size()));
  if (added) producers_.emplace_back().name = key_;
  return found->second;
}

Checker::Consumer* Checker::consumer_of(std::string_view name) {
  key_.assign(name);
  const auto found = consumers_.find(key_);
  if (found != consumers_.end()) return &found->second;
  find(Fault::contradiction, 0, "consumer " + key_ + " has no \"start\"");
  Consumer& made = consumers_[key_];
  made.name = key_;
  return &made;
}

std::string Checker::describe(std::uint32_t producer, std::uint64_t number) const {
  return "event " + std::to_string(number) + " of " + producers_[producer].name;
}

void Checker::take(const Fact& fact) {
  ++report_.facts;
  if (fact.at_ns < now_ns_) find(Fault::contradiction, 0, "the facts do not come in the order of their times");
  now_ns_ = fact.at_ns;
  switch (fact.kind) {
    case FactKind::invoke: return take_invoke(fact);
    case FactKind::accepted: return take_accepted(fact);
    case FactKind::committed: return take_sequence(fact, Reported::committed);
    case FactKind::durable: return take_sequence(fact, Reported::durable);
    case FactKind::refused: return take_refused(fact);
    case FactKind::start: return take_start(fact);
    case FactKind::received: return take_received(fact);
    case FactKind::reset: return take_reset(fact);
    case FactKind::end: return take_end(fact);
    case FactKind::broker: return take_broker(fact);
    case FactKind::saving: {
      const Consumer* const consumer = consumer_of(fact.who);
      std::uint64_t& saved = saved_[consumer->cursor];
      saved = std::max(saved, fact.sequence);
      return;
    }
    case FactKind::unknown:
    case FactKind::tick: return;
  }
}

const Report& Checker::finish() {
  now_ns_ = 0;
  order_what_is_known();
  while (!table_.pages().empty()) {
    order_page(table_.pages().begin()->first);
    table_.drop_lowest_page();
  }
  if (batch_.left > 0 && end_known_ && !ordered_gap_) {
    find(Fault::torn_batch, end_latest_,
         "the feed ends in the middle of a batch of " + producers_[batch_.producer].name);
  }
  report_.events = table_.used();
  judge_open_events(end_known_ && table_.used() >= end_latest_);
  report_.producers = producers_.size();
  report_.consumers = consumers_.size();
  const std::uint64_t settled = report_.accepted + report_.refused;
  report_.without_outcome = report_.published > settled ? report_.published - settled : 0;
  return report_;
}

}  // namespace leat::history
