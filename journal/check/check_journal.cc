#include "journal/check/check_journal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>

#include "base/unique_fd.h"
#include "base/whole_io.h"
#include "journal/check/check_segment.h"
#include "journal/check/check_walk.h"
#include "journal/read/journal_end.h"
#include "journal/read/journal_files.h"
#include "journal/read/salvage.h"
#include "record/record.h"

namespace leat::internal {

std::uint64_t JournalCheck::events_lost() const noexcept {
  std::uint64_t lost = 0;
  for (const Damage& damage : damages) {
    if (damage.loses_events()) lost += damage.last_lost + 1 - damage.first_lost;
  }
  return lost;
}

namespace {

// The least room between two places of the stream that holds a segment end, and a gap if events are lost.
bool holds(std::uint64_t from, std::uint64_t to, bool gap) {
  return to > from && (to - from) % kWordBytes == 0 &&
         to - from >= kSegmentEndRecordBytes + (gap ? kGapRecordBytes : 0);
}

class Checker {
 public:
  Checker(const JournalDirectory& directory, const std::function<bool(const CheckProgress&)>& on_progress)
      : directory_(directory), on_progress_(on_progress) {}

  Result<JournalCheck> run() {
    for (const auto step : {&Checker::look_at_segments, &Checker::look_at_identity, &Checker::judge_names,
                            &Checker::walk, &Checker::look_at_cursors}) {
      if (auto done = (this->*step)(); !done) return done.error();
    }
    judge_end();
    ask_recovery();
    return std::move(check_);
  }

 private:
  struct Found {
    SegmentCheck segment;
    std::optional<SegmentHeader> header;  // consistent in itself
    bool stray = false;
  };

