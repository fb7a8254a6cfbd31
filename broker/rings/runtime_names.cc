// The names of a running feed's files. The files live as long as somebody has them mapped; a successor finds them by
// name.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "broker/rings/runtime_files.h"
#include "broker/log.h"

namespace leat::broker {

using namespace internal;

namespace {
constexpr std::size_t kMaxArenasAtOnce = 256;  // so that clients do not wait for the rest
}  // namespace

RuntimeFiles::Leads RuntimeFiles::leads_to(const std::string& name, int fd) const {
  struct stat file {};
  struct stat named {};
  if (::fstat(fd, &file) != 0) return Leads::unknown;
  if (::lstat((directory_ / name).c_str(), &named) != 0) {
    return errno == ENOENT || errno == ENOTDIR ? Leads::elsewhere : Leads::unknown;
  }
  return file.st_ino == named.st_ino && file.st_dev == named.st_dev ? Leads::here : Leads::elsewhere;
}

// The kernel gives a name only to a file that has one. What stands in our place, in a directory that is ours alone,
// goes.
RuntimeFiles::Named RuntimeFiles::repair_name(const std::string& name, int fd) const {
  if (leads_to(name, fd) != Leads::elsewhere) return Named::yes;
  struct stat file {};
  if (::fstat(fd, &file) != 0 || file.st_nlink == 0) return Named::no;
  (void)::mkdir(directory_.c_str(), 0700);
  const std::string own = "/proc/self/fd/" + std::to_string(fd);
  const std::string beside = (directory_ / (name + std::string(kBesideSuffix))).string();
  (void)::unlink(beside.c_str());
  if (::linkat(AT_FDCWD, own.c_str(), AT_FDCWD, beside.c_str(), AT_SYMLINK_FOLLOW) != 0) return Named::no;
  const bool done = ::rename(beside.c_str(), (directory_ / name).c_str()) == 0;
  // The name beside is still there, too, where both led to the same file: rename() then does nothing.
  (void)::unlink(beside.c_str());
  return done ? Named::again : Named::no;
}

std::optional<std::filesystem::path> RuntimeFiles::repair_names(
    const std::vector<std::pair<std::uint32_t, int>>& arenas) {
  std::optional<std::filesystem::path> lost;
  std::string again;
  const auto look = [&](const std::string& name, int fd) {
    const Named named = repair_name(name, fd);
    if (named == Named::no && !lost) lost = directory_ / name;
    if (named == Named::again) again += (again.empty() ? "" : ", ") + name;
  };
  look("inbound", inbound.read_only.get());
  look("registry", registry.read_only.get());
  look("broadcast", broadcast.read_only.get());
  look("doorbell", doorbell.read_only.get());
  for (std::size_t looks = std::min(arenas.size(), kMaxArenasAtOnce); looks > 0; --looks) {
    const auto& [slot, fd] = arenas[next_arena_++ % arenas.size()];
    look(arena_name(slot, registry_slots()[slot].generation), fd);
  }
  if (!again.empty()) {
    log::warn(
        "files of the running feed had been moved out of {}, or others put in their place: {} lead to the "
        "broker's own again",
        directory_.string(), again);
  }
  return lost;
}

}  // namespace leat::broker
