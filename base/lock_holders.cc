#include "base/lock_holders.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace leat::internal {
namespace {

// 7: -> FLOCK  ADVISORY  WRITE 1234 fe:00:56789 0 EOF
struct LockLine {
  bool waits = false;
  long pid = 0;
  unsigned major = 0;
  unsigned minor = 0;
  unsigned long long inode = 0;
};

bool parse(const std::string& line, LockLine& lock) {
  std::istringstream words(line);
  std::string number, kind, advisory, mode, place;
  words >> number >> kind;
  lock.waits = kind == "->";
  if (lock.waits) words >> kind;
  words >> advisory >> mode >> lock.pid >> place;
  return kind == "FLOCK" && words.good() &&
         std::sscanf(place.c_str(), "%x:%x:%llu", &lock.major, &lock.minor, &lock.inode) == 3;
}

std::string named(long pid) {
  struct stat process {};
  const std::string name = "pid " + std::to_string(pid);
  if (pid <= 0) return "a process of another pid namespace";
  if (::stat(("/proc/" + std::to_string(pid)).c_str(), &process) != 0) return name;
  return name + " (user " + std::to_string(process.st_uid) + ")";
}

}  // namespace

std::string lock_holders(int lock_fd) {
  struct stat status {};
  if (::fstat(lock_fd, &status) != 0) return "";
  std::ifstream locks("/proc/locks");
  std::string exact;
  std::string by_inode;  // some file systems give their files another device than their locks
  for (std::string line; std::getline(locks, line);) {
    LockLine lock;
    if (!parse(line, lock) || lock.inode != status.st_ino) continue;
    const bool same_device = lock.major == major(status.st_dev) && lock.minor == minor(status.st_dev);
    std::string& found = same_device ? exact : by_inode;
    if (!found.empty()) found += ", ";
    found += named(lock.pid) + (lock.waits ? " waits for it" : " holds it");
  }
  return exact.empty() ? by_inode : exact;
}

}  // namespace leat::internal
