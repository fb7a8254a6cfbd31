#include "broker/storage/journal_names.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "broker/log.h"
#include "base/whole_io.h"
#include "journal/read/journal_files.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr std::size_t kMostLookedAt = 64;  // segments whose inode is compared in one look

using Standing = NamesLook::Standing;

bool is_same_file(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}
bool is_same_time(const timespec& a, const timespec& b) noexcept {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}
Error not_here(const std::string& what, std::string_view advice) {
  return {ErrorCode::io_error, what, advice, Error::Join::colon};
}
// A look-up that fails for another reason says nothing about what is there.
bool says_that_nothing_is_there(int error) noexcept { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

}  // namespace

JournalNames::JournalNames(JournalDirectory directory, FeedIdentity identity, int lock_fd)
    : directory_(std::move(directory)), identity_(std::move(identity)), lock_fd_(lock_fd) {}

NamesLook JournalNames::look(const Retention& retained, int current_fd) {
  NamesLook found = look_at_directory();
  if (found.standing != Standing::here) return found;
  found = look_at_segments(retained, current_fd);
  if (found.standing == Standing::gone) return found;
  if (NamesLook lock = repair_lock(); lock.standing != Standing::here) return lock;
  repair_identity();
  return found;
}

NamesLook JournalNames::look_at_directory() const {
  struct stat held {};
  struct stat named {};
  if (::fstat(directory_.fd, &held) != 0) return {};
  if (held.st_nlink == 0) {
    return {.standing = Standing::gone,
            .error = {ErrorCode::io_error,
                      "the journal directory " + directory_.path + " was removed while the feed was served",
                      "restore it from a backup if there is one, then start leatd"}};
  }
  if (::stat(directory_.path.c_str(), &named) != 0) {
    if (!says_that_nothing_is_there(errno)) return {};
    return {.standing = Standing::away,
            .error = not_here("the journal directory " + directory_.path + " was moved or renamed", "move it back")};
  }
  if (is_same_file(held, named)) return {};
  return {.standing = Standing::away,
          .error = not_here(directory_.path + " is another directory than the one that the feed is written to",
                            "move the right one back, or stop leatd, and start it on what is there now")};
}

