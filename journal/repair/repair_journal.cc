#include "journal/repair/repair_journal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/make_file.h"
#include "base/random.h"
#include "journal/format/cursor_file.h"
#include "journal/rewrite/fill_hole.h"
#include "journal/read/journal_files.h"
#include "journal/rewrite/repair_files.h"
#include "journal/read/salvage.h"
#include "record/own_record.h"

namespace leat::internal {

Result<FileLock> lock_journal(const JournalDirectory& directory) {
  const std::string name(kLockFileName);
  auto lock = FileLock::open(directory.fd, name, directory.file(name));
  if (!lock) return lock.error();
  if (auto given = give_to_owner(directory.fd, lock->fd(), lock->path()); !given) return given.error();
  const auto taken = lock->try_take();
  if (!taken) return taken.error();
  if (*taken) return lock;
  const std::string who = lock->holders();
  return Error{ErrorCode::busy,
               "a broker, or another repair, works on " + directory.path + " (it holds " + lock->path() +
                   (who.empty() ? "" : ": " + who) + ")",
               "stop it first, and whoever waits"};
}

std::string who_works_on(const JournalDirectory& directory) {
  return FileLock::holders_of(directory.fd, std::string(kLockFileName));
}

namespace {

constexpr std::uint64_t kMaxMadeDataBytes = 1ULL << 30;
constexpr const char* kMadeName = "prepared-repair.tmp";  // leatd removes it at its start, if it is still there

class Repair {
 public:
  Repair(const JournalDirectory& directory, const JournalCheck& check)
      : files_(directory),
        check_(check),
        identity_(check.identity),
        seed_(feed_checksum_seed(check.identity.uuid)),
        end_position_(check.end_position) {}

  Result<RepairReport> run() {
    for (const Damage& damage : check_.damages) {
      if (damage.kind != DamageKind::contradiction) continue;
      return Error{ErrorCode::corrupt, files_.directory().file(damage.file) + " cannot be repaired: " + damage.what,
                   "nothing was changed: restore it from a backup, or move it away and repair again: then "
                   "what it held is given up"};
    }
    for (const auto step :
         {&Repair::keep_everything_aside, &Repair::begin_epoch, &Repair::set_names_right, &Repair::repair_segments,
          &Repair::make_missing_segments, &Repair::repair_cursors, &Repair::note_end}) {
      if (auto done = (this->*step)(); !done) return done.error();
    }
    report_.kept = files_.kept();
    report_.epoch = identity_.current().id;
    report_.next_sequence = check_.end_sequence + 1;
    return std::move(report_);
  }

 private:
  // A journal whose last segment has lost something goes on in a new one: what fills the hole is never in the ring,
  // whose readers take no record longer than the largest event.
  [[nodiscard]] const SegmentCheck* to_seal() const {
    const SegmentCheck* last = check_.segments.empty() ? nullptr : &check_.segments.back();
    return last != nullptr && !last->records_good && !last->sealed ? last : nullptr;
  }

  static std::uint64_t offset_of(const SegmentCheck& segment, std::uint64_t position) {
    return segment_geometry(segment.wanted_bytes).data_offset + (position - segment.name.first_position);
  }

  Result<void> keep(const SegmentCheck& segment, std::uint64_t offset, std::uint64_t bytes, std::uint64_t position) {
    if (offset >= segment.file_bytes || bytes == 0) return {};
    return files_.keep_aside(segment.file, offset, bytes, std::to_string(position));
  }

  Result<void> keep_damage_aside(const Damage& damage) {
    if (damage.kind == DamageKind::identity || damage.kind == DamageKind::cursors) {
      return damage.bytes == 0 ? Result<void>{} : files_.keep_aside(damage.file, 0, damage.bytes, damage.file);
    }
    const auto segment = std::ranges::find(check_.segments, damage.file, &SegmentCheck::file);
    if (segment == check_.segments.end()) return {};
    const std::uint64_t first = segment->name.first_position;
    switch (damage.kind) {
      case DamageKind::records: return keep(*segment, damage.offset, damage.bytes, damage.from_position);
      case DamageKind::header: return keep(*segment, 0, kSegmentHeaderBytes, first);
      case DamageKind::index:
        return keep(*segment, kSegmentHeaderBytes,
                    segment_geometry(segment->wanted_bytes).data_offset - kSegmentHeaderBytes, first);
      case DamageKind::size: return keep(*segment, damage.offset, damage.bytes, first);
      default: return {};
    }
  }

  Result<void> keep_everything_aside() {
    for (const Damage& damage : check_.damages) {
      if (auto kept = keep_damage_aside(damage); !kept) return kept;
    }
    const SegmentCheck* last = to_seal();
    if (last == nullptr || check_.torn_bytes == 0) return {};
    return keep(*last, offset_of(*last, check_.end_position), check_.torn_bytes, check_.end_position);
  }

