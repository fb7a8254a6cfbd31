// The walk of a check over the records of one segment after the other. Private to check_journal.cc.
//
// A place P where no record stands that may stand there is judged by the table in tail_scan.h. Where that says
// corruption, the walk goes on at the next good record R: [P, R) is damaged, and the sequences between are lost. A
// batch is visible whole or not at all (I7), so
//   - the part of a batch that stands before P belongs to the damaged range;
//   - so does the part behind it, where what is left of the damaged records' headers says that the batch went on, or
//     where the batch that begins before P goes on without a break in its producer's numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "journal/check/check_journal.h"
#include "journal/read/segment_probe.h"

namespace leat::internal {

/// Where a walk stands: carried from segment to segment.
struct WalkState {
  bool started = false;
  bool ended = false;          ///< the segment before has a segment end of its own, so it knows where the next begins
  std::uint64_t position = 0;  ///< behind the last segment
  std::uint64_t expected = 1;  ///< the next sequence
  std::int64_t timestamp_ns = 0;
  std::uint64_t durable_position = 0;  ///< the furthest that a mark, or the identity, vouches for
  std::uint64_t durable_sequence = 0;
};

class SegmentWalk {
 public:
  /// `last`: no later segment is there; otherwise the next one is called `next`.
  SegmentWalk(JournalCheck& check, WalkState& state, SegmentCheck& segment, SegmentProbe& probe,
              std::vector<IndexEntry> index, bool last, SegmentName next)
      : check_(check),
        state_(state),
        segment_(segment),
        probe_(probe),
        index_(std::move(index)),
        last_(last),
        next_(next),
        at_(segment.name.first_position),
        next_index_position_(segment.name.first_position) {
    segment_.end_position = at_;
  }

  /// Walks on for about a MiB. False at the segment's end.
  bool walk_on();
  /// Index entries, with good checksums, that no record matches: written ahead of records that never came.
  [[nodiscard]] std::uint64_t stale_entries() const noexcept { return stale_ + (index_.size() - next_entry_); }

 private:
  struct Hole {
    std::uint64_t from;      ///< with the part of a batch that stands before
    std::uint64_t sequence;  ///< the first that is lost, if any is
  };
  [[nodiscard]] std::uint64_t capacity_end() const noexcept;
  [[nodiscard]] std::uint64_t limit() const noexcept;
  bool make_room(std::uint64_t end) noexcept;
  [[nodiscard]] bool acceptable(const ProbedRecord& record) const;
  [[nodiscard]] bool plausible(const ProbedRecord& record) const;
  [[nodiscard]] Hole hole() const noexcept;
  void take(const ProbedRecord& record);
  void take_event(const ProbedRecord& record);
  void take_bad(SegmentProbe::Found found);
  void search_marks();
  void end_journal(SegmentProbe::Found found);
  bool resume_behind();
  void lose_end();
  void lose_segment_end();
  bool rest_of_batch_follows(const ProbedRecord& record);
  bool pass_rest_of_batch(std::uint64_t& position);
  void add_damage(const Hole& hole, std::uint64_t to, std::uint64_t next_sequence, bool ends_segment);
  void contradict(const std::string& what);

  JournalCheck& check_;
  WalkState& state_;
  SegmentCheck& segment_;
  SegmentProbe& probe_;
  std::vector<IndexEntry> index_;
  bool last_;
  SegmentName next_;

  std::uint64_t at_ = 0;
  bool done_ = false;
  bool marks_searched_ = false;
  bool in_batch_ = false;
  std::uint64_t batch_position_ = 0;
  std::uint64_t batch_sequence_ = 0;
  RecordHeader newest_event_ = {};
  std::size_t next_entry_ = 0;
  std::uint64_t stale_ = 0;
  std::uint64_t next_index_position_;
};

}  // namespace leat::internal
