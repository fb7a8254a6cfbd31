#include "tools/leat/feed_places.h"

#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include <leat/feed_paths.h>

#include "base/unique_fd.h"

namespace leat::tool {
namespace {

namespace fs = std::filesystem;

/// More entries of a directory such as /dev/shm or /home are not looked at.
constexpr std::size_t kMaxEntries = 10'000;

/// Directories by the file they are, so that a link to one already named adds nothing.
class Places {
 public:
  void add(const fs::path& directory) {
    struct stat status {};
    if (directory.empty() || ::stat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return;
    const std::pair<dev_t, ino_t> file{status.st_dev, status.st_ino};
    if (std::ranges::find(files_, file) != files_.end()) return;
    files_.push_back(file);
    found_.push_back(directory);
  }
  /// `parent`/<entry>/`below` for each entry whose name begins with `prefix`.
  void add_each(const fs::path& parent, const std::string& prefix, const fs::path& below) {
    std::error_code failed;
    std::size_t looked_at = 0;
    std::vector<fs::path> entries;
    for (fs::directory_iterator it(parent, fs::directory_options::skip_permission_denied, failed), end;
         !failed && it != end && looked_at < kMaxEntries; it.increment(failed), ++looked_at) {
      if (it->path().filename().string().starts_with(prefix)) entries.push_back(it->path());
    }
    std::ranges::sort(entries);
    for (const fs::path& entry : entries) add(below.empty() ? entry : entry / below);
  }
  std::vector<fs::path> take() { return std::move(found_); }

 private:
  std::vector<std::pair<dev_t, ino_t>> files_;
  std::vector<fs::path> found_;
};

// Only an absolute path names a place.
fs::path environment_path(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr && *value == '/' ? fs::path(value) : fs::path();
}

struct Roots {
  std::vector<fs::path> runtime;
  fs::path data;
};

/// The directories of an address. Nothing if they cannot be found out.
Roots roots_of(FeedAddress address) {
  if (address.feed.empty()) address.feed = "x";
  auto paths = resolve_feed(address);
  if (!paths) return {};
  Roots roots{.runtime = {}, .data = paths->journal.parent_path()};
  for (const fs::path& choice : paths->runtime_choices) roots.runtime.push_back(choice.parent_path());
  return roots;
}

bool is_one_of(const fs::path& path, const std::vector<fs::path>& others) {
  std::error_code ignored;
  return std::ranges::any_of(others, [&](const fs::path& other) { return fs::equivalent(path, other, ignored); });
}

bool is_there(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

std::string served_elsewhere(const FeedAddress& address) {
  const std::vector<fs::path> own = roots_of(address).runtime;
  for (const fs::path& root : runtime_roots(address)) {
    if (is_one_of(root, own)) continue;
    const fs::path socket = root / address.feed / "control.sock";
    if (!is_there(socket)) continue;
    const auto listener = listener_on(socket);
    if (!listener) continue;
    return "feed '" + address.feed + "' is served in " + root.string() + " by user " + user_name(listener->uid) +
           (listener->pid > 0 ? " (pid " + std::to_string(listener->pid) + ")" : "") + ": give --runtime-dir " +
           root.string();
  }
  return {};
}

std::string stored_elsewhere(const FeedAddress& address) {
  const fs::path own = roots_of(address).data;
  for (const fs::path& root : data_roots(address)) {
    if (is_one_of(root, {own})) continue;
    if (!is_there(root / address.feed / "feed")) continue;
    return "a journal of feed '" + address.feed + "' lies in " + root.string() + ": give --data-dir " + root.string() +
           ", to leatd too";
  }
  return {};
}

}  // namespace

std::vector<fs::path> runtime_roots(const FeedAddress& address) {
  Places places;
  for (const fs::path& root : roots_of(address).runtime) places.add(root);
  for (const fs::path& root : roots_of({}).runtime) places.add(root);
  if (const fs::path own = environment_path("XDG_RUNTIME_DIR"); !own.empty()) places.add(own / "leat");
  places.add("/dev/shm/leat-" + std::to_string(::geteuid()));
  places.add("/run/leat");
  places.add_each("/dev/shm", "leat-", {});
  places.add_each("/run/user", "", "leat");
  return places.take();
}

std::vector<fs::path> data_roots(const FeedAddress& address) {
  const fs::path below_home = ".local/share/leat";
  Places places;
  places.add(roots_of(address).data);
  places.add(roots_of({}).data);
  if (const fs::path home = environment_path("HOME"); !home.empty()) places.add(home / below_home);
  places.add("/var/lib/leat");
  places.add("/root" / below_home);
  places.add_each("/home", "", below_home);
  return places.take();
}

std::optional<Listener> listener_on(const fs::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  // Not blocking: a broker that is stopped and has a full queue is passed over.
  const internal::UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return std::nullopt;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    struct stat status {};  // somebody's who does not admit us, or who is too busy to
    const bool theirs = (errno == EACCES || errno == EPERM || errno == EAGAIN) && ::lstat(path.c_str(), &status) == 0;
    return theirs ? std::optional(Listener{.pid = 0, .uid = status.st_uid}) : std::nullopt;
  }
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return Listener{.pid = peer.pid, .uid = peer.uid};
}

bool is_being_started(const FeedAddress& address) {
  auto paths = resolve_feed(address);
  if (!paths) return false;
  // Asked of the kernel's list, not by trying the lock: a broker that starts at this moment would find it taken.
  std::ifstream locks("/proc/locks");
  std::string list{std::istreambuf_iterator<char>(locks), {}};
  for (const fs::path& lock : {paths->journal / "lock", paths->runtime / "shm" / "lock"}) {
    struct stat status {};
    if (::stat(lock.c_str(), &status) != 0) continue;
    char file[64];
    std::snprintf(file, sizeof file, " %02x:%02x:%llu ", major(status.st_dev), minor(status.st_dev),
                  static_cast<unsigned long long>(status.st_ino));
    if (list.find(file) != std::string::npos) return true;
  }
  return false;
}

std::string user_name(unsigned uid) {
  passwd entry{};
  passwd* found = nullptr;
  char buffer[4096];
  if (::getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) return found->pw_name;
  return std::to_string(uid);
}

std::string known_elsewhere(const FeedAddress& address) {
  if (const std::string served = served_elsewhere(address); !served.empty()) return served;
  return stored_elsewhere(address);
}

}  // namespace leat::tool
