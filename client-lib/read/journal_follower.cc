#include "client-lib/read/journal_follower.h"

#include <utility>

#include "base/check.h"
#include "base/clock.h"

namespace leat::client {

using namespace internal;

namespace {
constexpr std::int64_t kLookNs = 250 * kNanosPerMilli;
}  // namespace

bool JournalFollower::follow(std::int64_t now_ns) {
  LEAT_ASSERT(reader_.ring() == nullptr);
  if (now_ns < next_look_ns_) return false;
  next_look_ns_ = now_ns + kLookNs;
  return look();
}

bool JournalFollower::look() {
  auto another = is_another_journal();
  if (!another) return note(another.error());
  if (*another) {
    auto found = JournalFiles::open(reader_.files().directory().path);
    if (!found) return note(found.error());
    if (auto done = reader_.open(std::move(*found), Start::after(reader_.cursor())); !done) {
      reader_.read_afresh();
      return note(done.error());
    }
  }
  trouble_.clear();
  return *another;
}

// True if it is to be reported now.
bool JournalFollower::note(const Error& why) {
  if (!trouble_.note(why, Trouble::Report::again)) return false;
  reader_.report(why);
  return true;
}

// True if what the journal's name leads to is not, or does not hold, what was read so far. As long as it does, the
// reader's epoch follows the journal's. Errors: whatever keeps us from seeing it.
Result<bool> JournalFollower::is_another_journal() {
  JournalFiles& files = reader_.files();
  auto named = files.look_at_name();
  if (!named) return named.error();
  if (*named == JournalFiles::Named::nowhere) {
    return Error{ErrorCode::unknown_feed,
                 "the journal " + files.directory().path + " was removed or renamed while it was being read",
                 "put it back, or read it where it is now"};
  }
  if (*named == JournalFiles::Named::elsewhere) return true;
  if (auto done = files.refresh(); !done) return done.error();
  if (files.identity().uuid != reader_.journal_uuid()) return true;
  if (files.has_segment()) {
    auto same = is_still_what_was_read();
    if (!same) return same.error();
    if (!*same) return true;
  }
  if (files.identity().current().id == reader_.cursor().epoch) return false;
  if (files.identity().check(reader_.cursor()) != CursorCheck::ok) return true;
  reader_.go_on_in_epoch(files.identity().current().id);
  return false;
}

// The segment that was read last has its name, and holds the record that was read last.
Result<bool> JournalFollower::is_still_what_was_read() {
  JournalFiles& files = reader_.files();
  auto retained = files.still_retained();
  if (!retained) return retained.error();
  if (!*retained) return false;
  const auto [last_position, last_checksum] = reader_.last_record();
  const auto checksum = files.checksum_at(last_position);
  return last_checksum == 0 || !checksum || *checksum == last_checksum;
}

}  // namespace leat::client
