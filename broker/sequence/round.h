// A round: what the sequencer takes, stamps, appends and publishes in one go.
//
//   take     tickets, until the inbound ring is empty or the round is long enough; for each entry
//              copy it from the arena into the broadcast ring, beyond `committed`   (1 copy; nobody sees it yet)
//              check and stamp the copy: sequence, time, producer, checksum         (in the first-level cache)
//   finish   append all of the round to the journal's mapping                       (1 copy, one memcpy)
//            raise `committed`; report the entries; free the tickets; wake whoever sleeps
//
// Cost of one small event on the critical path: the ticket's line and the entry's two or three lines come from the
// producer's core; `committed` and the record's lines go to the consumers' cores. No locked instruction, no system call
// unless somebody sleeps; one clock reading and one full fence a round.
//
// A round that the journal has no room for is *held*: it is numbered and staged, nobody has seen anything of it, its
// tickets and entries are still its producers'. It stays as it is and is tried again. A broker that dies meanwhile
// leaves behind what a broker leaves that was killed before its append.
#pragma once

#include <cstdint>
#include <functional>

#include "broker/options.h"
#include "broker/rings/registry_layout.h"
#include "broker/sequence/feed_condition.h"
#include "broker/sequence/lanes.h"
#include "broker/sequence/log_tail.h"
#include "broker/sequence/receipts.h"
#include "broker/sequence/record_stamper.h"
#include "broker/sequence/refusals.h"
#include "broker/sequence/wakeups.h"
#include "broker/storage/recovery.h"
#include "shm/ingest/inbound_ring.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// What rounds work on; all of it outlives them.
struct RoundParts {
  internal::InboundConsumer& inbound;
  internal::DoorbellHeader& doorbell;
  JournalHandover& handover;
  RegistryHeader& registry;
  internal::SequencerCounters& counters;
  Lanes& lanes;
  LogTail& log;
  FeedCondition& condition;
  std::function<void()> wake_control;
};

/// One thread. A round is begun, takes entries, and is finished or held; then comes the next.
class Round {
 public:
  Round(const Options& options, RoundParts parts, std::uint64_t feed_seed, JournaledTail journaled);

  /// One whole round of what lies in the inbound ring. False: there was nothing that could be taken.
  bool run();

  /// For who takes entries without their tickets (InboundRepair): a round of its own, from begin() to finish().
  void begin();
  /// Takes what the lane's producer says it has published, `owed` bytes of entries, as far as the round has room.
  void take_published(Lane& lane, std::uint64_t owed);
  /// Everything that was taken is appended, committed and reported; tickets below `end_ticket` are done with. Or the
  /// round is held.
  void finish(std::uint64_t end_ticket);

  /// Nothing was taken that finish() has not dealt with.
  [[nodiscard]] bool is_empty() const noexcept { return log_.is_committed() && receipts_.empty(); }
  /// No outcome of an entry waits to be reported.
  [[nodiscard]] bool is_reported() const noexcept { return receipts_.empty(); }
  [[nodiscard]] bool is_full() const noexcept { return log_.uncommitted_bytes() >= max_bytes_; }

  /// Whoever sleeps and was to be woken with the next round is woken now, as there is none.
  void wake_deferred() { wakeups_.wake_deferred(); }
  void wake_all() { wakeups_.wake(true); }

  [[nodiscard]] bool is_held() const noexcept { return held_; }
  /// The round cannot be appended, up to `end_ticket`: it is held.
  void hold(std::uint64_t end_ticket);
  /// Appends the held round, if it is time to try again, or `at_once`. False: it is held still.
  bool finish_held(bool at_once);

  /// Tickets below `end_ticket` are done with, and their slots free.
  void pass_tickets(std::uint64_t end_ticket) noexcept {
    // A kill before this leaves slots that read as freed by a predecessor: run() passes them.
    registry_.inbound_head.store(end_ticket, std::memory_order_release);
    inbound_.publish_head(end_ticket);
  }

  /// Goes back to the entry that was taken last, if its producer has sealed another one in its place since. Asked while
  /// no outcome waits to be reported.
  bool go_back(Lane& lane);

  /// Completes what the last incarnation had journaled and not completed, before anything new is begun.
  void settle_journaled() {
    if (!journaled_.empty()) [[unlikely]]
      settle();
  }

 private:
  bool take_slot(std::uint64_t slot);
  bool take_ticket(const internal::Ticket& ticket);
  Lane* find_lane(const internal::Ticket& ticket);
  bool take_entries_up_to(Lane& lane, std::uint64_t position);
  bool take_entry(Lane& lane, const Entry& entry);
  void complete_known_entry(Lane& lane, const Entry& entry);
  void refuse(Lane& lane, const Entry& entry, internal::Refusal reason);
  void settle();

  internal::InboundConsumer& inbound_;
  RegistryHeader& registry_;
  internal::SequencerCounters& counters_;
  Lanes& lanes_;
  LogTail& log_;
  FeedCondition& condition_;
  Receipts receipts_;
  Wakeups wakeups_;
  std::uint64_t max_batch_bytes_;
  std::uint64_t max_bytes_;
  std::uint64_t max_tickets_;  // no slot is looked at twice in one round
  RecordStamper stamper_;
  Refusals refusals_;
  JournaledTail journaled_;  // what the last incarnation had journaled of the round it died in
  bool held_ = false;
  std::uint64_t held_ticket_ = 0;  // where the held round ends
  std::int64_t next_append_ns_ = 0;
};

}  // namespace leat::broker
