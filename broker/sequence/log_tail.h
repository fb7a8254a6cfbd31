// The end of the log, where it grows: in the broadcast ring, in the journal, and in what consumers may see.
//
//        committed          appended            position
//   ---------+------------------+-------------------+--->   the stream
//    visible | in the journal   | staged: in the    |
//            | too, not visible | ring alone        |
//
// Bytes are staged as entries are taken, appended to the journal all at once at the end of the round, then committed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <leat/result.h>

#include "base/check.h"
#include "base/words.h"
#include "broker/options.h"
#include "broker/rings/registry_layout.h"
#include "broker/sequence/feed_condition.h"
#include "broker/sequence/stamp_clock.h"
#include "broker/storage/handover.h"
#include "broker/storage/journal_writer.h"
#include "record/record_layout.h"
#include "shm/broadcast/broadcast_ring.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// What the log's tail lies in; all of it outlives the tail.
struct LogTailParts {
  internal::BroadcastWriter& ring;
  JournalWriter& journal;
  JournalHandover& handover;
  RegistryHeader& registry;
  internal::SequencerCounters& counters;
  const std::atomic<std::uint32_t>& next_producer_id;
};

/// Where the log ended when this broker took it over.
struct LogEnd {
  std::uint64_t position = 0;
  std::uint64_t sequence = 0;
  std::int64_t last_timestamp_ns = 0;
  std::uint64_t feed_seed = 0;
};

/// One thread.
class LogTail {
 public:
  LogTail(const Options& options, LogTailParts parts, const LogEnd& end, FeedCondition& condition);

  /// Behind the newest record that was taken, and the newest event below it.
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }
  [[nodiscard]] std::uint64_t committed_sequence() const noexcept { return committed_sequence_; }
  [[nodiscard]] std::uint64_t uncommitted_bytes() const noexcept { return position_ - committed_; }
  [[nodiscard]] bool is_committed() const noexcept { return position_ == committed_; }
  /// What an event that is staged now is stamped with.
  [[nodiscard]] std::int64_t timestamp_ns() const noexcept { return timestamp_ns_; }

  /// A round begins here: a successor that finds it unfinished scans from here on.
  void begin_round() {
    announce();
    timestamp_ns_ = stamps_.now();
  }

  /// True: `bytes` more fit into the current segment, or into the next one, which is current now. False: there is no
  /// next one yet, and nothing more can be staged.
  [[nodiscard]] bool make_room(std::uint64_t bytes) {
    return journal_.has_room(position_ - appended_ + bytes) || roll();
  }
  /// Where the next records are stored: in the ring, where nobody looks yet. The caller has made room.
  [[nodiscard]] std::byte* stage(std::uint64_t bytes) noexcept {
    // Raised in steps, so that not every event moves the line that all readers check.
    const std::uint64_t intent = internal::align_up(position_ + bytes, intent_step_);
    LEAT_DCHECK(bytes % internal::kRecordAlignment == 0 && intent - committed_ <= ring_.capacity());
    ring_.raise_intent(intent);
    return ring_.place(position_);
  }
  /// The events that stage() gave a place to belong to the log from here on. Returns the first one's number.
  std::uint64_t take(std::uint64_t bytes, std::uint32_t events) noexcept {
    LEAT_DCHECK(bytes >= events * internal::kRecordHeaderBytes && events > 0);
    const std::uint64_t first = sequence_ + 1;
    journal_.index(position_, first, timestamp_ns_);
    sequence_ += events;
    position_ += bytes;
    return first;
  }

  /// Appends what is staged to the journal. The ring holds the records as the journal will: one append, which appears
  /// whole or not at all. False: nothing of it is there, for the reason append_error(); it stays staged.
  [[nodiscard]] bool append() noexcept {
    LEAT_DCHECK(committed_ <= appended_ && appended_ <= position_);
    if (appended_ == position_) return true;
    if (!journal_.append(ring_.place(appended_), position_ - appended_)) [[unlikely]]
      return false;
    appended_ = position_;
    return true;
  }
  [[nodiscard]] Error append_error() const { return journal_.append_error(); }

  /// Shows consumers what was appended.
  void commit_round() noexcept {
    if (is_committed()) return;
    internal::bump(counters_.events, sequence_ - committed_sequence_);
    internal::bump(counters_.bytes, position_ - committed_);
    internal::bump(counters_.rounds);
    commit();
  }

  /// Gets the lines and the page of the next round's stores ready, off the critical path: whoever waits for this round
  /// has been served, and `committed` becomes visible after all stores before it.
  void prepare_next_round() noexcept {
    std::byte* const next = ring_.place(position_);
    for (std::uint64_t line = 0; line < kPreparedBytes; line += internal::kCacheLineBytes)
      internal::prefetch_for_write(next + line);
    journal_.prepare(kPreparedBytes);
  }

  /// Takes in what the syncer says of how far the journal is durable. True: a mark that says so is owed to the journal.
  [[nodiscard]] bool take_mark_requests();
  /// Writes that mark if there is room for it; otherwise it comes after the next roll. False: it is staged, and could
  /// not be appended.
  [[nodiscard]] bool write_owed_mark();
  /// The journal is closed: notes that all of it is durable. Returns its end. Error: as JournalWriter::append.
  Result<std::uint64_t> append_clean_mark();

  /// A roll that had to wait can go on: a prepared segment has come.
  [[nodiscard]] bool can_roll_on() const { return next_segment_ == nullptr && handover_.prepared.read_available() > 0; }

  /// To be called now and then: a wall clock that was set is believed by the time something comes.
  void look_at_clock() { stamps_.look(); }

 private:
  static constexpr std::uint64_t kPreparedBytes = 4 * internal::kCacheLineBytes;  // a small event, wherever it begins

  void announce() noexcept {
    LEAT_DCHECK(appended_ == committed_);  // what is not committed yet lies behind this place
    registry_.round_position.store(position_, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // a kill sees stores in program order
  }
  void commit() noexcept {
    LEAT_DCHECK(appended_ == position_ && committed_ < position_ && committed_sequence_ <= sequence_);
    LEAT_DCHECK(position_ <= ring_.intent());  // nothing is shown that was stored unannounced
    ring_.commit(position_, sequence_);
    committed_ = position_;
    committed_sequence_ = sequence_;
  }
  bool roll();
  void cannot_name(const Error& error);
  bool write_mark(std::uint16_t flags, const MarkRequest& durable);
  void write_own(internal::RecordType type, std::uint16_t flags, const void* payload, std::size_t payload_bytes);

  internal::BroadcastWriter& ring_;
  JournalWriter& journal_;
  JournalHandover& handover_;
  RegistryHeader& registry_;
  internal::SequencerCounters& counters_;
  const std::atomic<std::uint32_t>& next_producer_id_;
  FeedCondition& condition_;
  std::uint64_t feed_seed_;
  std::uint64_t intent_step_;

  std::uint64_t position_;
  std::uint64_t sequence_;
  std::uint64_t appended_;
  std::uint64_t committed_;
  std::uint64_t committed_sequence_;
  StampClock stamps_;
  std::int64_t timestamp_ns_;  // of this round

  MarkRequest owed_mark_;                        // how far all was durable when it was last heard of
  bool owes_mark_ = true;                        // at a start: all that recovery has found was synced
  bool end_is_written_ = false;                  // the current segment has its end, but there is no next one yet
  std::unique_ptr<MappedSegment> next_segment_;  // taken from the syncer, and not named yet
};

}  // namespace leat::broker
