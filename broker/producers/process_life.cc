#include "broker/producers/process_life.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/whole_io.h"

namespace leat::broker {

using internal::UniqueFd;

namespace {

#ifdef SO_PEERPIDFD
constexpr int kPeerPidfd = SO_PEERPIDFD;
#else
constexpr int kPeerPidfd = 77;  // newer than these headers
#endif

struct ProcessStat {
  bool known = false;
  char state = '?';
  std::uint64_t threads = 0;
  std::uint64_t start_time = 0;
};

// Fields by their numbers in proc(5). The second one, the name, may hold blanks and parentheses: the others are counted
// from its closing one on.
ProcessStat read_stat(pid_t pid) {
  ProcessStat found;
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return found;
  char text[2048];
  const ssize_t bytes = internal::read_at(file.get(), text, sizeof text, 0);
  if (bytes <= 0) return found;
  const std::string_view line(text, static_cast<std::size_t>(bytes));
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos) return found;
  constexpr int kState = 3;
  constexpr int kThreads = 20;
  constexpr int kStartTime = 22;
  std::size_t at = name_end + 1;
  for (int field = kState; field <= kStartTime; ++field) {
    at = line.find_first_not_of(' ', at);
    if (at == std::string_view::npos) return found;
    const std::size_t end = std::min(line.find(' ', at), line.size());
    const std::string word(line.substr(at, end - at));
    if (field == kState) found.state = word.empty() ? '?' : word[0];
    if (field == kThreads) found.threads = std::strtoull(word.c_str(), nullptr, 10);
    if (field == kStartTime) found.start_time = std::strtoull(word.c_str(), nullptr, 10);
    at = end;
  }
  found.known = true;
  return found;
}

}  // namespace

std::uint64_t process_start_time(pid_t pid) { return read_stat(pid).start_time; }

Life look_at_process(pid_t pid, std::uint64_t start_time) {
  if (pid <= 0) return Life::unknown;  // kill() of 0 would be ourselves
  if (::kill(pid, 0) != 0 && errno == ESRCH) return Life::gone;
  const ProcessStat stat = read_stat(pid);
  if (!stat.known) return Life::unknown;
  if (start_time != 0 && stat.start_time != 0 && stat.start_time != start_time) return Life::gone;
  // A first thread that has ended while others run looks the same but for their number.
  const bool ended = (stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1;
  return ended ? Life::gone : Life::alive;
}

bool ProcessHandle::unsupported() const noexcept {
  return error == ENOSYS || error == EPERM || error == EACCES || error == EINVAL || error == ENOPROTOOPT ||
         error == EOPNOTSUPP;
}

ProcessHandle open_process(pid_t pid) {
  ProcessHandle handle;
  if (pid <= 0) {
    handle.error = EINVAL;
    return handle;
  }
  handle.fd = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!handle.fd.valid()) handle.error = errno;
  return handle;
}

ProcessHandle open_peer_process(int socket) {
  ProcessHandle handle;
  int fd = -1;
  socklen_t bytes = sizeof fd;
  if (::getsockopt(socket, SOL_SOCKET, kPeerPidfd, &fd, &bytes) != 0) {
    handle.error = errno;
  } else {
    handle.fd = UniqueFd(fd);
  }
  return handle;
}

}  // namespace leat::broker