NamesLook JournalNames::look_at_segments(const Retention& retained, int current_fd) {
  if (retained.empty()) return {};
  const std::string current = directory_.file(retained.current().name.to_string());
  if (has_no_name(current_fd)) {
    return {.standing = Standing::gone,
            .error = {ErrorCode::io_error, "the current segment " + current + " was removed while the feed was served",
                      "stop leatd, restore the segment from a backup or run leat repair, then start leatd"}};
  }
  struct stat held {};
  struct stat named {};
  if (::fstat(current_fd, &held) == 0 &&
      ::fstatat(directory_.fd, retained.current().name.to_string().c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
      !is_same_file(held, named)) {
    return {.standing = Standing::away,
            .error = not_here(current + " is another file than the segment that the feed is written to",
                              "move the right one back")};
  }
  struct stat directory {};
  if (::fstat(directory_.fd, &directory) != 0) return {};
  if (!is_same_time(directory.st_mtim, directory_changed_)) {
    directory_changed_ = directory.st_mtim;
    listings_due_ = 2;
  }
  if (listings_due_ > 0) {
    --listings_due_;
    missing_ = find_missing(retained);
  }
  NamesLook found = missing_;
  missing_.lost_oldest = 0;  // reported once
  return found.standing != Standing::here || found.lost_oldest > 0 ? found : look_at_some(retained);
}

NamesLook JournalNames::find_missing(const Retention& retained) {
  const auto names = read_segment_names(directory_);
  if (!names) return {};
  NamesLook found;
  auto there = names->begin();
  for (std::size_t i = 0; i < retained.size(); ++i) {
    const SegmentName& wanted = retained[i].name;
    while (there != names->end() && there->first_position < wanted.first_position) ++there;
    if (there != names->end() && *there == wanted) continue;
    if (found.lost_oldest == i && i + 1 < retained.size()) {
      ++found.lost_oldest;
      continue;
    }
    listings_due_ = 2;  // until it is back
    found.standing = Standing::away;
    found.error =
        not_here("segment " + directory_.file(wanted.to_string()) + " was removed or renamed while the feed was served",
                 "put it back; or stop leatd, run leat repair, which says what is lost, then start leatd");
    return found;
  }
  return found;
}

// A segment that was replaced by a file which says that it is the same, as a restore from a backup does, is as good as
// the file is: readers check each record.
NamesLook JournalNames::look_at_some(const Retention& retained) {
  for (std::size_t n = std::min(retained.size() - 1, kMostLookedAt); n > 0; --n) {
    if (next_looked_at_ + 1 >= retained.size()) next_looked_at_ = 0;
    const RetainedSegment& segment = retained[next_looked_at_++];
    const std::string file = segment.name.to_string();
    struct stat named {};
    if (segment.inode == 0 || ::fstatat(directory_.fd, file.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0 ||
        named.st_ino == segment.inode || std::ranges::find(replaced_, named.st_ino) != replaced_.end()) {
      continue;
    }
    const UniqueFd fd(::openat(directory_.fd, file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    SegmentHeader header{};
    if (fd.valid() && read_at(fd.get(), &header, sizeof header, 0) == static_cast<ssize_t>(sizeof header) &&
        segment_header_is_valid(header, identity_.uuid, static_cast<std::uint64_t>(named.st_size),
                                segment.name.first_sequence, segment.name.first_position)) {
      log::warn(
          "segment {}/{} was replaced by another file of that name while the feed was served: readers check what it "
          "holds; leat verify checks all of it",
          directory_.path, file);
      if (replaced_.size() >= kMostLookedAt) replaced_.erase(replaced_.begin());
      replaced_.push_back(named.st_ino);
      continue;
    }
    --next_looked_at_;  // and again, until the right one is back
    return {.standing = Standing::away,
            .error = not_here("segment " + directory_.file(file) + " was replaced by a file that is none of this feed",
                              "put the right one back; or stop leatd, run leat repair, then start leatd")};
  }
  return {};
}

// Without it another leatd, of another runtime directory, could serve the same journal.
NamesLook JournalNames::repair_lock() {
  const std::string name(kLockFileName);
  const int held_fd = lock_made_again_.is_held() ? lock_made_again_.fd() : lock_fd_;
  if (FileLock::place_of(held_fd, directory_.fd, name) != FileLock::Place::elsewhere) return {};
  auto lock = FileLock::open(directory_.fd, name, directory_.file(name));
  if (!lock) return {};
  const auto taken = lock->try_take();
  if (!taken) return {};
  if (!*taken) {
    return {.standing = Standing::gone,
            .error =
                not_here("the lock " + lock->path() + " was removed, and another leatd has taken the journal since",
                         "stop one of the two")};
  }
  log::warn("the lock {} was removed or replaced while the feed was served: it was made and taken again", lock->path());
  lock_made_again_ = std::move(*lock);
  return {};
}

// Nothing but a broker changes `feed`, and this one has written there what it is to be until the stop.
void JournalNames::repair_identity() {
  struct stat now {};
  const std::string name(kIdentityFileName);
  const bool there = ::fstatat(directory_.fd, name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0;
  if (!there && errno != ENOENT) return;
  if (there && is_same_file(now, identity_seen_) && is_same_time(now.st_ctim, identity_seen_.st_ctim)) return;
  const auto stored = there ? load_identity(directory_) : Result<FeedIdentity>(Error{ErrorCode::unknown_feed, ""});
  if (stored && *stored == identity_) {
    identity_seen_ = now;
    told_identity_ = false;
    return;
  }
  const auto code = stored ? ErrorCode::unknown_feed : stored.error().code;
  if (code != ErrorCode::unknown_feed && code != ErrorCode::corrupt && code != ErrorCode::layout_mismatch)
    return;  // not now
  const auto done = store_identity(directory_, identity_);
  if (!told_identity_ && done) {
    log::warn("{}/{} was {} while the feed was served: it was written again", directory_.path, name,
              there ? "changed" : "removed");
  } else if (!told_identity_) {
    log::error("{}/{} was {} while the feed was served, and cannot be written again: {}; it is tried until it can",
               directory_.path, name, there ? "changed" : "removed", done.error().message);
  }
  told_identity_ = !done.ok();
}

}  // namespace leat::broker