  Result<void> look_at_segments() {
    auto names = read_segment_names(directory_);
    if (!names) return names.error();
    for (const SegmentName& name : *names) {
      Found found;
      found.segment.name = name;
      found.segment.file = name.to_string();
      const UniqueFd fd(::openat(directory_.fd, found.segment.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
      if (!fd.valid() && errno == ENOENT) continue;  // pruned meanwhile
      struct stat status {};
      if (!fd.valid() || ::fstat(fd.get(), &status) != 0) {
        return system_error(errno, "opening segment " + directory_.file(found.segment.file));
      }
      found.segment.file_bytes = static_cast<std::uint64_t>(status.st_size);
      found.segment.inode = status.st_ino;
      SegmentHeader header{};
      if (read_at(fd.get(), &header, sizeof header, 0) == static_cast<ssize_t>(sizeof header) &&
          is_consistent(header)) {
        found.header = header;
      }
      if (!still_there(found.segment)) continue;  // recycled, and the header may be that of another segment already
      found_.push_back(std::move(found));
    }
    return {};
  }

  Result<void> look_at_identity() {
    auto file = salvage_identity(directory_);
    if (!file) return file.error();
    if (!file->exists && found_.empty()) return identity_unreadable(ENOENT, directory_.path);
    check_.identity_good = file->good;
    if (file->content) check_.identity = std::move(*file->content);
    std::string what = file->exists ? file->what : "it is missing";
    if (!file->content) {
      std::vector<HeaderWitness> headers;
      for (const Found& found : found_) {
        if (found.header) headers.push_back({found.segment.name, found.header->feed_uuid, found.header->epoch});
      }
      auto made = identity_from_segments(headers, directory_.path);
      if (!made) return made.error();
      check_.identity = std::move(*made);
      what += "; it can be made anew from the headers of the segments";
    }
    if (!file->good) {
      check_.damages.push_back({.kind = DamageKind::identity,
                                .file = std::string(kIdentityFileName),
                                .bytes = file->bytes.size(),
                                .what = what});
    }
    seed_ = feed_checksum_seed(check_.identity.uuid);
    return {};
  }

  // The header, where it is good, knows the name.
  Result<void> judge_names() {
    for (Found& found : found_) {
      if (!found.header) continue;
      const SegmentName said{found.header->first_sequence, found.header->first_position};
      const bool foreign = found.header->feed_uuid != check_.identity.uuid;
      if (!foreign && said == found.segment.name) continue;
      const bool taken = std::ranges::any_of(found_, [&](const Found& other) { return other.segment.name == said; });
      found.stray = foreign || taken;
      check_.damages.push_back({.kind = found.stray ? DamageKind::stray : DamageKind::name,
                                .file = found.segment.file,
                                .bytes = found.segment.file_bytes,
                                .what = foreign ? "it is of another feed" : "its header says " + said.to_string()});
      found.segment.name = said;
    }
    std::erase_if(found_, [](const Found& found) { return found.stray; });
    std::ranges::sort(found_, {}, [](const Found& found) { return found.segment.name.first_position; });
    const auto at_odds = [](const Found& a, const Found& b) {
      return a.segment.name.first_position == b.segment.name.first_position ||
             b.segment.name.first_sequence < a.segment.name.first_sequence;
    };
    for (std::size_t i = 1; i < found_.size();) {
      if (!at_odds(found_[i - 1], found_[i])) {
        ++i;
        continue;
      }
      // One whose header is good under its name is right; if both are, somebody must choose. So, too, where the other
      // may be what was before the oldest: nothing else would tell that it is lost.
      const std::size_t wrong = found_[i].header ? i - 1 : i;
      const bool both = found_[i].header && found_[i - 1].header;
      const bool oldest = !is_first_of_feed(found_[wrong == 0 ? 1 : 0].segment.name);
      const std::string other = found_[wrong == i ? i - 1 : i].segment.file;
      check_.damages.push_back({.kind = both || oldest ? DamageKind::contradiction : DamageKind::stray,
                                .file = found_[wrong].segment.file,
                                .bytes = found_[wrong].segment.file_bytes,
                                .what = "its name contradicts that of " + other});
      found_.erase(found_.begin() + static_cast<std::ptrdiff_t>(wrong));
      i = std::max<std::size_t>(wrong, 1);
    }
    return {};
  }

  Result<void> walk() {
    std::map<std::uint64_t, int> sizes;
    for (const Found& found : found_) {
      progress_.bytes_total += found.segment.file_bytes;
      if (found.header) ++sizes[found.header->data_offset + found.header->data_bytes];
    }
    const auto most = std::ranges::max_element(sizes, {}, [](const auto& size) { return size.second; });
    typical_bytes_ = most == sizes.end() ? 0 : most->first;
    if (check_.identity.closed_cleanly()) {
      state_.durable_position = check_.identity.closed_position;
      state_.durable_sequence = check_.identity.closed_sequence;
    }
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (auto done = walk_segment(i); !done) return done;
    }
    return {};
  }

  Result<void> walk_segment(std::size_t number) {
    Found& found = found_[number];
    SegmentCheck segment = found.segment;
    const UniqueFd fd(::openat(directory_.fd, segment.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid() && errno != ENOENT) return system_error(errno, "opening segment " + directory_.file(segment.file));
    const std::size_t damages = check_.damages.size();
    const std::size_t gaps = check_.gaps.size();
    const WalkState before = state_;
    bool there = fd.valid() && still_there(segment);
    if (there) {
      const bool joined = join(segment);
      choose_geometry(check_, segment, found.header, fd.get(), seed_, typical_bytes_);
      std::vector<IndexEntry> index = check_index(check_, segment, fd.get(), seed_);
      const bool last = number + 1 == found_.size();
      const bool index_elsewhere = std::ranges::any_of(index, [&](const IndexEntry& entry) {
        return entry.position - segment.name.first_position >= segment_geometry(segment.wanted_bytes).data_bytes;
      });
      SegmentProbe probe(fd.get(), seed_, segment.name.first_position,
                         segment_geometry(segment.wanted_bytes).data_offset, segment.file_bytes);
      SegmentWalk walk(check_, state_, segment, probe, std::move(index), last,
                       last ? SegmentName{} : found_[number + 1].segment.name);
      const std::uint64_t done_before = progress_.bytes_done;
      for (bool more = true; more;) {
        more = walk.walk_on();
        progress_.bytes_done =
            done_before + std::min(segment.file_bytes, segment.end_position - segment.name.first_position);
        if (on_progress_ && !on_progress_(progress_)) return Error{ErrorCode::closed, "the check was stopped"};
      }
      note_size(check_, segment);
      progress_.bytes_done = done_before + segment.file_bytes;
      state_.position = segment.end_position;
      state_.ended = segment.sealed && (check_.damages.empty() || check_.damages.back().file != segment.file ||
                                        !check_.damages.back().ends_segment);
      check_.end_timestamp_ns = state_.timestamp_ns;
      if (walk.stale_entries() > 0) {
        check_.notes.push_back("segment " + segment.file + " has " + std::to_string(walk.stale_entries()) +
                               " index entries of records that never came; they are not believed");
      }
      if (probe.unreadable_pages() > 0) {
        check_.notes.push_back("segment " + segment.file + ": the disk did not give " +
                               std::to_string(probe.unreadable_pages()) + " reads of pages; see dmesg");
      }
      if (!segment.header_good && (!joined || index_elsewhere || begins_behind_the_close(segment)) &&
          holds_nothing(segment, probe)) {
        // Its records belong somewhere else in the stream: if the segment were placed by its name, all that lies
        // there would vanish.
        check_.damages.resize(damages);
        check_.damages.push_back({.kind = DamageKind::contradiction,
                                  .file = segment.file,
                                  .bytes = segment.file_bytes,
                                  .what = "neither its header nor its name tells where it belongs"});
        state_ = before;
        return {};
      }
      if (last && !segment.header_good && never_reached_the_disk(segment, probe)) return {};
      there = check_.damages.size() == damages || still_there(segment);
    }
    if (!there) {  // pruned, and perhaps overwritten, while we read: no news
      check_.damages.resize(damages);
      check_.gaps.resize(gaps);
      state_.started = false;
      return {};
    }
    if (segment.records_good && segment.index_good && segment.header_good) segment.index.clear();
    check_.bytes += segment.file_bytes;
    check_.segments.push_back(std::move(segment));
    return {};
  }

  [[nodiscard]] bool still_there(const SegmentCheck& segment) const {
    struct stat status {};
    if (::fstatat(directory_.fd, segment.file.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return errno != ENOENT;
    return status.st_ino == segment.inode;
  }

  // Does it begin where the one before ended? True if that proves its name.
  bool join(const SegmentCheck& segment) {
    const SegmentName& name = segment.name;
    bool proven = state_.started ? state_.ended : is_first_of_feed(name);
    if (!state_.started) {
      check_.earliest_sequence = name.first_sequence;
    } else if (state_.position != name.first_position || state_.expected != name.first_sequence) {
      const bool loses = name.first_sequence > state_.expected;
      Damage damage{.kind = DamageKind::missing_segment,
                    .file = SegmentName{state_.expected, state_.position}.to_string(),
                    .from_position = state_.position,
                    .to_position = name.first_position,
                    .newest_before = state_.expected - 1,
                    .timestamp_ns = state_.timestamp_ns,
                    .ends_segment = true,
                    .what = "no file holds these positions"};
      if (loses) {
        damage.first_lost = state_.expected;
        damage.last_lost = name.first_sequence - 1;
      }
      if (name.first_sequence < state_.expected || !holds(state_.position, name.first_position, loses)) {
        damage = {.kind = DamageKind::contradiction,
                  .file = segment.file,
                  .what = "it should begin at position " + std::to_string(state_.position) + " with sequence " +
                          std::to_string(state_.expected) + ", where the segment before it ends"};
      }
      check_.damages.push_back(std::move(damage));
      proven = false;
    }
    state_.started = true;
    state_.position = name.first_position;
    state_.expected = name.first_sequence;
    return proven;
  }

  // Nothing can have been before it.
  static bool is_first_of_feed(const SegmentName& name) { return name == SegmentName{1, 0}; }

  // No good record anywhere in it, at the positions that its name says.
  static bool holds_nothing(const SegmentCheck& segment, SegmentProbe& probe) {
    const std::uint64_t first = segment.name.first_position;
    return !probe.search(first, first + segment_geometry(segment.wanted_bytes).data_bytes, {},
                         [](const ProbedRecord&) { return true; });
  }

  [[nodiscard]] bool begins_behind_the_close(const SegmentCheck& segment) const {
    return check_.identity.closed_cleanly() && segment.name.first_position > check_.identity.closed_position;
  }

  // As recovery sees it: begun, then lost whole by a loss of power, all but its length. Its header is no damage then.
  bool never_reached_the_disk(const SegmentCheck& segment, SegmentProbe& probe) {
    if (check_.identity.closed_cleanly() || !segment.records_good || !is_segment_size(segment.file_bytes)) return false;
    if (!holds_nothing(segment, probe)) return false;
    std::erase_if(check_.damages,
                  [&](const Damage& damage) { return damage.file == segment.file && damage.kind != DamageKind::name; });
    check_.torn_bytes = 0;
    check_.notes.push_back("segment " + segment.file +
                           " was begun but never reached the disk; the next start of leatd sets it aside");
    return true;
  }

  // Was the journal known to go on beyond what is there?
  void judge_end() {
    check_.end_position = state_.position;
    check_.end_sequence = state_.expected - 1;
    const FeedIdentity& identity = check_.identity;
    Damage damage{.kind = DamageKind::lost_end,
                  .from_position = state_.position,
                  .newest_before = check_.end_sequence,
                  .timestamp_ns = state_.timestamp_ns,
                  .ends_segment = true,
                  .what = "the journal was known to go on to position " + std::to_string(state_.durable_position)};
    if (!state_.started) {
      check_.earliest_sequence = identity.current().first_sequence;
      check_.end_position = identity.current().first_position;
      check_.end_sequence = identity.current().first_sequence - 1;
      if (!identity.closed_cleanly() || identity.closed_position == 0) return;
      damage.from_position = damage.to_position = identity.closed_position;
      damage.ends_segment = false;
    } else {
      if (check_.segments.empty() || !check_.segments.back().sealed || state_.durable_position <= state_.position)
        return;
      damage.file = SegmentName{state_.expected, state_.position}.to_string();
      const std::uint64_t least = state_.position + kSegmentEndRecordBytes + kGapRecordBytes;
      damage.to_position = std::max(align_up(state_.durable_position, kWordBytes), least);
    }
    if (state_.durable_sequence > check_.end_sequence) {
      damage.first_lost = check_.end_sequence + 1;
      damage.last_lost = state_.durable_sequence;
      check_.end_sequence = state_.durable_sequence;
    }
    check_.end_position = damage.to_position;
    check_.damages.push_back(std::move(damage));
  }

  // Behind the last place that is proven to have been on disk, recovery cuts what a check calls damaged.
  void ask_recovery() {
    if (check_.intact()) return;
    auto files = JournalFiles::open(directory_);
    if (!files || files->segments().empty()) return;  // leatd refuses it too
    auto end = find_journal_end(*files);
    if (!end || end->scan.verdict == TailVerdict::corrupt) return;
    const std::vector<SegmentName>& names = files->segments();
    const auto cut = [&](const Damage& damage) {
      if (damage.kind == DamageKind::identity || damage.kind == DamageKind::cursors) return false;
      // What the header of a recycled segment tells of times gone by, if it is still the old one.
      if (damage.kind == DamageKind::missing_segment && damage.from_position < names[0].first_position) return true;
      const auto name = std::ranges::find(names, damage.file, &SegmentName::to_string);
      const std::size_t number = static_cast<std::size_t>(name - names.begin());
      if (number >= end->segments && number < names.size()) return true;  // set aside
      if (damage.kind != DamageKind::index) return damage.from_position >= end->scan.end_position;
      return number + 1 >= names.size() || names[number + 1].first_position > end->scan.durable_position;
    };
    if (std::ranges::all_of(check_.damages, cut)) check_.cut_behind = end->scan.end_sequence;
  }

  Result<void> look_at_cursors() {
    auto file = salvage_cursors(directory_, check_.identity.uuid);
    if (!file) return file.error();
    if (!file->exists || file->good) return {};
    check_.damages.push_back({.kind = DamageKind::cursors,
                              .file = std::string(kCursorsFileName),
                              .bytes = file->bytes.size(),
                              .what = file->what});
    return {};
  }

  const JournalDirectory& directory_;
  const std::function<bool(const CheckProgress&)>& on_progress_;
  std::uint64_t seed_ = 0;
  std::uint64_t typical_bytes_ = 0;
  std::vector<Found> found_;
  CheckProgress progress_;
  WalkState state_;
  JournalCheck check_;
};

}  // namespace

Result<JournalCheck> check_journal(const JournalDirectory& directory,
                                   const std::function<bool(const CheckProgress&)>& on_progress) {
  return Checker(directory, on_progress).run();
}

}  // namespace leat::internal
