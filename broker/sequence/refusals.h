// What the log says of entries and tickets that are not taken. A producer that does not wait for its receipts never
// hears of them, so the log does.
#pragma once

#include <cstdint>

#include "broker/log_gate.h"
#include "broker/sequence/lane.h"
#include "shm/ingest/inbound_layout.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// One thread.
class Refusals {
 public:
  Refusals(internal::SequencerCounters& counters, std::uint64_t max_batch_bytes) noexcept
      : counters_(counters), max_batch_bytes_(max_batch_bytes) {}

  /// The entry, which was read, is refused: counted here and in its arena, and logged.
  void note_entry(Lane& lane, const Entry& entry, internal::Refusal reason);
  /// One entry more of this producer is refused: for what cannot be read, all that can be said.
  void count(Lane& lane) noexcept;
  /// The ticket is by a producer that has left, or was never here: what it stands for is in no arena that is known.
  void note_stray_ticket(const internal::Ticket& ticket);
  /// A slot of the inbound ring that says nothing that can be taken.
  void note_bad_ticket() noexcept { internal::bump(counters_.bad_tickets); }

 private:
  internal::SequencerCounters& counters_;
  std::uint64_t max_batch_bytes_;  // for the log
  LogGate entry_gate_;
  LogGate ticket_gate_;
};

}  // namespace leat::broker
