#include "broker/storage/recovery.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "broker/log.h"
#include "base/make_file.h"
#include "base/random.h"
#include "base/whole_io.h"
#include "journal/read/journal_end.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr std::size_t kCutPieceBytes = 1 << 20;

Result<std::uint64_t> inode_of(const JournalDirectory& directory) {
  struct stat status {};
  if (::fstat(directory.fd, &status) != 0) return system_error(errno, "fstat of " + directory.path);
  return static_cast<std::uint64_t>(status.st_ino);
}

Result<FeedIdentity> load_or_create(const JournalDirectory& directory, std::uint64_t inode, bool& is_new) {
  auto identity = load_identity(directory);
  if (identity.ok() || identity.error().code != ErrorCode::unknown_feed) return identity;
  auto names = list_segments(directory);
  if (!names) return names.error();
  if (!names->empty()) {
    return Error{ErrorCode::corrupt,
                 directory.path + " holds segments but no file '" + std::string(kIdentityFileName) + "'",
                 "leat repair can make it anew, or restore it from a backup"};
  }
  FeedIdentity created = create_identity(inode);
  created.closed_position = 0;  // nothing is there that could be lost
  if (auto done = store_identity(directory, created); !done) return done.error();
  log::info("new feed {} in {}", format_uuid(created.uuid), directory.path);
  is_new = true;
  return created;
}

// A kill between the stores of one append: all of it is there but the word that would say so. A loss of power can look
// like it, but leaves no rings. Its events are in the arenas still, and are taken again.
bool is_append_cut_short(const TailScan& scan, const LastIncarnation& last) {
  return last.known && !last.failed && last.committed <= scan.end_position && scan.zero_checksum &&
         !scan.unfinished_batch;
}

/// The bytes of one segment that are cut from the journal's end.
struct Cut {
  std::uint64_t from;  ///< positions
  std::uint64_t to;
  off_t offset;         ///< of `from` in the segment's file
  std::string segment;  ///< the file's name
};

// Calls step(offset, bytes) for one piece of the cut after the other.
template <typename Step>
Result<void> pass(const Cut& cut, Step&& step) {
  for (std::uint64_t done = 0; done < cut.to - cut.from; done += kCutPieceBytes) {
    const std::size_t bytes = std::min<std::uint64_t>(kCutPieceBytes, cut.to - cut.from - done);
    if (!step(cut.offset + static_cast<off_t>(done), bytes)) {
      return system_error(errno, "cutting the torn tail of segment " + cut.segment);
    }
  }
  return {};
}

// Durably: people may want to look at what was cut.
Result<std::string> copy_aside(const JournalFiles& files, int segment, const Cut& cut) {
  const std::string aside = "torn-" + std::to_string(cut.from) + "-" + std::to_string(random_id() & 0xffffff) + ".bin";
  auto copy = make_file(files.directory().fd, files.directory().path, aside, O_WRONLY, Existing::refuse);
  if (!copy) return copy.error();
  std::vector<char> piece(kCutPieceBytes);
  auto saved = pass(cut, [&](off_t offset, std::size_t bytes) {
    return read_at(segment, piece.data(), bytes, offset) == static_cast<ssize_t>(bytes) &&
           write_all(copy->get(), piece.data(), bytes);
  });
  if (saved && (sync_all(copy->get()) != 0 || sync_all(files.directory().fd) != 0)) {
    saved = system_error(errno, "syncing " + aside);
  }
  if (saved) return aside;
  ::unlinkat(files.directory().fd, aside.c_str(), 0);  // the next start makes another one
  return saved.error();
}

