#include "broker/sequence/refusals.h"

#include <cstring>
#include <string>

#include "broker/log.h"
#include "shm/ingest/refusal_text.h"

namespace leat::broker {

using namespace internal;

namespace {

std::string name_of(const RegistrySlot& slot) { return {slot.name, ::strnlen(slot.name, sizeof slot.name)}; }

}  // namespace

void Refusals::note_entry(Lane& lane, const Entry& entry, Refusal reason) {
  LEAT_ASSERT(reason != Refusal::none && entry.count > 0);
  count(lane);
  lane.arena.count_refused(entry, reason);
  if (!entry_gate_.pass()) return;
  log::warn(
      "refused: an entry of {} events, {} bytes, of producer {} ('{}', pid {}): {} (bounds: {} bytes an event, {} "
      "a batch); it is in the feed nowhere, and its producer is told if it waits for the receipt{}",
      entry.count, entry.record_bytes, lane.producer_id, name_of(*lane.registry), lane.registry->pid,
      refusal_text(reason), lane.max_record_bytes, max_batch_bytes_, entry_gate_.left_out());
}

void Refusals::count(Lane& lane) noexcept {
  bump(counters_.refused_entries);
  bump(lane.row->refused);
}

void Refusals::note_stray_ticket(const Ticket& ticket) {
  note_bad_ticket();
  if (!ticket_gate_.pass()) return;
  log::warn(
      "a ticket of slot {}, generation {} is of no producer that is here, and what it stood for is not taken: its "
      "producer has left, was revoked, or somebody scribbles over the inbound ring{}",
      ticket.producer_slot, ticket.generation, ticket_gate_.left_out());
}

}  // namespace leat::broker
