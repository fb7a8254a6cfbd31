#include <leat/journal.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "client-lib/consume/consumer_impl.h"
#include "journal/format/cursor_file.h"
#include "journal/read/journal_end.h"

namespace leat {

using namespace internal;

// A consumer that never looks for a broker is just what reads a journal.
struct JournalReader::Impl {
  Consumer::Impl consumer;
};

JournalReader::JournalReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JournalReader::JournalReader(JournalReader&&) noexcept = default;
JournalReader& JournalReader::operator=(JournalReader&&) noexcept = default;
JournalReader::~JournalReader() = default;

Poll JournalReader::next(EventView& out) { return impl_->consumer.poll(out); }
const Ended& JournalReader::end_at(Poll found) { return impl_->consumer.end_at(found); }
const Reset& JournalReader::last_reset() const noexcept { return impl_->consumer.reset; }
const Error& JournalReader::last_error() const noexcept { return impl_->consumer.error; }
Cursor JournalReader::cursor() const noexcept { return impl_->consumer.cursor(); }

Result<JournalReader> open_journal(const std::filesystem::path& directory, const Start& start) {
  auto impl = std::make_unique<JournalReader::Impl>();
  impl->consumer.joins_brokers = false;
  impl->consumer.paths.journal = directory;
  impl->consumer.options.start = start;
  if (auto checked = impl->consumer.check_options(); !checked) return checked.error();
  if (auto done = impl->consumer.open_offline(start); !done) return done.error();
  return JournalReader(std::move(impl));
}

Result<JournalReader> read_journal(const std::filesystem::path& directory, Cursor after) {
  return open_journal(directory, after == Cursor{} ? Start::earliest() : Start::after(after));
}

Result<JournalInfo> inspect_journal(const std::filesystem::path& directory) {
  auto files = JournalFiles::open(directory.string());
  if (!files) return files.error();
  const FeedIdentity identity = files->identity();
  const std::vector<SegmentName> segments = files->segments();
  JournalInfo info;
  info.feed_uuid = format_uuid(identity.uuid);
  info.epoch = identity.current().id;
  info.earliest_sequence = identity.current().first_sequence;
  info.latest_sequence = info.earliest_sequence - 1;
  info.segments = segments.size();
  info.closed_cleanly = identity.closed_cleanly();
  for (const SegmentName& name : segments) {
    struct stat status {};
    if (::fstatat(files->directory().fd, name.to_string().c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
      info.bytes += static_cast<std::uint64_t>(status.st_size);
    } else if (errno != ENOENT) {  // pruned meanwhile
      return system_error(errno, "looking at segment " + directory.string() + "/" + name.to_string());
    }
  }
  if (segments.empty()) return info;
  info.earliest_sequence = segments.front().first_sequence;
  auto end = find_journal_end(*files);
  if (!end) return end.error();
  info.latest_sequence = end->scan.end_sequence;
  return info;
}

Result<std::vector<NamedCursor>> list_cursors(const std::filesystem::path& directory) {
  auto files = JournalFiles::open(directory.string());
  if (!files) return files.error();
  auto entries = load_cursors(files->directory(), files->identity().uuid);
  if (!entries) return entries.error();
  std::vector<NamedCursor> cursors;
  for (const CursorEntry& entry : *entries) {
    cursors.push_back({.name = cursor_name(entry),
                       .place = {.epoch = entry.epoch, .sequence = entry.sequence},
                       .saved_ns = entry.saved_ns,
                       .uid = entry.uid});
  }
  return cursors;
}

}  // namespace leat
