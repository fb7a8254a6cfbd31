// The order of events. Each is looked at once, in the order of sequences, as soon as all before it are known; so a
// producer's own order, adjacency of batches and order in real time each need one look back.
#include <algorithm>

#include "history/checker.h"

namespace leat::history {

// The slot of `sequence`, which is said to hold this event. Null if it holds another one, which is reported.
Slot* Checker::take_slot(std::uint64_t sequence, std::uint32_t producer, std::uint64_t number) {
  if (sequence < table_.floor()) return nullptr;
  Slot* slot = table_.find(sequence);
  if (slot != nullptr && (slot->producer != producer || slot->number != number)) {
    if (!slot->forgivable) {
      find(Fault::two_contents, sequence,
           "sequence " + std::to_string(sequence) + " is " + describe(slot->producer, slot->number) + ", and also " +
               describe(producer, number));
      return nullptr;
    }
    replace_lost_tail(sequence);
    slot = nullptr;
  }
  if (slot != nullptr) return slot;
  slot = &table_.use(sequence);
  slot->producer = producer;
  slot->number = number;
  const auto open = producers_[producer].open.find(number);
  if (open != producers_[producer].open.end()) {
    slot->hash = open->second.hash;
    slot->hash_known = true;
  }
  return slot;
}

// Power was lost, and other events stand from here on: the tail that was lost is forgotten, if it may be.
void Checker::replace_lost_tail(std::uint64_t sequence) {
  for (auto& [index, page] : table_.pages()) {
    for (std::uint64_t i = 0; i < EventTable::kPageSlots; ++i) {
      const std::uint64_t at = index * EventTable::kPageSlots + i;
      const Slot slot = page->slots[i];
      if (at < sequence || !slot.used) continue;
      if (!slot.forgivable)
        find(Fault::lost_durable, at, describe(slot.producer, slot.number) + " was durable and is gone");
      table_.forget(at);
    }
  }
  next_to_order_ = std::min(next_to_order_, sequence);
  highest_seen_ = std::min(highest_seen_, sequence - 1);
  batch_.left = 0;
}

void Checker::order_what_is_known() {
  for (const Slot* slot = nullptr; (slot = table_.find(next_to_order_)) != nullptr;) {
    if (next_to_order_ == 1) ordered_gap_ = false;
    order(next_to_order_, *slot);
  }
  keep_to_window();
}

void Checker::order(std::uint64_t sequence, const Slot& slot) {
  next_to_order_ = sequence + 1;
  Producer& producer = producers_[slot.producer];
  const auto found = producer.open.find(slot.number);
  Open* const open = found == producer.open.end() ? nullptr : &found->second;
  if (slot.number < producer.next_ordered) {
    find(open != nullptr ? Fault::reordered_by_producer : Fault::repeated, sequence,
         describe(slot.producer, slot.number) + " stands at " + std::to_string(sequence) + ", behind its number " +
             std::to_string(producer.next_ordered - 1) + (open != nullptr ? "" : ", for the second time"));
  }
  producer.next_ordered = std::max(producer.next_ordered, slot.number + 1);
  order_batch(sequence, slot, open);
  ordered_gap_ = false;
  if (open == nullptr) return;
  if (open->end_ns != 0 && open->end_ns < latest_begin_ns_) {
    find(Fault::reordered_in_time, sequence,
         describe(slot.producer, slot.number) + " stands at " + std::to_string(sequence) +
             ", behind an event that was begun " + std::to_string(latest_begin_ns_ - open->end_ns) +
             " ns after it had been published");
  }
  latest_begin_ns_ = std::max(latest_begin_ns_, open->begin_ns);
  producer.open.erase(found);
}

void Checker::order_batch(std::uint64_t sequence, const Slot& slot, const Open* open) {
  const bool goes_on = batch_.left > 0 && slot.producer == batch_.producer && slot.number == batch_.next_number;
  const bool begins_within = open != nullptr && open->place > 0 && !goes_on;
  if ((batch_.left > 0 && !goes_on) || (begins_within && !ordered_gap_)) {
    find(Fault::torn_batch, sequence,
         "before " + std::to_string(sequence) + ", " + describe(slot.producer, slot.number) +
             ", part of a batch is missing");
  }
  if (open == nullptr) {
    batch_.left = 0;
    return;
  }
  batch_ = {.producer = slot.producer, .next_number = slot.number + 1, .left = open->batch - open->place - 1};
}

// The lowest page: what was not in order so far is taken as it is, over its holes; then all of it is judged.
void Checker::order_page(std::uint64_t index) {
  const EventTable::Page& page = *table_.pages().at(index);
  for (std::uint64_t i = 0; i < EventTable::kPageSlots; ++i) {
    const std::uint64_t sequence = index * EventTable::kPageSlots + i;
    const Slot& slot = page.slots[i];
    if (!slot.used) continue;
    if (sequence >= next_to_order_) {
      if (sequence != next_to_order_) {
        ordered_gap_ = true;
        batch_.left = 0;
      }
      order(sequence, slot);
    }
    judge_slot(sequence, slot);
  }
}

void Checker::keep_to_window() {
  if (options_.window_events == 0) return;
  while (table_.held() > options_.window_events + 2 * EventTable::kPageSlots) {
    order_page(table_.pages().begin()->first);
    table_.drop_lowest_page();
    next_to_order_ = std::max(next_to_order_, table_.floor());
  }
}

// A sequence that was reported to a producer, and that no consumer has received.
void Checker::judge_slot(std::uint64_t sequence, const Slot& slot) {
  if (slot.seen || slot.forgivable) return;
  if (!end_known_ || sequence <= end_latest_) {
    ++report_.undecided;
    return;
  }
  find(slot.durable ? Fault::lost_durable : Fault::lost_committed, sequence,
       describe(slot.producer, slot.number) + " was to be at " + std::to_string(sequence) + ", but the feed ends at " +
           std::to_string(end_latest_));
}

void Checker::judge_open_events(bool all_was_read) {
  for (std::uint32_t i = 0; i < producers_.size(); ++i) {
    for (const auto& [number, open] : producers_[i].open) {
      if (open.reported == Reported::nothing || open.forgivable) continue;
      if (!all_was_read) {
        ++report_.undecided;
        continue;
      }
      const auto fault = open.reported == Reported::accepted    ? Fault::lost_accepted
                         : open.reported == Reported::committed ? Fault::lost_committed
                                                                : Fault::lost_durable;
      find(fault, 0, describe(i, number) + " was reported so, and nobody has received it");
    }
  }
}

}  // namespace leat::history
