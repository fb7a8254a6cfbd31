#include "client-lib/read/window.h"

#include <algorithm>

#include "base/check.h"
#include "journal/read/journal_end.h"

namespace leat::client {

using namespace internal;

// The syncer stores the sequence before the position when it prunes: whoever looks between the two gets an old position
// with a new sequence. The name of the segment at that position says both.
Window window_of(const BroadcastReader& live, JournalFiles& files) {
  const Place latest = live.read_latest();
  Window now{.latest_position = latest.position, .latest_sequence = latest.sequence};
  const BroadcastHeader& header = live.header();
  constexpr int kListings = 3;
  for (int listing = 0; listing < kListings; ++listing) {
    now.earliest_position = header.earliest_position.load(std::memory_order_acquire);
    now.earliest_sequence = header.earliest_sequence.load(std::memory_order_acquire);
    // What lies below the oldest file has gone since, whatever the ring says yet.
    const auto& segments = files.segments();
    const auto name = std::ranges::lower_bound(segments, now.earliest_position, {}, &SegmentName::first_position);
    if (name != segments.end() && (name == segments.begin() || name->first_position == now.earliest_position)) {
      now.earliest_position = name->first_position;
      now.earliest_sequence = name->first_sequence;
      return now;
    }
    if (!files.refresh().ok()) break;
  }
  return now;
}

Result<StoredWindow> stored_window(JournalFiles& files) {
  if (auto done = files.refresh(); !done) return done.error();
  StoredWindow found;
  Window& now = found.window;
  const EpochEntry& begun = files.identity().current();
  now.earliest_position = now.latest_position = begun.first_position;
  now.earliest_sequence = begun.first_sequence;
  now.latest_sequence = begun.first_sequence - 1;
  if (files.segments().empty()) return found;
  now.earliest_position = files.segments().front().first_position;
  now.earliest_sequence = files.segments().front().first_sequence;
  auto end = find_journal_end(files);
  if (!end) return end.error();
  now.latest_position = end->scan.end_position;
  now.latest_sequence = end->scan.end_sequence;
  found.verified_end = std::max(end->scan.end_position, end->scan.durable_position);
  if (end->scan.verdict == TailVerdict::corrupt) found.damage = corruption_error(*end);
  LEAT_ASSERT(*found.verified_end >= now.latest_position);
  return found;
}

}  // namespace leat::client
