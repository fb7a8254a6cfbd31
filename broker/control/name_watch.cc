#include "broker/control/name_watch.h"

#include <sys/stat.h>

#include <cerrno>

namespace leat::broker {

std::optional<std::filesystem::path> NameWatch::find_lost() const {
  for (const auto& [path, fd] : names_) {
    struct stat ours {};
    struct stat there {};
    if (::fstat(fd, &ours) != 0) continue;
    if (::stat(path.c_str(), &there) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return path;
      continue;
    }
    if (ours.st_dev != there.st_dev || ours.st_ino != there.st_ino) return path;
  }
  return std::nullopt;
}

}  // namespace leat::broker