// Zeroes, durably, what stands behind the journal's end in its last segment.
Result<void> cut_tail(const JournalFiles& files, const SegmentName& last, const TailScan& scan, bool keep) {
  const UniqueFd segment(::openat(files.directory().fd, last.to_string().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!segment.valid()) return system_error(errno, "opening segment " + files.directory().file(last.to_string()));
  struct stat status {};
  const std::string path = files.directory().file(last.to_string());
  if (::fstat(segment.get(), &status) != 0) return system_error(errno, "fstat of segment " + path);
  const SegmentGeometry geometry = segment_geometry(static_cast<std::uint64_t>(status.st_size));
  const Cut cut{.from = scan.end_position,
                .to = std::max(scan.garbage_end, scan.end_position + kWordBytes),
                .offset = static_cast<off_t>(geometry.data_offset + (scan.end_position - last.first_position)),
                .segment = last.to_string()};
  Result<std::string> aside = std::string();
  if (keep) aside = copy_aside(files, segment.get(), cut);
  if (!aside) return aside.error();
  const std::vector<char> zeroes(kCutPieceBytes, '\0');
  auto zeroed =
      pass(cut, [&](off_t offset, std::size_t bytes) { return write_at(segment.get(), zeroes.data(), bytes, offset); });
  if (!zeroed) return zeroed;
  if (sync_data(segment.get()) != 0) return system_error(errno, "syncing the cut segment " + path);
  if (!keep) {
    log::info(
        "the last broker was killed in an append at position {} (after sequence {}), which is undone; its events are "
        "taken again from their producers' arenas",
        cut.from, scan.end_sequence);
    return {};
  }
  log::warn("torn tail cut at position {} (after sequence {}): {} bytes kept in {}/{}", cut.from, scan.end_sequence,
            cut.to - cut.from, files.directory().path, *aside);
  return {};
}

void note_record(JournaledTail& tail, const RecordView& record) {
  if (record.header.type != static_cast<std::uint16_t>(RecordType::event)) return;
  tail[record.header.producer_id][record.header.producer_sequence] = record.header.sequence;
}

// Segments that were begun behind the journal's end and never got to the disk whole: nothing in them was reported
// durable. Newest first, so that a loss of power in between leaves the same picture.
Result<void> put_aside(const JournalFiles& files, std::size_t count) {
  for (std::size_t i = files.segments().size(); i-- > count;) {
    const SegmentName& name = files.segments()[i];
    const std::string aside =
        "torn-" + std::to_string(name.first_position) + "-" + std::to_string(random_id() & 0xffffff) + "-segment.bin";
    // When none is left before it, the name of the first alone says where the journal stands: it stays, until the
    // segment that is begun there takes its place.
    const int fd = files.directory().fd;
    const int failed = i == 0 ? ::linkat(fd, name.to_string().c_str(), fd, aside.c_str(), 0)
                              : ::renameat(fd, name.to_string().c_str(), fd, aside.c_str());
    if (failed != 0) {
      return system_error(errno, "moving the lost segment " + name.to_string() + " aside");
    }
    log::warn("segment {} was begun but never reached the disk whole; kept aside as {}", name.to_string(), aside);
  }
  return {};
}

// The last segment's time of change is its very own: a copy has a later one, and nobody can set it. So where it is that
// of the clean close, the directory's inode says nothing more; some file systems number it anew at each mount.
NewEpoch what_is_not_proven(const FeedIdentity& identity, const LastIncarnation& last, const Recovered& recovered,
                            std::uint64_t inode, std::int64_t change_ns) {
  const bool ends_there = identity.closed_cleanly() && identity.closed_position == recovered.end_position;
  if (last.known && last.committed > recovered.end_position) return NewEpoch::below_rings;
  if (ends_there && identity.closed_change_ns == change_ns) return NewEpoch::no;
  if (identity.directory_inode != inode) return NewEpoch::other_directory;
  if (last.known) return NewEpoch::no;
  if (!identity.closed_cleanly()) return NewEpoch::rings_lost;
  return ends_there ? NewEpoch::changed_since : NewEpoch::other_end;
}

std::string reason_for(NewEpoch why, const FeedIdentity& identity, const LastIncarnation& last,
                       const Recovered& recovered, std::uint64_t inode) {
  const std::string end = std::to_string(recovered.end_position);
  switch (why) {
    case NewEpoch::no: break;
    case NewEpoch::below_rings:
      return "the journal ends at position " + end + ", and consumers were shown events up to position " +
             std::to_string(last.committed) + ": the disk has lost some, or an older copy was put in its place";
    case NewEpoch::other_directory:
      return "the journal's directory has inode " + std::to_string(inode) + " and had " +
             std::to_string(identity.directory_inode) +
             ": it was copied or restored, or its file system numbers it anew at each mount, and it was not closed "
             "since";
    case NewEpoch::rings_lost:
      return "the last broker did not close the journal, and its rings are gone: the machine lost power or was started "
             "again, or the runtime directory was removed or is another one";
    case NewEpoch::other_end:
      return "the journal was closed at position " + std::to_string(identity.closed_position) + " and ends at " + end;
    case NewEpoch::changed_since:
      return "the journal's last segment was changed since it was closed: it was restored from a backup, or copied";
  }
  return "";
}

Result<std::int64_t> change_time_of(const JournalDirectory& directory, const SegmentName& name) {
  struct stat status {};
  if (::fstatat(directory.fd, name.to_string().c_str(), &status, 0) != 0) {
    return system_error(errno, "fstat of segment " + name.to_string());
  }
  return change_time_ns(status);
}

// Finds the journal's end, and cuts what is torn there.
Result<void> find_end(JournalFiles& files, const LastIncarnation& last, Recovered& recovered) {
  // The unfinished round alone is noted, or a start would take memory for every event of a segment.
  auto end = find_journal_end(files, last.round_position, [&](std::uint64_t at, const RecordView& record) {
    if (at >= last.round_position) note_record(recovered.tail, record);
  });
  if (!end) return end.error();
  const TailScan& scan = end->scan;
  if (scan.verdict == TailVerdict::corrupt) return corruption_error(*end);
  if (auto done = put_aside(files, end->segments); !done) return done;
  if (scan.verdict == TailVerdict::torn) {
    const bool keep = !is_append_cut_short(scan, last);
    if (auto done = cut_tail(files, files.segments()[end->segments - 1], scan, keep); !done) return done;
  }
  // What belongs to an unfinished batch has been cut, so it is not journaled.
  for (auto& [producer, events] : recovered.tail) {
    std::erase_if(events, [&](const auto& event) { return event.second > scan.end_sequence; });
  }
  recovered.needs_segment = scan.verdict == TailVerdict::sealed;
  recovered.end_position = scan.end_position;
  recovered.end_sequence = scan.end_sequence;
  recovered.durable_position = scan.durable_position;
  recovered.last_timestamp_ns = scan.last_timestamp_ns;
  recovered.next_producer_id = scan.next_producer_id;
  recovered.segments.assign(files.segments().begin(),
                            files.segments().begin() + static_cast<std::ptrdiff_t>(end->segments));
  return {};
}

// What the last broker had reported to producers, and the journal does not hold. Once it went on in another epoch, by a
// repair or under another broker, nobody can tell any more which of its events are which.
std::uint64_t first_lost(const FeedIdentity& found, const LastIncarnation& last, const Recovered& recovered) {
  if (!last.ingest) return 0;
  if (last.ingest_epoch != found.current().id) return 1;
  return last.known && last.committed <= recovered.end_position ? 0 : recovered.end_sequence + 1;
}

// Of the unfinished round only what the last broker itself has written is its own: not what came in a later epoch.
void keep_own_tail(const FeedIdentity& found, const LastIncarnation& last, JournaledTail& tail) {
  const auto own = std::ranges::find(found.epochs, last.ingest_epoch, &EpochEntry::id);
  if (last.ingest_epoch == 0 || own == found.epochs.end()) return tail.clear();
  std::uint64_t end = ~0ULL;
  for (auto later = own + 1; later != found.epochs.end(); ++later) end = std::min(end, later->first_sequence);
  for (auto& [producer, events] : tail) {
    std::erase_if(events, [&](const auto& event) { return event.second >= end; });
  }
}

void begin_epoch(Recovered& recovered, const std::string& reason) {
  auto& epochs = recovered.identity.epochs;
  if (epochs.size() >= kMaxEpochs) epochs.erase(epochs.begin());
  epochs.push_back(
      {.id = random_id(), .first_sequence = recovered.end_sequence + 1, .first_position = recovered.end_position});
  log::warn("it cannot be proven that nothing visible was lost: new epoch {:016x} from sequence {} on: {}",
            recovered.identity.current().id, recovered.end_sequence + 1, reason);
}

}  // namespace