  Result<void> begin_epoch() {
    if (const SegmentCheck* last = to_seal(); last != nullptr) {
      seal_ = make_seal(*last);
      end_position_ += seal_.size();
    }
    struct stat status {};
    if (::fstat(files_.directory().fd, &status) != 0) return system_error(errno, "fstat of " + files_.directory().path);
    if (identity_.directory_inode == 0) identity_.directory_inode = status.st_ino;  // made anew from the segments
    if (identity_.epochs.size() >= kMaxEpochs) identity_.epochs.erase(identity_.epochs.begin());
    identity_.epochs.push_back(
        {.id = random_id(), .first_sequence = check_.end_sequence + 1, .first_position = end_position_});
    // Without any segment there is no gap to write: the journal begins anew behind what it lost.
    if (check_.segments.empty()) identity_.closed_position = kNotClosed;
    identity_.format = kJournalFormatVersion;
    return store_identity(files_.directory(), identity_);
  }

  // Any of the events that are lost may have been the first of a producer whose number nothing else tells.
  std::string make_seal(const SegmentCheck& last) const {
    const std::uint64_t capacity = last.name.first_position + segment_geometry(last.wanted_bytes).data_bytes;
    std::string seal;
    std::uint64_t at = check_.end_position;
    if (at + kMarkRecordBytes + kSegmentReserveBytes <= capacity) {
      const std::uint64_t next_id = std::min<std::uint64_t>(check_.next_producer_id + check_.events_lost(), UINT32_MAX);
      const MarkBody body{.durable_position = 0,
                          .durable_sequence = 0,
                          .next_producer_id = static_cast<std::uint32_t>(next_id),
                          .reserved = 0};
      const OwnRecord mark{.type = RecordType::mark,
                           .sequence = check_.end_sequence,
                           .timestamp_ns = check_.end_timestamp_ns,
                           .body = &body,
                           .body_bytes = sizeof body};
      seal = make_own_record(mark, seed_, at);
      at += seal.size();
    }
    const OwnRecord end{.type = RecordType::segment_end,
                        .sequence = check_.end_sequence,
                        .timestamp_ns = check_.end_timestamp_ns};
    return seal + make_own_record(end, seed_, at);
  }

