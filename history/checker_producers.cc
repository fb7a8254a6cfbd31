// What producers began, what was reported to them, and what happened to the broker.
#include <algorithm>

#include "history/checker.h"

namespace leat::history {

void Checker::take_invoke(const Fact& fact) {
  const std::uint32_t index = producer_of(fact.who);
  Producer& producer = producers_[index];
  const bool again = producer.refused.erase(fact.number) != 0;  // the same event, tried again
  if (!again && fact.number < producer.next_number) {
    return find(Fault::contradiction, 0, describe(index, fact.number) + " is begun, but later ones were begun before");
  }
  producer.next_number = std::max(producer.next_number, fact.number + 1);
  producer.open[fact.number] = {.hash = fact.hash, .begin_ns = fact.at_ns, .place = fact.place, .batch = fact.batch};
  ++report_.published;
}

// False if the fact makes no sense.
bool Checker::note_reported(Producer& producer, const Fact& fact, Reported level) {
  if (fact.number >= producer.next_number || producer.refused.contains(fact.number)) {
    find(Fault::contradiction, 0,
         std::string(to_string(fact.kind)) + ": " + describe(producer_of(fact.who), fact.number) +
             " was never begun, or refused");
    return false;
  }
  if (fact.number >= producer.next_reported) {
    ++report_.accepted;
    producer.next_reported = fact.number + 1;
  }
  const auto open = producer.open.find(fact.number);
  if (open != producer.open.end()) {
    open->second.reported = std::max(open->second.reported, level);
    if (open->second.end_ns == 0) open->second.end_ns = fact.at_ns;
  }
  return true;
}

void Checker::take_accepted(const Fact& fact) {
  (void)note_reported(producers_[producer_of(fact.who)], fact, Reported::accepted);
}

void Checker::take_sequence(const Fact& fact, Reported level) {
  const std::uint32_t index = producer_of(fact.who);
  if (!note_reported(producers_[index], fact, level)) return;
  ++(level == Reported::durable ? report_.durable : report_.committed);
  Slot* const slot = take_slot(fact.sequence, index, fact.number);
  if (slot == nullptr) return;
  slot->reported = true;
  slot->durable = slot->durable || level == Reported::durable;
  order_what_is_known();
}

void Checker::take_refused(const Fact& fact) {
  const std::uint32_t index = producer_of(fact.who);
  Producer& producer = producers_[index];
  ++report_.refused;
  const auto open = producer.open.find(fact.number);
  if (open == producer.open.end() || open->second.reported != Reported::nothing) {
    const Fault fault = fact.number < producer.next_number ? Fault::never_published : Fault::contradiction;
    return find(fault, 0, describe(index, fact.number) + " was refused, but delivered or accepted before");
  }
  producer.open.erase(open);
  producer.refused.insert(fact.number);
}

// After a loss of power only what is durable must be there, and a repair may have taken anything.
void Checker::forgive_what_is_not_durable() {
  for (Producer& producer : producers_) {
    for (auto& [number, open] : producer.open) open.forgivable = open.reported != Reported::durable;
  }
  for (auto& [index, page] : table_.pages()) {
    for (Slot& slot : page->slots) slot.forgivable = slot.used && !slot.durable;
  }
}

void Checker::take_broker(const Fact& fact) {
  ++report_.broker_facts;
  if (fact.what != "power_lost" && fact.what != "repaired") return;
  loss_allowed_ = true;
  forgive_what_is_not_durable();
}

}  // namespace leat::history