Result<Recovered> recover_journal(const JournalDirectory& directory, const LastIncarnation& last) {
  auto inode = inode_of(directory);
  if (!inode) return inode.error();
  bool is_new = false;
  auto identity = load_or_create(directory, *inode, is_new);
  if (!identity) return identity.error();
  auto opened = JournalFiles::open(directory);
  if (!opened) return opened.error();
  JournalFiles& files = *opened;

  Recovered recovered;
  recovered.identity = *identity;
  std::int64_t change_ns = 0;
  if (!files.segments().empty()) {
    if (auto done = find_end(files, last, recovered); !done) return done.error();
    if (!recovered.segments.empty()) {
      auto changed = change_time_of(directory, recovered.segments.back());
      if (!changed) return changed.error();
      change_ns = *changed;
    }
  } else if (identity->closed_cleanly() && identity->closed_position > 0) {
    return Error{ErrorCode::corrupt,
                 directory.path + " was closed at sequence " + std::to_string(identity->closed_sequence) +
                     " but holds no segment",
                 "restore them from a backup"};
  } else {
    recovered.needs_segment = true;
    recovered.end_position = identity->current().first_position;
    recovered.end_sequence = identity->current().first_sequence - 1;
  }
  // A repair has begun an epoch that the ring knows nothing of: what the ring holds may be given up in the journal.
  const bool repaired = last.known && last.epoch != 0 && last.epoch != identity->current().id;
  recovered.ring_can_go_on = last.known && !repaired && last.committed <= recovered.end_position;
  recovered.lost_from_sequence = first_lost(*identity, last, recovered);
  if (last.ingest) keep_own_tail(*identity, last, recovered.tail);
  recovered.new_epoch = is_new ? NewEpoch::no : what_is_not_proven(*identity, last, recovered, *inode, change_ns);
  if (recovered.new_epoch != NewEpoch::no) {
    begin_epoch(recovered, reason_for(recovered.new_epoch, *identity, last, recovered, *inode));
  }
  recovered.identity.format = kJournalFormatVersion;  // from here on, a release of an earlier one has no business here
  recovered.identity.directory_inode = *inode;
  recovered.identity.closed_position = kNotClosed;
  recovered.identity.closed_sequence = 0;
  recovered.identity.closed_change_ns = 0;
  return recovered;
}

}  // namespace leat::broker
