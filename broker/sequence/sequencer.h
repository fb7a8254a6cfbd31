// The sequencer: the one thread that gives events their numbers.
//
// A round:  take tickets until the inbound ring is empty or the round is long enough; for each entry
//             copy it from the arena into the broadcast ring, beyond `committed`   (1 copy; nobody sees it yet)
//             check and stamp the copy: sequence, time, producer, checksum         (in the first-level cache)
//           append all of the round to the journal's mapping                       (1 copy, one memcpy)
//           commit: raise `committed`; complete the entries; free the tickets; wake whoever sleeps.
//
// Cost of one small event on the critical path: the ticket's line and the entry's two or three lines come from the
// producer's core; `committed` and the record's lines go to the consumers' cores. No locked instruction, no system call
// unless somebody sleeps; one clock reading and one full fence a round.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "broker/rings/registry_layout.h"
#include "broker/storage/handover.h"
#include "broker/storage/journal_writer.h"
#include "broker/storage/recovery.h"
#include "broker/log_gate.h"
#include "broker/options.h"
#include "broker/producers/lane.h"
#include "broker/sequence/record_stamper.h"
#include "broker/sequence/stamp_clock.h"
#include "shm/broadcast/broadcast_ring.h"
#include "shm/ingest/inbound_ring.h"

namespace leat::broker {

/// Everything a sequencer works on; all of it outlives the sequencer.
struct SequencerParts {
  internal::InboundConsumer* inbound = nullptr;
  internal::BroadcastWriter* ring = nullptr;
  internal::DoorbellHeader* doorbell = nullptr;
  JournalWriter* journal = nullptr;
  JournalHandover* handover = nullptr;
  LaneQueues* lanes = nullptr;
  RegistryHeader* registry = nullptr;
  internal::SequencerCounters* counters = nullptr;
  std::function<void()> wake_control;        ///< lane notices, or armed eventfds
  std::function<void(const Error&)> failed;  ///< final
  const std::atomic<std::uint32_t>* next_producer_id = nullptr;
  std::uint32_t producer_slots = 0;
};

struct SequencerStart {
  std::uint64_t position = 0;
  std::uint64_t sequence = 0;
  std::int64_t last_timestamp_ns = 0;
  std::uint64_t feed_seed = 0;
  JournaledTail tail = {};  ///< what the last broker had journaled of the round it died in
};

/// step() and the rest belong to one thread: the one start() makes, or a test's.
class Sequencer {
 public:
  Sequencer(const Options& options, SequencerParts parts, SequencerStart start);
  ~Sequencer();

  void start();
  [[nodiscard]] bool running() const noexcept { return thread_.joinable(); }
  /// Drains what has been published so far, then ends the thread.
  void stop();

  /// One round. False: there was nothing to do.
  bool step();
  /// Takes in the commands of the control thread. Called whenever there is nothing else, and for unknown tickets.
  void take_commands();
  /// Notes in the journal how far it is durable, if that is due. As take_commands(), whenever there is nothing else.
  void write_pending_mark();
  /// Called when there is nothing to do, and now and then: gives up a ticket that was taken and not filled; takes
  /// entries whose tickets were written over. True: something was done.
  bool try_skip();
  bool take_lost_tickets();
  /// After the thread has ended: notes that all is durable up to here and the journal is closed. Returns its end.
  /// Error: as JournalWriter::append; the round that could not be written is the next broker's.
  Result<std::uint64_t> append_clean_mark();

  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }

 private:
  struct Done {
    internal::Atomic<std::uint64_t>* completion;  ///< in the arena
    std::uint64_t value;
  };

  void run();
  void idle(internal::IdleSpinner& spinner);
  bool mend_ring();
  void mend_tail();
  void prefetch(std::uint64_t slot) const noexcept;
  void finish_entry(const Lane& lane, const Entry& entry, internal::CompletionStatus status, std::uint64_t value);
  void touch(Lane& lane) {
    if (lane.touched) return;
    lane.touched = true;
    touched_.push_back(&lane);
  }
  void settle_tail();
  void begin_round();
  bool append_staged() noexcept;
  void finish_round(std::uint64_t end_ticket);
  bool may_go_on();
  void hold_round(std::uint64_t end_ticket);
  bool finish_held_round();
  void complete_entries();
  void prepare_next_round() noexcept;
  void wake_or_defer(std::uint64_t next_ticket);
  void wake_waiters(bool drained);

  bool take_full_slot(std::uint64_t slot);
  bool take_ticket(const internal::Ticket& ticket);
  Lane* find_lane(const internal::Ticket& ticket);
  bool take_entries_up_to(Lane& lane, std::uint64_t position);
  bool take_owed_entries(Lane& lane, std::uint64_t position);
  bool take_entry(Lane& lane, const Entry& entry);
  bool go_back(Lane& lane);
  void finish_known_entry(Lane& lane, const Entry& entry);
  void refuse(Lane& lane, const Entry& entry, internal::Refusal reason);
  void log_refusal(const Lane& lane, const Entry& entry, internal::Refusal reason);
  void note_bad_ticket(const internal::Ticket& ticket);
  void revoke(Lane& lane, internal::Refusal reason);

  bool roll();
  bool write_mark(std::uint16_t flags, std::uint64_t durable_position, std::uint64_t durable_sequence);
  void stage(internal::RecordType type, std::uint16_t flags, const void* payload, std::size_t payload_bytes);
  void cannot_name(const Error& error);
  void set_stalled(bool stalled);
  void release_leavers();

  const Options& options_;
  SequencerParts parts_;
  std::uint64_t position_;
  std::uint64_t sequence_;
  StampClock stamps_;
  std::int64_t timestamp_ns_;  // of this round
  std::uint64_t feed_seed_;
  JournaledTail tail_;
  std::uint64_t appended_;  // in the journal up to here; beyond it, up to position_, staged in the ring
  std::uint64_t committed_;
  std::uint64_t committed_sequence_;
  RecordStamper stamper_;
  std::uint64_t max_batch_bytes_;
  std::uint64_t max_round_bytes_;
  std::uint64_t intent_step_;
  std::vector<Lane> lanes_;
  Lane* recent_lane_;  // of the last ticket: most often the next one's too
  std::vector<Done> done_;
  std::vector<Lane*> touched_;
  std::uint32_t leaving_ = 0;
  std::uint64_t skip_ticket_ = ~0ULL;
  std::uint64_t skip_count_ = 0;  // from that one on, taken when the wait began
  std::int64_t skip_since_ns_ = 0;
  std::uint32_t empty_looks_ = 0;
  std::int64_t next_mend_ns_ = 0;
  LogGate ring_gate_;
  LogGate refusal_gate_;
  LogGate ticket_gate_;
  std::uint32_t rounds_ = 0;
  std::uint32_t deferred_wakes_ = 0;  // rounds whose sleepers have not been looked for yet
  bool mark_pending_ = true;          // all that recovery found has been synced
  MarkRequest pending_mark_{};
  bool stalled_ = false;
  bool end_is_staged_ = false;     // the current segment has its end, but there is no next one yet
  bool round_held_ = false;        // a round is staged that could not be appended yet: nothing else is taken
  std::uint64_t held_ticket_ = 0;  // where it ends
  std::int64_t next_append_ns_ = 0;
  std::unique_ptr<MappedSegment> next_segment_;  // the current one has its end, but this one could not be named yet
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace leat::broker
