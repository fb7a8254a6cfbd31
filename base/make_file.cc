#include "base/make_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace leat::internal {

Result<void> give_to_owner(int directory_fd, int file_fd, const std::string& what) {
  struct stat directory {};
  struct stat file {};
  if (::fstat(directory_fd, &directory) != 0 || ::fstat(file_fd, &file) != 0) {
    return system_error(errno, "looking at the owner of " + what);
  }
  if (file.st_uid == directory.st_uid) return {};
  if (::fchown(file_fd, directory.st_uid, directory.st_gid) == 0) return {};
  const int failed = errno;
  // Where the file system knows one owner only, or gives root's files to nobody, there is nothing to give.
  if (::geteuid() == 0) return {};
  Error error = system_error(failed, "giving " + what + " to user " + std::to_string(directory.st_uid))
                    .with_advice("the directory is that user's: do this as that user, or as root");
  error.code = ErrorCode::permission_denied;
  return error;
}

Result<UniqueFd> make_file(int directory_fd, const std::string& directory, const std::string& name, int flags,
                           Existing existing) {
  const std::string path = directory + "/" + name;
  if (existing == Existing::replace && ::unlinkat(directory_fd, name.c_str(), 0) != 0 && errno != ENOENT) {
    return system_error(errno, "removing the old " + path);
  }
  UniqueFd fd(::openat(directory_fd, name.c_str(), flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return system_error(errno, "creating " + path);
  if (auto given = give_to_owner(directory_fd, fd.get(), path); !given) {
    ::unlinkat(directory_fd, name.c_str(), 0);
    return given.error();
  }
  return fd;
}

}  // namespace leat::internal
