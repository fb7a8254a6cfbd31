#include "broker/host/directories.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>

#include "broker/log.h"
#include "broker/host/start_trace.h"

namespace leat::broker {

using namespace internal;

namespace {

Error not_ours(const std::string& what, const std::string& advice) {
  return {ErrorCode::permission_denied, what, advice};
}

// In a sticky directory such as /dev/shm nobody else can take it away.
std::string whoever_can(uid_t owner) {
  return ::geteuid() == 0 || ::geteuid() == owner ? "" : "have user " + std::to_string(owner) + " or root ";
}

std::string target_of(const std::filesystem::path& link) {
  char text[4096];
  const ssize_t bytes = ::readlink(link.c_str(), text, sizeof text);
  return bytes < 0 ? std::string("somewhere") : std::string(text, static_cast<std::size_t>(bytes));
}

// What a path leads to; nothing if there is nothing, not even a link.
Result<std::optional<struct stat>> look_at(const std::filesystem::path& path) {
  struct stat named {};
  struct stat status {};
  if (::lstat(path.c_str(), &named) != 0) {
    if (errno == ENOENT) return std::optional<struct stat>();
    return system_error(errno, "looking at " + path.string());
  }
  if (!S_ISLNK(named.st_mode)) return std::optional(named);
  if (named.st_uid != ::geteuid() && named.st_uid != 0) {
    return not_ours(path.string() + " is a symbolic link that user " + std::to_string(named.st_uid) + " has made",
                    whoever_can(named.st_uid) + "remove it, or name the directory itself");
  }
  if (::stat(path.c_str(), &status) == 0) return std::optional(status);
  if (errno != ENOENT) return system_error(errno, "following the symbolic link " + path.string());
  return Error{ErrorCode::invalid_argument,
               path.string() + " is a symbolic link to " + target_of(path) + ", which is not there",
               "make that directory, or remove the link"};
}

}  // namespace

Result<void> make_directory(const std::filesystem::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) {
    StartTrace::made_directory(path);
    // umask may have taken bits away that others need to get through.
    return ::chmod(path.c_str(), mode) == 0 ? Result<void>{} : system_error(errno, "chmod of " + path.string());
  }
  if (errno != EEXIST) return system_error(errno, "creating directory " + path.string());
  auto found = look_at(path);
  if (!found) return found.error();
  if (*found && S_ISDIR((*found)->st_mode)) return {};
  return Error{ErrorCode::invalid_argument, path.string() + " is there and is not a directory",
               (*found ? whoever_can((*found)->st_uid) : std::string()) + "move it away, or choose another directory"};
}

Result<void> make_parents(const std::filesystem::path& path) {
  if (path.empty()) return {};
  auto found = look_at(path);
  if (!found) return found.error();
  if (*found) return {};
  if (auto done = make_parents(path.parent_path()); !done) return done;
  return make_directory(path, 0755);
}

Result<void> make_own_directory(const std::filesystem::path& path, mode_t mode) {
  if (auto done = make_directory(path, mode); !done) return done;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return system_error(errno, "looking at " + path.string());
  if (status.st_uid != ::geteuid() || (status.st_mode & 07777) == mode) return {};
  return ::fchmod(fd.get(), mode) == 0 ? Result<void>{} : system_error(errno, "chmod of " + path.string());
}

Result<void> check_owner(const std::filesystem::path& path, const char* advice, const char* if_theirs) {
  auto found = look_at(path);
  if (!found) return found.error();
  if (!*found) return system_error(ENOENT, "looking at " + path.string());
  const struct stat& status = **found;
  if (status.st_uid != ::geteuid()) {
    return not_ours(path.string() + " belongs to user " + std::to_string(status.st_uid) + ", and leatd runs as user " +
                        std::to_string(::geteuid()),
                    if_theirs != nullptr && ::geteuid() != 0 ? if_theirs : advice);
  }
  if ((status.st_mode & 022) == 0) return {};
  return not_ours(path.string() + " can be written by others", advice);
}

Result<UniqueFd> take_journal_directory(const std::filesystem::path& path, const char* advice) {
  if (auto done = make_own_directory(path, 0700); !done) return done.error();
  auto owner = check_owner(path, advice);
  if (!owner) return owner.error();
  struct stat parent {};
  const std::filesystem::path above = path.parent_path();
  if (::stat(above.c_str(), &parent) == 0 && (parent.st_mode & 022) != 0 && (parent.st_mode & S_ISVTX) == 0) {
    log::warn("{} can be written by others, who could put another journal in this one's place; chmod go-w it",
              above.string());
  }
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return system_error(errno, "opening " + path.string());
  return fd;
}

}  // namespace leat::broker
