#include "base/replace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/make_file.h"
#include "base/whole_io.h"

namespace leat::internal {

Result<void> replace_file(int directory_fd, const std::string& directory, const std::string& name,
                          std::string_view bytes) {
  const std::string temporary = name + ".new";
  // One that a crash has left there is not taken: it could be a link, or somebody else's by now.
  const auto fd = make_file(directory_fd, directory, temporary, O_WRONLY, Existing::replace);
  if (!fd) return fd.error();
  const auto failed = [&](const char* doing) {
    const int error = errno;
    ::unlinkat(directory_fd, temporary.c_str(), 0);  // half a file is of no use, and takes room
    return system_error(error, doing + (" " + directory) + "/" + temporary);
  };
  if (!write_all(fd->get(), bytes.data(), bytes.size())) return failed("writing");
  if (sync_all(fd->get()) != 0) return failed("syncing");
  if (::renameat(directory_fd, temporary.c_str(), directory_fd, name.c_str()) != 0) return failed("renaming");
  if (sync_all(directory_fd) != 0) return system_error(errno, "syncing directory " + directory);
  return {};
}

Result<std::string> read_whole_file(int fd, std::size_t most, const std::string& what) {
  std::string bytes;
  char chunk[4096];
  for (ssize_t got = 0; bytes.size() <= most && (got = ::read(fd, chunk, sizeof chunk)) != 0;) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(errno, "reading " + what);
    bytes.append(chunk, static_cast<std::size_t>(got));
  }
  return bytes;
}

}  // namespace leat::internal
