// The feed's door: a socket under a name that is ours while we hold the lock, looked after as long as we serve.
#pragma once

#include <sys/types.h>

#include <string>

#include <leat/result.h>

#include "base/unique_fd.h"

namespace leat::broker {

/// Whether a name can be a socket's. Error: invalid_argument, with the bound.
Result<void> check_socket_path(const std::string& path);

/// One thread at a time.
class ListeningSocket {
 public:
  ListeningSocket() = default;
  ~ListeningSocket() { close(); }
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;

  /// Sees to it that listen() will succeed, and clears away what an earlier broker left: the caller holds the lock. The
  /// name is not there before listen(), as scripts and clients take it for a sign that the feed is served. Errors:
  /// io_error, invalid_argument (too long, or a directory is in the way).
  Result<void> prepare(const std::string& path, mode_t mode);
  /// Takes the name and listens. Errors as prepare().
  Result<void> listen();
  /// Who may connect from now on.
  void set_mode(mode_t mode);

  /// True if the name leads to this socket. A few hundred nanoseconds.
  [[nodiscard]] bool is_in_place() const;
  /// A new socket under the same name, listening. The old one is closed: nobody can find it. Errors as bind().
  Result<void> renew();

  /// Takes the name away, if it is still ours, and closes the socket.
  void close();

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  [[nodiscard]] bool valid() const noexcept { return socket_.valid(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  Result<void> bind();

  std::string path_;
  mode_t mode_ = 0600;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  internal::UniqueFd socket_;
};

}  // namespace leat::broker
