// What is said of entries and tickets that are not taken. A producer that does not wait for its receipts never hears of
// it, so the log does.
#include <cstring>

#include "broker/log.h"
#include "broker/sequence/sequencer.h"

namespace leat::broker {

using namespace internal;

namespace {

std::string why(Refusal reason) {
  switch (reason) {
    case Refusal::none: return "no reason";
    case Refusal::bad_entry: return "its entry header is out of bounds";
    case Refusal::bad_record: return "a record's fields contradict each other";
    case Refusal::bad_topic: return "bad topic";
    case Refusal::too_large: return "it is too large";
    case Refusal::bad_sequence: return "its producer sequence does not follow on";
  }
  return "unknown reason";
}

std::string name_of(const RegistrySlot& slot) { return {slot.name, ::strnlen(slot.name, sizeof slot.name)}; }

}  // namespace

void Sequencer::log_refusal(const Lane& lane, const Entry& entry, Refusal reason) {
  if (!refusal_gate_.pass()) return;
  log::warn(
      "refused: an entry of {} events, {} bytes, of producer {} ('{}', pid {}): {} (bounds: {} bytes an event, {} "
      "a batch); it is in the feed nowhere, and its producer is told if it waits for the receipt{}",
      entry.count, entry.record_bytes, lane.producer_id, name_of(*lane.registry), lane.registry->pid, why(reason),
      lane.max_record_bytes, max_batch_bytes_, refusal_gate_.left_out());
}

// Of a producer that has left, or was never here: what it stands for is in no arena that is known.
void Sequencer::note_bad_ticket(const Ticket& ticket) {
  bump(parts_.counters->bad_tickets);
  if (!ticket_gate_.pass()) return;
  log::warn(
      "a ticket of slot {}, generation {} is of no producer that is here, and what it stood for is not taken: its "
      "producer has left, was revoked, or somebody scribbles over the inbound ring{}",
      ticket.producer_slot, ticket.generation, ticket_gate_.left_out());
}

}  // namespace leat::broker
