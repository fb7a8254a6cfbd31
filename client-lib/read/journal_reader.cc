// The public JournalReader: an EventReader that follows the journal's files.
#include <leat/journal.h>

#include <utility>

#include "base/clock.h"
#include "client-lib/read/event_reader.h"
#include "client-lib/read/journal_follower.h"
#include "client-lib/read/look_clock.h"

namespace leat {

using client::EventReader;
using internal::JournalFiles;

struct JournalReader::Impl {
  EventReader reader;
  client::JournalFollower follower{reader};
  client::LookClock clock;

  Poll next(EventView& out);
  bool look_around();
};

Poll JournalReader::Impl::next(EventView& out) {
  reader.begin_poll();
  for (;;) {
    switch (reader.look(out)) {
      case EventReader::Found::event: return Poll::event;
      case EventReader::Found::reset: return Poll::reset;
      case EventReader::Found::error: return Poll::error;
      case EventReader::Found::left_out: (void)look_around(); return Poll::empty;
      case EventReader::Found::end:
      case EventReader::Found::blocked:
        if (!look_around()) return Poll::empty;
        break;
      case EventReader::Found::unreadable:
        follower.look_at_once();
        if (follower.follow(internal::monotonic_ns())) break;
        return follower.is_in_trouble() ? Poll::empty : Poll::error;
    }
  }
}

// True: there is something new to report or to read.
bool JournalReader::Impl::look_around() {
  const auto now = clock.tick();
  return now && follower.follow(*now);
}

JournalReader::JournalReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JournalReader::JournalReader(JournalReader&&) noexcept = default;
JournalReader& JournalReader::operator=(JournalReader&&) noexcept = default;
JournalReader::~JournalReader() = default;

Poll JournalReader::next(EventView& out) { return impl_->next(out); }
const Ended& JournalReader::end_at(Poll found) { return impl_->reader.end_at(found); }
const Reset& JournalReader::last_reset() const noexcept { return impl_->reader.last_reset(); }
const Error& JournalReader::last_error() const noexcept { return impl_->reader.last_error(); }
Cursor JournalReader::cursor() const noexcept { return impl_->reader.cursor(); }

Result<JournalReader> open_journal(const std::filesystem::path& directory, const Start& start) {
  if (auto checked = client::check_start(start); !checked) return checked.error();
  auto files = JournalFiles::open(directory.string());
  if (!files) return files.error();
  auto impl = std::make_unique<JournalReader::Impl>();
  if (auto done = impl->reader.open(std::move(*files), start); !done) return done.error();
  return JournalReader(std::move(impl));
}

Result<JournalReader> read_journal(const std::filesystem::path& directory, Cursor after) {
  return open_journal(directory, after == Cursor{} ? Start::earliest() : Start::after(after));
}

}  // namespace leat
