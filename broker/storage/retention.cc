#include "broker/storage/retention.h"

#include <algorithm>
#include <limits>

namespace leat::broker {

namespace {

std::int64_t saturating_difference(std::int64_t later, std::int64_t earlier) noexcept {
  std::int64_t difference = 0;
  if (!__builtin_sub_overflow(later, earlier, &difference)) return difference;
  return later > earlier ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
}

}  // namespace

std::int64_t nanoseconds_of(std::int64_t seconds, std::int64_t nanoseconds) noexcept {
  std::int64_t whole = 0;
  std::int64_t sum = 0;
  if (!__builtin_mul_overflow(seconds, std::int64_t{1'000'000'000}, &whole) &&
      !__builtin_add_overflow(whole, nanoseconds, &sum)) {
    return sum;
  }
  return seconds < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
}

std::int64_t age_at_start_ns(std::int64_t changed_ns, std::int64_t newest_ns, std::int64_t now_ns) noexcept {
  const std::int64_t until = newest_ns == 0 ? now_ns : std::min(newest_ns, now_ns);
  return std::max<std::int64_t>(0, saturating_difference(until, changed_ns));
}

void Retention::add(const RetainedSegment& segment) {
  segments_.push_back(segment);
  bytes_ += segment.file_bytes;
}

void Retention::seal(std::int64_t now_ns) {
  if (!segments_.empty()) segments_.back().age_base_ns = now_ns;
}

void Retention::drop_oldest() {
  bytes_ -= segments_.front().file_bytes;
  segments_.pop_front();
}

Bound Retention::exceeded_from(std::size_t first, std::uint64_t bytes, std::int64_t now_ns) const {
  if (segments_.size() - first < 2) return Bound::none;
  if (options_.retain_bytes > 0 && bytes > options_.retain_bytes) return Bound::bytes;
  if (options_.retain_seconds > 0 &&
      is_older_than(saturating_difference(now_ns, segments_[first].age_base_ns), options_.retain_seconds)) {
    return Bound::seconds;
  }
  if (options_.retain_events > 0 &&
      segments_.back().name.first_sequence - segments_[first + 1].name.first_sequence >= options_.retain_events) {
    return Bound::events;
  }
  return Bound::none;
}

bool Retention::needs(std::size_t i, const CursorHold& hold) const {
  return segments_.size() - i >= 2 && hold.next_sequence < segments_[i + 1].name.first_sequence;
}

// What users hold is not added up: each holds the end of one journal, and the longest of these ends is all that is
// held. So a cursor that holds much takes nothing from others, and each user is measured by his own bound.
bool Retention::holds_from(std::size_t first, std::uint64_t bytes, std::span<const CursorHold> holds) const {
  for (const CursorHold& hold : holds) {
    if (!needs(first, hold)) return false;  // nor do those behind it
    if (bytes <= hold.most_bytes) return true;
  }
  return false;
}

Retention::Plan Retention::plan(std::int64_t now_ns, std::span<const CursorHold> holds) const {
  Plan plan;
  std::uint64_t bytes = bytes_;
  Bound said = Bound::none;
  for (std::size_t i = 0; i + 1 < segments_.size(); ++i) {
    const Bound bound = exceeded_from(i, bytes, now_ns);
    if (bound == Bound::none || holds_from(i, bytes, holds)) break;
    if (bound != said) plan.options += (plan.options.empty() ? "" : ", then ") + to_string(bound, options_);
    said = bound;
    if (!holds.empty() && needs(i, holds.front())) plan.overtaken = &holds.front();
    if (i == 0) plan.first_sequence = segments_[0].name.first_sequence;
    plan.last_sequence = segments_[i + 1].name.first_sequence - 1;
    plan.bytes += segments_[i].file_bytes;
    bytes -= segments_[i].file_bytes;
    ++plan.segments;
  }
  return plan;
}

std::string to_string(Bound bound, const Options& options) {
  switch (bound) {
    case Bound::bytes: return "--retain-bytes " + std::to_string(options.retain_bytes);
    case Bound::seconds: return "--retain-seconds " + std::to_string(options.retain_seconds);
    case Bound::events: return "--retain-events " + std::to_string(options.retain_events);
    case Bound::none: break;
  }
  return "no bound";
}

}  // namespace leat::broker
