// The sequencer: the one thread that gives events their numbers. It steps what its parts do:
//
//   Round           round.h           takes entries by their tickets, and finishes what was taken; with it
//     Receipts      receipts.h        what the round owes to producers
//     Wakeups       wakeups.h         whoever sleeps until there is something new
//   Lanes           lanes.h           the producers: who is served, who leaves
//   LogTail         log_tail.h        numbers and times; ring, journal, roll and `committed`
//   FeedCondition   feed_condition.h  runs, stalled, held, failed
//   InboundRepair   inbound_repair.h  tickets that were never filled, overwritten or moved
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "base/idle.h"
#include "broker/options.h"
#include "broker/producers/lane_queues.h"
#include "broker/sequence/feed_condition.h"
#include "broker/sequence/inbound_repair.h"
#include "broker/sequence/lanes.h"
#include "broker/sequence/log_tail.h"
#include "broker/sequence/round.h"
#include "broker/storage/handover.h"
#include "broker/storage/journal_writer.h"
#include "broker/storage/recovery.h"
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
  void take_commands() { lanes_.take_commands(); }
  /// Notes in the journal how far it is durable, if that is due. As take_commands(), whenever there is nothing else.
  void write_pending_mark();
  /// Called when there is nothing to do, and now and then: see InboundRepair. True: something was done.
  bool try_skip() { return repair_.try_skip(); }
  bool take_lost_tickets() { return repair_.take_lost_tickets(); }
  /// After the thread has ended: notes that all is durable up to here and the journal is closed. Returns its end.
  /// Error: as JournalWriter::append; the round that could not be written is the next broker's.
  Result<std::uint64_t> append_clean_mark();

  [[nodiscard]] std::uint64_t sequence() const noexcept { return log_.sequence(); }
  [[nodiscard]] std::uint64_t position() const noexcept { return log_.position(); }

 private:
  void run();
  void drain();
  void idle(internal::IdleSpinner& spinner);
  void do_chores();
  bool look_around();
  bool may_go_on();
  [[nodiscard]] bool has_other_work(bool closed) const;

  const Options& options_;
  internal::InboundConsumer& inbound_;
  JournalHandover& handover_;
  internal::SequencerCounters& counters_;
  FeedCondition condition_;
  Lanes lanes_;
  LogTail log_;
  Round round_;
  InboundRepair repair_;
  std::uint32_t rounds_ = 0;
  std::uint32_t empty_looks_ = 0;  // since the last round
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace leat::broker
