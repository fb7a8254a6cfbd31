// What passes between sequencer and syncer, by Boost.Lockfree queues: each has one thread at either end.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <boost/lockfree/spsc_queue.hpp>

#include "broker/storage/journal_writer.h"
#include "broker/wake_word.h"
#include "shm/feed_state.h"

namespace leat::broker {

/// A request to note in the journal how far it is durable.
struct MarkRequest {
  std::uint64_t position;
  std::uint64_t sequence;
};

/// A segment has become current; `sealed` (may be null) is the one before it.
struct RollNotice {
  MappedSegment* sealed;  ///< owned by the receiver
  int current_fd;         ///< borrowed: stays open until a later notice seals its segment
  internal::SegmentName current;
};

/// Queues and flags shared by the sequencer and the syncer. Pointers in the queues own what they point to.
struct JournalHandover {
  static constexpr std::size_t kQueueSlots = 8;

  boost::lockfree::spsc_queue<MappedSegment*, boost::lockfree::capacity<kQueueSlots>> prepared;  // syncer -> sequencer
  boost::lockfree::spsc_queue<MarkRequest, boost::lockfree::capacity<kQueueSlots>> marks;        // syncer -> sequencer
  boost::lockfree::spsc_queue<RollNotice, boost::lockfree::capacity<kQueueSlots>> rolled;        // sequencer -> syncer

  WakeWord syncer_wake;  ///< rung by the sequencer: rolled, stalled, or something to sync
  std::atomic<internal::FeedState> state{
      internal::FeedState::running};  ///< failed is final; stalled by the sequencer only
  std::atomic<bool> held{false};      ///< by the syncer: nothing is taken until the journal's names are there again

  /// The sequencer takes nothing.
  [[nodiscard]] bool is_closed() const noexcept {
    return state.load(std::memory_order_relaxed) == internal::FeedState::failed || held.load(std::memory_order_relaxed);
  }

  /// The registry's: from here on a successor may have to read the journal, to finish the round of one that was killed.
  const std::atomic<std::uint64_t>* round_position = nullptr;

  ~JournalHandover() {
    prepared.consume_all([](MappedSegment* segment) { delete segment; });
    rolled.consume_all([](const RollNotice& notice) { delete notice.sealed; });
  }
};

}  // namespace leat::broker
