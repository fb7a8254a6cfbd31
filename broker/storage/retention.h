// What is retained, by its real size and age, and which bound it exceeds. No files, no clock: the syncer brings both.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "broker/storage/cursor_hold.h"
#include "broker/options.h"
#include "journal/format/segment_layout.h"

namespace leat::broker {

/// The oldest segments go when one of these is exceeded.
enum class Bound : std::uint8_t { none, bytes, seconds, events };

/// One segment file.
struct RetainedSegment {
  internal::SegmentName name;
  std::uint64_t file_bytes = 0;  ///< as it is, whatever --segment-bytes says today
  std::uint64_t inode = 0;
  std::int64_t age_base_ns = 0;  ///< CLOCK_MONOTONIC at which its newest event is taken to have come
};

/// How old a segment of an earlier incarnation is taken to be when a broker starts, from three readings of the wall
/// clock made at three times: when the file was last changed, when the newest event was stamped, and now. A clock that
/// is ahead now makes nothing older, as the newest event did not see it; a clock that was ahead then makes nothing
/// older, as it is not so late now. So the time for which the feed has rested since its newest event counts for
/// nothing, and what looks to come from the future is new. `newest_ns` 0: not known. Never negative; right for every
/// value.
std::int64_t age_at_start_ns(std::int64_t changed_ns, std::int64_t newest_ns, std::int64_t now_ns) noexcept;

/// True if the age in whole seconds reaches beyond the bound. Any bound, up to the largest number, is as long as it
/// says.
constexpr bool is_older_than(std::int64_t age_ns, std::uint64_t seconds) noexcept {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return age_ns > 0 && (static_cast<std::uint64_t>(age_ns / kSecond) > seconds ||
                        (static_cast<std::uint64_t>(age_ns / kSecond) == seconds && age_ns % kSecond > 0));
}

/// Whole seconds from `earlier_ns` to `later_ns`, which is not the earlier one.
constexpr std::uint64_t seconds_between(std::int64_t earlier_ns, std::int64_t later_ns) noexcept {
  return (static_cast<std::uint64_t>(later_ns) - static_cast<std::uint64_t>(earlier_ns)) / 1'000'000'000;
}

/// seconds and nanoseconds of a file's time in one number; beyond what it holds, its least or greatest.
std::int64_t nanoseconds_of(std::int64_t seconds, std::int64_t nanoseconds) noexcept;

/// The segments of a journal, oldest first; the last one is current. One thread.
class Retention {
 public:
  explicit Retention(const Options& options) : options_(options) {}

  void add(const RetainedSegment& segment);
  /// The current one has got its last event at `now_ns`.
  void seal(std::int64_t now_ns);
  void drop_oldest();

  [[nodiscard]] std::size_t size() const noexcept { return segments_.size(); }
  [[nodiscard]] bool empty() const noexcept { return segments_.empty(); }
  [[nodiscard]] const RetainedSegment& operator[](std::size_t i) const noexcept { return segments_[i]; }
  [[nodiscard]] const RetainedSegment& oldest() const noexcept { return segments_.front(); }
  [[nodiscard]] const RetainedSegment& current() const noexcept { return segments_.back(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  /// The bound that is exceeded; none while only the current segment is left, which always stays.
  [[nodiscard]] Bound exceeded(std::int64_t now_ns) const { return exceeded_from(0, bytes_, now_ns); }
  /// Whether one of them needs the oldest segment, as far as it is not the current one.
  [[nodiscard]] bool needs_oldest(const CursorHold& hold) const { return needs(0, hold); }
  /// Whether one of the cursors keeps the oldest segment from going. `holds`: the lowest first, here and below.
  [[nodiscard]] bool held_for(std::span<const CursorHold> holds) const { return holds_from(0, bytes_, holds); }

  /// What would go at once if pruning began now.
  struct Plan {
    std::size_t segments = 0;
    std::uint64_t bytes = 0;
    std::uint64_t first_sequence = 0;
    std::uint64_t last_sequence = 0;
    std::string options;                    ///< "--retain-bytes 1048576": those that ask for it
    const CursorHold* overtaken = nullptr;  ///< the lowest of `holds`, if it still needed some of that and was let go
  };
  [[nodiscard]] Plan plan(std::int64_t now_ns, std::span<const CursorHold> holds) const;

 private:
  [[nodiscard]] Bound exceeded_from(std::size_t first, std::uint64_t bytes, std::int64_t now_ns) const;
  [[nodiscard]] bool needs(std::size_t i, const CursorHold& hold) const;
  [[nodiscard]] bool holds_from(std::size_t first, std::uint64_t bytes, std::span<const CursorHold> holds) const;

  const Options& options_;
  std::deque<RetainedSegment> segments_;
  std::uint64_t bytes_ = 0;  // of all of them
};

/// "--retain-bytes 1048576": a bound as it was given.
std::string to_string(Bound bound, const Options& options);

}  // namespace leat::broker
