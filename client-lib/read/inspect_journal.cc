// What a journal directory holds, without reading its events.
#include <leat/journal.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <vector>

#include "journal/format/cursor_file.h"
#include "journal/read/journal_end.h"
#include "journal/read/journal_files.h"

namespace leat {

using namespace internal;

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
