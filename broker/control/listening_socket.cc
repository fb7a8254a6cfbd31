#include "broker/control/listening_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace leat::broker {

using internal::UniqueFd;

namespace {

constexpr int kBacklog = 256;
constexpr std::size_t kMaxPathBytes = sizeof(sockaddr_un::sun_path) - 1;

}  // namespace

Result<void> check_socket_path(const std::string& path) {
  if (path.size() <= kMaxPathBytes) return {};
  return Error{ErrorCode::invalid_argument,
               "the socket's path " + path + " is longer than " + std::to_string(kMaxPathBytes) + " bytes",
               "choose a shorter --runtime-dir"};
}

Result<void> ListeningSocket::prepare(const std::string& path, mode_t mode) {
  if (auto checked = check_socket_path(path); !checked) return checked;
  path_ = path;
  mode_ = mode;
  auto tried = bind();
  close();
  return tried;
}

Result<void> ListeningSocket::bind() {
  const std::string& path = path_;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return system_error(errno, "creating the control socket");
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return Error{ErrorCode::invalid_argument, path + " is a directory, where the feed's socket has to be", "remove it"};
  }
  // We hold the lock: whoever left it is dead.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_error(errno, "removing the socket left at " + path);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_error(errno, "binding " + path);
  }
  socket_ = std::move(socket);
  // The kernel gives no other way from the socket to the name.
  if (::lstat(path.c_str(), &status) != 0 || ::chmod(path.c_str(), mode_) != 0) {
    const int failed = errno;
    ::unlink(path.c_str());
    socket_.reset();
    return system_error(failed, "setting the mode of " + path);
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
  return {};
}

Result<void> ListeningSocket::listen() {
  if (auto bound = bind(); !bound) return bound;
  return ::listen(socket_.get(), kBacklog) == 0 ? Result<void>{} : system_error(errno, "listening on " + path_);
}

void ListeningSocket::set_mode(mode_t mode) {
  mode_ = mode;
  if (is_in_place()) ::chmod(path_.c_str(), mode);
}

bool ListeningSocket::is_in_place() const {
  struct stat status {};
  return ::lstat(path_.c_str(), &status) == 0 && S_ISSOCK(status.st_mode) && status.st_dev == device_ &&
         status.st_ino == inode_;
}

Result<void> ListeningSocket::renew() { return listen(); }

void ListeningSocket::close() {
  if (!socket_.valid()) return;
  if (is_in_place()) ::unlink(path_.c_str());
  socket_.reset();
}

}  // namespace leat::broker
