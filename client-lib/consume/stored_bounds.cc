#include "client-lib/consume/stored_bounds.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "journal/read/journal_end.h"

namespace leat::client {

using namespace internal;

Window StoredBounds::look() {
  constexpr std::int64_t kGoodForNs = 100 * kNanosPerMilli;
  LEAT_ASSERT(reader_.is_open());
  const std::int64_t now = monotonic_ns();
  const Cursor here = reader_.cursor();
  if (!seen_ || now - seen_ns_ >= kGoodForNs) {
    seen_ns_ = now;
    const JournalFiles& mine = reader_.files();
    seen_ = Window{.earliest_sequence = reader_.next_sequence(), .latest_sequence = here.sequence};
    if (auto files = JournalFiles::open(mine.directory()); files && !files->segments().empty()) {
      seen_->earliest_sequence = files->segments().front().first_sequence;
      if (auto end = find_journal_end(*files)) seen_->latest_sequence = end->scan.end_sequence;
    }
  }
  Window seen = *seen_;
  seen.latest_sequence = std::max(seen.latest_sequence, here.sequence);
  return seen;
}

}  // namespace leat::client
