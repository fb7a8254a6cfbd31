#include "broker/journal/recovery.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "broker/log.h"
#include "shm/base/random.h"
#include "shm/base/whole_io.h"
#include "shm/journal/tail_scan.h"

namespace leat::broker {

using namespace shm;

namespace {

Result<std::uint64_t> inode_of(int directory_fd, const std::string& directory) {
  struct stat status {};
  if (::fstat(directory_fd, &status) != 0) return system_error(errno, "fstat of " + directory);
  return static_cast<std::uint64_t>(status.st_ino);
}

Result<FeedIdentity> load_or_create(int directory_fd, const std::string& directory, std::uint64_t inode,
                                    bool& is_new) {
  auto identity = load_identity(directory_fd, directory);
  if (identity.ok() || identity.error().code != ErrorCode::unknown_feed) return identity;
  auto names = list_segments(directory_fd, directory);
  if (!names) return names.error();
  if (!names->empty()) {
    return Error{ErrorCode::corrupt, directory + " holds segments but no file '" + std::string(kIdentityFileName) +
                                         "'; restore it from a backup, or move the segments away to begin anew"};
  }
  FeedIdentity created = create_identity(inode);
  created.closed_position = 0;  // nothing is there that could be lost
  if (auto done = store_identity(directory_fd, directory, created); !done) return done.error();
  spdlog::info("new feed {} in {}", format_uuid(created.uuid), directory);
  is_new = true;
  return created;
}

Error corruption(const JournalFiles& files, const TailScan& scan) {
  return {ErrorCode::corrupt,
          "corrupt journal: " + files.describe(scan.bad_position) + " (position " +
              std::to_string(scan.bad_position) + ") does not hold the record it should; events from sequence " +
              std::to_string(scan.end_sequence + 1) +
              (scan.durable_sequence > scan.end_sequence ? " to at least " + std::to_string(scan.durable_sequence)
                                                         : "") +
              " are affected, and were reported durable up to position " + std::to_string(scan.durable_position) +
              "; nothing was changed: restore the file from a backup, or move the journal away to begin anew"};
}

// Copies [from, to) of the segment aside, then zeroes it, both durably: people may want to look at what was cut.
Result<void> cut_tail(JournalFiles& files, const TailScan& scan) {
  const std::uint64_t from = scan.end_position;
  const std::uint64_t to = std::max(scan.garbage_end, from + kWordBytes);
  const std::string aside = "torn-" + std::to_string(from) + "-" + std::to_string(random_id() & 0xffffff) + ".bin";
  const UniqueFd copy(::openat(files.directory_fd(), aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const UniqueFd segment(::openat(files.directory_fd(), files.current().to_string().c_str(), O_RDWR | O_CLOEXEC));
  if (!copy.valid() || !segment.valid()) return system_error(errno, "keeping the torn tail aside as " + aside);
  struct stat status {};
  if (::fstat(segment.get(), &status) != 0) return system_error(errno, "fstat of the last segment");
  const SegmentGeometry geometry = segment_geometry(static_cast<std::uint64_t>(status.st_size));
  std::vector<char> chunk(1 << 20);
  const auto offset_of = [&](std::uint64_t position) {
    return static_cast<off_t>(geometry.data_offset + (position - files.current().first_position));
  };
  const auto pass = [&](auto&& step) -> Result<void> {
    for (std::uint64_t at = from; at < to; at += chunk.size()) {
      const std::size_t bytes = std::min<std::uint64_t>(chunk.size(), to - at);
      if (!step(at, bytes)) return system_error(errno, "cutting the torn tail of " + files.describe(from));
    }
    return {};
  };
  auto saved = pass([&](std::uint64_t at, std::size_t bytes) {
    return read_at(segment.get(), chunk.data(), bytes, offset_of(at)) == static_cast<ssize_t>(bytes) &&
           write_all(copy.get(), chunk.data(), bytes);
  });
  if (saved && (::fsync(copy.get()) != 0 || ::fsync(files.directory_fd()) != 0)) {
    saved = system_error(errno, "syncing " + aside);
  }
  if (!saved) {
    ::unlinkat(files.directory_fd(), aside.c_str(), 0);  // the next start makes another one
    return saved;
  }
  std::ranges::fill(chunk, '\0');
  auto zeroed = pass([&](std::uint64_t at, std::size_t bytes) {
    return write_at(segment.get(), chunk.data(), bytes, offset_of(at));
  });
  if (!zeroed) return zeroed;
  if (::fdatasync(segment.get()) != 0) return system_error(errno, "syncing the cut segment");
  spdlog::warn("torn tail cut at position {} (after sequence {}): {} bytes kept in {}/{}", from, scan.end_sequence,
               to - from, files.directory(), aside);
  return {};
}

void note_record(JournaledTail& tail, const RecordView& record) {
  if (record.header.type != static_cast<std::uint16_t>(RecordType::event)) return;
  tail[record.header.producer_id][record.header.producer_sequence] = record.header.sequence;
}

// Scans the segment that `position` lies in, and those behind it, for what the unfinished round had appended.
Result<TailScan> scan_from(JournalFiles& files, std::uint64_t position, JournaledTail& tail) {
  const std::vector<SegmentName> names = files.segments();
  auto first = std::ranges::upper_bound(names, position, {}, &SegmentName::first_position);
  std::size_t index = first == names.begin() ? 0 : static_cast<std::size_t>(first - names.begin()) - 1;
  TailScan scan;
  std::uint32_t next_producer_id = 1;
  std::int64_t last_timestamp_ns = 0;
  for (; index < names.size(); ++index) {
    auto scanned = scan_tail(files, names[index], [&](std::uint64_t at, const RecordView& record) {
      if (at >= position) note_record(tail, record);
    });
    if (!scanned) return scanned;
    scan = *scanned;
    next_producer_id = std::max(next_producer_id, scan.next_producer_id);
    last_timestamp_ns = std::max(last_timestamp_ns, scan.last_timestamp_ns);
    if (scan.verdict == TailVerdict::corrupt) break;
  }
  scan.next_producer_id = next_producer_id;
  scan.last_timestamp_ns = last_timestamp_ns;
  // What belongs to an unfinished batch is about to be cut, so it is not journaled.
  for (auto& [producer, events] : tail) {
    std::erase_if(events, [&](const auto& event) { return event.second > scan.end_sequence; });
  }
  return scan;
}

// A segment whose header never reached the disk, or that holds nothing good at all, was begun and lost with its whole
// content by a loss of power. If anything in it can be proven, it is corruption instead.
bool is_lost_segment(int directory_fd, const SegmentName& name, std::uint64_t feed_seed) {
  const UniqueFd fd(::openat(directory_fd, name.to_string().c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return false;
  const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  if (file_bytes < kMinSegmentBytes) return false;
  const SegmentGeometry geometry = segment_geometry(file_bytes);
  std::vector<std::uint64_t> words(geometry.data_bytes / kWordBytes);
  if (read_at(fd.get(), words.data(), geometry.data_bytes, static_cast<off_t>(geometry.data_offset)) !=
      static_cast<ssize_t>(geometry.data_bytes)) {
    return false;
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(words.data());
  for (std::uint64_t at = 0; at + kRecordHeaderBytes <= geometry.data_bytes; at += kWordBytes) {
    RecordView record;
    if (words[at / kWordBytes] == 0) continue;
    if (decode_record(bytes + at, geometry.data_bytes - at, geometry.data_bytes, record) == Decode::ok &&
        record_checksum(bytes + at, record.header.length, feed_seed, name.first_position + at) ==
            record.header.checksum) {
      return false;
    }
  }
  return true;
}

// Returns the segment that was moved aside, if there was such a one.
Result<std::optional<SegmentName>> drop_lost_segment(JournalFiles& files) {
  const SegmentName last = files.segments().back();
  if (!is_lost_segment(files.directory_fd(), last, files.feed_seed())) return std::optional<SegmentName>{};
  RecordBuffer probe(kPageBytes);
  probe.restart(last.first_position);
  const bool header_is_good = files.fill(probe, true, ~0ULL) != JournalFiles::Fill::failed;
  if (header_is_good) return std::optional<SegmentName>{};  // an empty segment
  if (files.error().code != ErrorCode::corrupt) return files.error();  // cannot be read now: says nothing about it
  if (files.identity().closed_cleanly()) {
    return Error{ErrorCode::corrupt, "segment " + files.directory() + "/" + last.to_string() +
                                         " holds nothing, yet the journal was closed cleanly at sequence " +
                                         std::to_string(files.identity().closed_sequence) +
                                         "; nothing was changed: restore the file from a backup"};
  }
  const std::string aside = "torn-" + std::to_string(last.first_position) + "-segment.bin";
  if (::renameat(files.directory_fd(), last.to_string().c_str(), files.directory_fd(), aside.c_str()) != 0) {
    return system_error(errno, "moving the lost segment " + last.to_string() + " aside");
  }
  spdlog::warn("segment {} was begun but never reached the disk; kept aside as {}", last.to_string(), aside);
  if (auto done = files.refresh(); !done) return done.error();
  return std::optional<SegmentName>(last);
}

// Each segment ends, with a record that says so, where the next one begins: one small read a segment finds any that is
// missing in between.
Result<void> check_chain(JournalFiles& files) {
  const std::vector<SegmentName> names = files.segments();
  RecordBuffer probe(kPageBytes);
  for (std::size_t i = 0; i + 1 < names.size(); ++i) {
    const std::uint64_t begins = names[i + 1].first_position;
    RecordView record;
    bool sealed = false;
    if (begins >= names[i].first_position + kSegmentEndRecordBytes) {
      probe.restart(begins - kSegmentEndRecordBytes);
      const auto filled = files.fill(probe, false, begins);
      if (filled == JournalFiles::Fill::failed && files.error().code != ErrorCode::corrupt) return files.error();
      sealed = filled == JournalFiles::Fill::ok &&
               probe.next(record, files.feed_seed(), kSegmentEndRecordBytes) == RecordBuffer::Next::record &&
               record.header.type == static_cast<std::uint16_t>(RecordType::segment_end) &&
               record.header.sequence + 1 == names[i + 1].first_sequence;
    }
    if (sealed) continue;
    return Error{ErrorCode::corrupt, "corrupt journal: segment " + files.directory() + "/" + names[i].to_string() +
                                         " does not end where " + names[i + 1].to_string() +
                                         " begins: it is damaged, or a segment between them is missing; events of the "
                                         "sequences " + std::to_string(names[i].first_sequence) + " to " +
                                         std::to_string(names[i + 1].first_sequence - 1) +
                                         " are affected; nothing was changed: restore the files from a backup, or move "
                                         "the older ones away: then the feed begins at sequence " +
                                         std::to_string(names[i + 1].first_sequence)};
  }
  return {};
}

bool continuity_is_proven(const FeedIdentity& identity, const LastLife& last, const Recovered& recovered,
                          std::uint64_t inode, std::int64_t change_ns) {
  if (identity.directory_inode != inode) return false;  // copied, or restored from a backup
  if (last.known) return last.committed <= recovered.end_position;
  return identity.closed_cleanly() && identity.closed_position == recovered.end_position &&
         identity.closed_change_ns == change_ns;
}

Result<std::int64_t> change_time_of(int directory_fd, const SegmentName& name) {
  struct stat status {};
  if (::fstatat(directory_fd, name.to_string().c_str(), &status, 0) != 0) {
    return system_error(errno, "fstat of segment " + name.to_string());
  }
  return change_time_ns(status);
}

// Finds the journal's end, and cuts what is torn there.
Result<void> find_end(JournalFiles& files, const LastLife& last, Recovered& recovered) {
  const std::uint64_t last_begin = files.segments().back().first_position;
  const std::uint64_t from = last.known ? std::min(last.round_position, last_begin) : last_begin;
  auto scan = scan_from(files, from, recovered.tail);
  if (!scan) return scan.error();
  // Every segment begins with a mark, which says what came before it. One that was lost at its very beginning has none:
  // then the one before it is asked.
  if (scan->marks == 0 && scan->verdict != TailVerdict::corrupt && from == last_begin && files.segments().size() > 1) {
    recovered.tail.clear();
    scan = scan_from(files, files.segments()[files.segments().size() - 2].first_position, recovered.tail);
    if (!scan) return scan.error();
  }
  if (scan->verdict == TailVerdict::corrupt) return corruption(files, *scan);
  if (scan->verdict == TailVerdict::torn) {
    if (auto done = cut_tail(files, *scan); !done) return done.error();
  }
  recovered.needs_segment = scan->verdict == TailVerdict::sealed;
  recovered.end_position = scan->end_position;
  recovered.end_sequence = scan->end_sequence;
  recovered.durable_position = scan->durable_position;
  recovered.last_timestamp_ns = scan->last_timestamp_ns;
  recovered.next_producer_id = scan->next_producer_id;
  return {};
}

void begin_epoch(Recovered& recovered) {
  auto& epochs = recovered.identity.epochs;
  if (epochs.size() >= kMaxEpochs) epochs.erase(epochs.begin());
  epochs.push_back({.id = random_id(),
                    .first_sequence = recovered.end_sequence + 1,
                    .first_position = recovered.end_position});
  spdlog::warn("it cannot be proven that nothing visible was lost: new epoch {:016x} from sequence {} on",
               recovered.identity.current().id, recovered.end_sequence + 1);
}

}  // namespace

Result<Recovered> recover_journal(int directory_fd, const std::string& directory, const LastLife& last) {
  auto inode = inode_of(directory_fd, directory);
  if (!inode) return inode.error();
  bool is_new = false;
  auto identity = load_or_create(directory_fd, directory, *inode, is_new);
  if (!identity) return identity.error();
  UniqueFd own(::fcntl(directory_fd, F_DUPFD_CLOEXEC, 0));
  if (!own.valid()) return system_error(errno, "a second descriptor of " + directory);
  auto opened = JournalFiles::open(std::move(own), directory);
  if (!opened) return opened.error();
  JournalFiles& files = *opened;

  Recovered recovered;
  recovered.identity = *identity;
  std::optional<SegmentName> lost;
  if (!files.segments().empty()) {
    auto dropped = drop_lost_segment(files);
    if (!dropped) return dropped.error();
    lost = *dropped;
  }
  std::int64_t change_ns = 0;
  if (!files.segments().empty()) {
    if (auto done = check_chain(files); !done) return done.error();
    auto changed = change_time_of(directory_fd, files.segments().back());
    if (!changed) return changed.error();
    change_ns = *changed;
    if (auto done = find_end(files, last, recovered); !done) return done.error();
  } else if (identity->closed_cleanly() && identity->closed_position > 0) {
    return Error{ErrorCode::corrupt, directory + " was closed at sequence " +
                                         std::to_string(identity->closed_sequence) +
                                         " but holds no segment; restore them from a backup"};
  } else {
    recovered.needs_segment = true;
    recovered.end_position = lost ? lost->first_position : identity->current().first_position;
    recovered.end_sequence = (lost ? lost->first_sequence : identity->current().first_sequence) - 1;
  }
  recovered.segments = files.segments();
  recovered.ring_can_go_on = last.known && last.committed <= recovered.end_position;
  if (!is_new && !continuity_is_proven(*identity, last, recovered, *inode, change_ns)) begin_epoch(recovered);
  recovered.identity.directory_inode = *inode;
  recovered.identity.closed_position = kNotClosed;
  recovered.identity.closed_sequence = 0;
  recovered.identity.closed_change_ns = 0;
  return recovered;
}

}  // namespace leat::broker
