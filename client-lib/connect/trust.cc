#include "client-lib/connect/trust.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <list>

#include "base/users.h"

namespace leat::client {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;
constexpr int kMaxLinks = 40;

Result<std::optional<uid_t>> owner_by(const std::string& text) {
  uid_t uid = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), uid);
  if (failed == std::errc{} && end == text.data() + text.size()) return std::optional<uid_t>{uid};
  return internal::find_user(text);
}

// Only `uid`, root and `self` can have put the last component of `path` there: every directory above it is theirs, and
// closed to the writing of others. Symbolic links are followed one by one, each found in such a directory.
bool way_is_closed(const fs::path& path, uid_t uid, uid_t self) {
  const auto is_closed = [&](const struct stat& status) {
    const bool known = status.st_uid == 0 || status.st_uid == uid || status.st_uid == self;
    return known && S_ISDIR(status.st_mode) && (status.st_mode & kWritableByOthers) == 0;
  };
  std::list<fs::path> left(path.begin(), path.end());
  fs::path at;
  int links = 0;
  while (!left.empty()) {
    const fs::path part = left.front();
    left.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      at = at.parent_path();
      continue;
    }
    struct stat status {};
    const fs::path next = at / part;
    if (::lstat(next.c_str(), &status) != 0) return false;
    if (S_ISLNK(status.st_mode)) {
      std::error_code failed;
      const fs::path target = fs::read_symlink(next, failed);
      if (failed || ++links > kMaxLinks) return false;
      left.insert(left.begin(), target.begin(), target.end());
      if (target.is_absolute()) at.clear();
      continue;
    }
    if (!left.empty() && !is_closed(status)) return false;
    at = next;
  }
  return true;
}

}  // namespace

Result<Trust> Trust::of(const FeedAddress& address, const FeedPaths& paths) {
  Trust trust;
  trust.self_ = ::geteuid();
  trust.feed_ = address.feed;
  trust.directory_was_named_ = paths.runtime_was_named;
  std::string owner = address.owner;
  if (const char* const named = std::getenv("LEAT_OWNER"); owner.empty() && named != nullptr) owner = named;
  if (owner.empty()) return trust;
  const auto found = owner_by(owner);
  if (!found) return found.error().in("the owner of the feed (--owner, LEAT_OWNER)");
  trust.owner_ = *found;
  if (trust.owner_) return trust;
  return Error{ErrorCode::invalid_argument,
               "no user '" + owner + "': the owner of a feed (--owner, LEAT_OWNER) is a user's name or number"};
}

bool Trust::is_trusted(uid_t uid) const noexcept {
  return uid == 0 || uid == self_ || uid == ::geteuid() || uid == owner_;
}

Error Trust::untrusted(uid_t uid, const fs::path& runtime, const char* does) const {
  const std::string user = std::to_string(uid);
  return {ErrorCode::untrusted,
          "user " + user + " " + does + " " + runtime.string() + ", and is neither user " +
              std::to_string(::geteuid()) + " nor root nor an owner that was named: nothing was sent",
          "if feed '" + feed_ + "' is theirs, name them: --owner " + user + " or LEAT_OWNER=" + user +
              "; if not, name a directory of your own to leatd and its clients (--runtime-dir, LEAT_RUNTIME_DIR" +
              (directory_was_named_ ? ")" : " or XDG_RUNTIME_DIR), or have root remove what they made")};
}

Result<void> Trust::check_directory(const fs::path& runtime) const {
  const fs::path base = runtime.parent_path();
  for (const fs::path& directory : {base, runtime}) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) return {};  // nothing is there
    if (!directory_was_named_ && !is_trusted(status.st_uid)) return untrusted(status.st_uid, directory, "owns");
  }
  return {};
}

Result<void> Trust::check_listener(int socket, const fs::path& runtime) const {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  // Of whoever called listen(), at that moment: who has the file cannot change it.
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
    return system_error(errno, "asking who listens in " + runtime.string() + " (SO_PEERCRED)");
  }
  if (is_trusted(peer.uid)) return {};
  const fs::path base = runtime.parent_path();
  const auto is_theirs = [&](const fs::path& directory) {
    struct stat status {};
    return ::stat(directory.c_str(), &status) == 0 && status.st_uid == peer.uid &&
           (status.st_mode & kWritableByOthers) == 0;
  };
  if (!directory_was_named_ || !is_theirs(base) || !is_theirs(runtime)) return untrusted(peer.uid, runtime, "serves");
  const bool bears_their_name = base.filename() == "leat-" + std::to_string(peer.uid);
  std::error_code failed;
  const fs::path from_root = fs::absolute(base, failed);
  if (bears_their_name || (!failed && way_is_closed(from_root, peer.uid, self_))) return {};
  return untrusted(peer.uid, runtime, "serves");
}

}  // namespace leat::client
