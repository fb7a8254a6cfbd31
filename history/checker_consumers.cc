// What consumers received.
#include <algorithm>

#include "history/checker.h"

namespace leat::history {

void Checker::take_start(const Fact& fact) {
  key_.assign(fact.who);
  const auto [found, added] = consumers_.try_emplace(key_);
  Consumer& consumer = found->second;
  if (!added) return find(Fault::contradiction, 0, "consumer " + key_ + " starts twice");
  consumer.name = key_;
  consumer.durable = fact.durable_level;
  consumer.cursor.assign(fact.cursor);
  if (fact.has_after) consumer.expected = fact.after + 1;
  if (fact.cursor.empty()) return;
  // The broker may have set the cursor back when it was killed, never forth.
  const std::uint64_t start = std::max<std::uint64_t>(consumer.expected, 1);
  const auto saved = saved_.find(consumer.cursor);
  consumer.at_most = saved == saved_.end() ? start : std::max(start, saved->second + 1);
  consumer.expected = 0;
}

void Checker::take_place(Consumer& c, std::uint64_t sequence) {
  if (c.at_most != 0 && sequence > c.at_most) {
    find(Fault::cursor_skipped, sequence,
         c.name + " goes on at " + std::to_string(sequence) + ", but cursor " + c.cursor +
             " was saved no further than " + std::to_string(c.at_most - 1));
  }
  c.at_most = 0;
  if (c.expected == 0) c.expected = sequence;
  if (sequence == c.expected) {
    ++c.expected;
    return;
  }
  if (sequence > c.expected) {
    find(Fault::gap, c.expected,
         c.name + " was led from " + std::to_string(c.expected - 1) + " to " + std::to_string(sequence) +
             " without a Reset");
    c.gaps.emplace_back(c.expected, sequence - 1);
    c.expected = sequence + 1;
    return;
  }
  const auto holds = [&](const auto& gap) { return gap.first <= sequence && sequence <= gap.second; };
  const bool passed = std::ranges::any_of(c.gaps, holds);
  find(passed ? Fault::reordered : Fault::repeated, sequence,
       c.name + " received sequence " + std::to_string(sequence) + " when " + std::to_string(c.expected) + " was next");
}

void Checker::take_epoch(const Fact& fact) {
  if (fact.epoch == 0 || epochs_.contains(fact.epoch)) return;
  if (!epochs_.empty() && !loss_allowed_) {
    find(Fault::new_epoch, fact.sequence,
         std::string(fact.who) + " sees a new epoch although nothing can have been lost");
  }
  epochs_.insert(fact.epoch);
}

// A slot that was known before this reception: is it the same event, with the same bytes?
void Checker::compare(Slot& slot, std::uint32_t producer, const Fact& fact) {
  if (!slot.hash_known) {
    slot.hash = fact.hash;
    slot.hash_known = true;
  }
  if (slot.hash == fact.hash) return;
  find(Fault::wrong_content, fact.sequence,
       std::string(fact.who) + " received other bytes for " + describe(producer, fact.number) +
           " than were published or seen before");
}

void Checker::take_received(const Fact& fact) {
  ++report_.received;
  Consumer& consumer = *consumer_of(fact.who);
  take_place(consumer, fact.sequence);
  take_epoch(fact);
  const std::uint32_t producer = producer_of(fact.from);
  Producer& from = producers_[producer];
  if (fact.number >= from.next_number || from.refused.contains(fact.number)) {
    return find(Fault::never_published, fact.sequence,
                consumer.name + " received " + describe(producer, fact.number) +
                    ", which was refused, or not begun yet");
  }
  if (fact.sequence < table_.floor()) {
    ++report_.unchecked;
    return;
  }
  Slot* const slot = take_slot(fact.sequence, producer, fact.number);
  if (slot == nullptr) return;
  compare(*slot, producer, fact);
  slot->seen = true;
  slot->durable = slot->durable || consumer.durable;
  highest_seen_ = std::max(highest_seen_, fact.sequence);
  order_what_is_known();
}

void Checker::take_reset(const Fact& fact) {
  ++report_.resets;
  Consumer& consumer = *consumer_of(fact.who);
  const std::string told = consumer.name + " was told Reset (" + std::string(fact.what) + "), wanted " +
                           std::to_string(fact.wanted) + ", retained " + std::to_string(fact.earliest) + " to " +
                           std::to_string(fact.latest);
  const bool of_a_loss = fact.what == "lost_tail" || fact.what == "unknown_epoch" || fact.what == "gap";
  const bool holds = fact.what == "expired"  ? fact.wanted < fact.earliest
                     : fact.what == "future" ? fact.wanted > fact.latest + 1
                                             : of_a_loss;
  if (!holds) find(Fault::unjustified_reset, fact.wanted, told + ": the reason does not hold");
  if (of_a_loss && !loss_allowed_) find(Fault::vanished, fact.wanted, told + ", although nothing can have been lost");
  if (holds && !of_a_loss && !options_.resets_allowed) {
    find(Fault::unjustified_reset, fact.wanted, told + ", although none was to be expected");
  }
  consumer.expected = fact.earliest;
  consumer.at_most = 0;
  consumer.gaps.clear();
}

void Checker::take_end(const Fact& fact) {
  const Consumer& consumer = *consumer_of(fact.who);
  end_known_ = true;
  end_latest_ = std::max(end_latest_, fact.latest);
  const std::string told = consumer.name + " found the feed's end at " + std::to_string(fact.latest);
  if (consumer.expected != 0 && consumer.expected <= fact.latest) {
    find(Fault::gap, consumer.expected,
         told + ", but received nothing from " + std::to_string(consumer.expected) + " on");
  }
  if (highest_seen_ <= fact.latest) return;
  const Slot* const newest = table_.find(highest_seen_);
  if (newest != nullptr && newest->forgivable) return;
  find(Fault::vanished, highest_seen_, told + ", but " + std::to_string(highest_seen_) + " had been received before");
}

}  // namespace leat::history