  Result<void> set_names_right() {
    for (const Damage& damage : check_.damages) {
      if (damage.kind != DamageKind::stray) continue;
      struct stat status {};
      if (::fstatat(files_.directory().fd, damage.file.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return system_error(errno, "fstat of " + files_.directory().file(damage.file));
      }
      const SegmentName name = SegmentName::parse(damage.file).value_or(SegmentName{});
      const std::string tag = std::to_string(name.first_position) + "-" + std::to_string(status.st_ino);
      if (auto moved = files_.move_aside(damage.file, tag); !moved) return moved;
    }
    for (const SegmentCheck& segment : check_.segments) {
      const std::string name = segment.name.to_string();
      if (segment.file == name) continue;
      if (auto renamed = files_.rename(segment.file, name); !renamed) return renamed;
    }
    return {};
  }

  Result<void> repair_segments() {
    for (const SegmentCheck& segment : check_.segments) {
      const bool size_good = segment.file_bytes == segment.wanted_bytes;
      if (segment.records_good && segment.header_good && segment.index_good && size_good) continue;
      if (auto done = repair(segment); !done) return done;
    }
    return {};
  }

  // Holes are filled in a copy that then takes the segment's name. In place, a loss of power could leave some of the
  // bytes that told which events behind the damage belong to a batch that is given up, and the next repair would come
  // to another answer.
  Result<void> repair(const SegmentCheck& segment) {
    const bool has_holes = !segment.records_good;
    const std::string name = segment.name.to_string();
    const std::string file = has_holes ? kMadeName : name;
    auto fd = has_holes ? files_.make(file) : files_.open(file, O_RDWR);
    if (!fd) return fd.error();
    if (auto sized = files_.resize(fd->get(), file, segment.wanted_bytes); !sized) return sized;
    if (has_holes) {
      auto filled = files_.copy(name, segment.wanted_bytes, fd->get(), file);
      if (filled) filled = fill_holes(segment, fd->get(), file);
      if (!filled) return filled;
    }
    if (auto written = write_head(segment, fd->get(), file); !written) return written;
    if (auto synced = files_.sync(fd->get(), file); !synced) return synced;
    return has_holes ? files_.rename(file, name) : Result<void>{};
  }

  Result<void> fill_holes(const SegmentCheck& segment, int fd, const std::string& file) {
    if (&segment == to_seal()) {
      auto sealed = files_.write(fd, file, offset_of(segment, check_.end_position), seal_);
      if (!sealed) return sealed;
    }
    for (const Damage& damage : check_.damages) {
      if (damage.kind != DamageKind::records || damage.file != segment.file) continue;
      auto filled = fill_hole(damage, seed_, [&](std::uint64_t position, const std::string& bytes) {
        return files_.write(fd, file, offset_of(segment, position), bytes);
      });
      if (!filled) return filled;
    }
    return {};
  }

  [[nodiscard]] std::uint64_t epoch_at(std::uint64_t sequence) const {
    std::uint64_t id = identity_.epochs.front().id;
    for (const EpochEntry& epoch : identity_.epochs) {
      if (epoch.first_sequence <= sequence) id = epoch.id;
    }
    return id;
  }

  Result<void> write_head(const SegmentCheck& segment, int fd, const std::string& name) {
    if (!segment.header_good) {
      const SegmentHeader header =
          make_segment_header(identity_.uuid, segment.wanted_bytes, segment.name.first_sequence,
                              segment.name.first_position, epoch_at(segment.name.first_sequence),
                              segment.first_timestamp_ns);
      std::string page(kSegmentHeaderBytes, '\0');
      std::memcpy(page.data(), &header, sizeof header);
      if (auto written = files_.write(fd, name, 0, page); !written) return written;
    }
    if (segment.records_good && segment.index_good) return {};
    std::string index(segment_geometry(segment.wanted_bytes).data_offset - kSegmentHeaderBytes, '\0');
    std::size_t at = 0;
    for (const IndexEntry& found : segment.index) {
      const IndexEntry entry = make_index_entry(seed_, found.position, found.sequence, found.timestamp_ns);
      std::memcpy(index.data() + at, &entry, sizeof entry);
      at += sizeof entry;
    }
    return files_.write(fd, name, kSegmentHeaderBytes, index);
  }

  Result<void> make_missing_segments() {
    for (const Damage& damage : check_.damages) {
      if (damage.kind != DamageKind::missing_segment && damage.kind != DamageKind::lost_end) continue;
      if (!damage.ends_segment) continue;
      Damage piece = damage;
      while (piece.from_position < damage.to_position) {
        piece.to_position = damage.to_position;
        if (piece.to_position - piece.from_position > 2 * kMaxMadeDataBytes) {
          piece.to_position = piece.from_position + kMaxMadeDataBytes;
        }
        if (auto made = make_segment(piece); !made) return made;
        piece.from_position = piece.to_position;
        piece.newest_before = piece.newest_behind();
        piece.first_lost = 1;
        piece.last_lost = 0;
      }
    }
    return {};
  }

  Result<void> make_segment(const Damage& piece) {
    const SegmentName name{piece.newest_before + 1, piece.from_position};
    const std::uint64_t bytes = segment_size_for(piece.to_position - piece.from_position + kWordBytes);
    auto fd = files_.make(kMadeName);
    if (!fd) return fd.error();
    if (auto sized = files_.resize(fd->get(), kMadeName, bytes); !sized) return sized;
    const SegmentHeader header = make_segment_header(identity_.uuid, bytes, name.first_sequence, name.first_position,
                                                     epoch_at(name.first_sequence), realtime_ns());
    std::string page(sizeof header, '\0');
    std::memcpy(page.data(), &header, sizeof header);
    if (auto written = files_.write(fd->get(), kMadeName, 0, page); !written) return written;
    const std::uint64_t data_offset = segment_geometry(bytes).data_offset;
    auto filled = fill_hole(piece, seed_, [&](std::uint64_t position, const std::string& record) {
      return files_.write(fd->get(), kMadeName, data_offset + (position - piece.from_position), record);
    });
    if (!filled) return filled;
    if (auto synced = files_.sync(fd->get(), kMadeName); !synced) return synced;
    return files_.rename(kMadeName, name.to_string());
  }

  // Places that cannot be proven are given up: one that is wrong would pass events over without a word.
  Result<void> repair_cursors() {
    const bool damaged =
        std::ranges::any_of(check_.damages, [](const Damage& damage) { return damage.kind == DamageKind::cursors; });
    if (!damaged) return {};
    auto file = salvage_cursors(files_.directory(), identity_.uuid);
    if (!file) return file.error();
    return store_cursors(files_.directory(), identity_.uuid, file->content.value_or(std::vector<CursorEntry>{}));
  }

  Result<void> note_end() {
    if (!identity_.closed_cleanly() || check_.segments.empty()) return {};
    auto names = read_segment_names_of_end();
    if (!names) return names.error();
    struct stat status {};
    if (::fstatat(files_.directory().fd, names->c_str(), &status, 0) != 0) {
      return system_error(errno, "fstat of " + files_.directory().file(*names));
    }
    identity_.closed_position = end_position_;
    identity_.closed_sequence = check_.end_sequence;
    identity_.closed_change_ns = status.st_ctim.tv_sec * kNanosPerSecond + status.st_ctim.tv_nsec;
    identity_.format = kJournalFormatVersion;
    return store_identity(files_.directory(), identity_);
  }

  Result<std::string> read_segment_names_of_end() {
    auto names = read_segment_names(files_.directory());
    if (!names) return names.error();
    return names->back().to_string();
  }

  RepairFiles files_;
  const JournalCheck& check_;
  FeedIdentity identity_;
  std::uint64_t seed_;
  std::uint64_t end_position_;
  std::string seal_;
  RepairReport report_;
};

}  // namespace

Result<RepairReport> repair_journal(const JournalDirectory& directory, const JournalCheck& check) {
  if (check.intact()) return RepairReport{};
  return Repair(directory, check).run();
}

}  // namespace leat::internal
