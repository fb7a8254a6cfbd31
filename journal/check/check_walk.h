// The walk of a check over the records of one segment after the other. Private to check_journal.cc.
//
// The walk goes from record to record until it comes to a place P that holds none, or one that cannot belong there. The
// table in tail_scan.h judges P. If the verdict is corruption, the walk looks for the next good record R and goes on
// there. The bytes [P, R) are damaged, and the events whose sequences would lie between are lost.
//
// A batch is visible whole or not at all (I7). So the damaged range also takes in
//   - the part of a batch that stands before P;
//   - the part of that batch that stands from R on. The walk knows that the batch goes on behind R if the headers that
//     are left in the damaged range say so, or if the batch begins before P and the numbers of its producer go on at R
//     without a break.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "journal/check/check_journal.h"
#include "journal/read/segment_probe.h"

namespace leat::internal {

/// Where a walk stands: handed on from segment to segment.
struct WalkState {
  bool started = false;
  bool ended = false;          ///< the segment before has a segment end, which says where the next segment begins
  std::uint64_t position = 0;  ///< behind the last segment
  std::uint64_t expected = 1;  ///< the next sequence
  std::int64_t timestamp_ns = 0;
  std::uint64_t durable_position = 0;  ///< the furthest that a mark, or the identity, proves
  std::uint64_t durable_sequence = 0;
};

class SegmentWalk {
 public:
  /// `last`: no later segment is there; otherwise `next` is the name of the next segment.
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
  /// Index entries with good checksums that no record matches: they were written ahead of records that never came.
  [[nodiscard]] std::uint64_t stale_entries() const noexcept { return stale_ + (index_.size() - next_entry_); }

 private:
  struct Hole {
    std::uint64_t from;      ///< includes the part of a batch that stands before it
    std::uint64_t sequence;  ///< the first event that is lost, if any is
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
