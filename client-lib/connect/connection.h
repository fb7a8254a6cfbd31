// Getting a client's connection and descriptors from the broker.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <leat/feed_paths.h>
#include <leat/result.h>

#include "client-lib/connect/trust.h"
#include "base/deadline.h"
#include "base/mapping.h"
#include "shm/shared_file.h"
#include "base/unique_fd.h"
#include "shm/control/control_socket.h"

namespace leat::client {

/// Where a feed's broker listens and whom we trust to. A handle finds this out once: later changes of the environment,
/// of the current directory or of the user that the process runs as do not lead it elsewhere.
struct Endpoint {
  std::string feed = {};
  FeedPaths paths = {};  ///< absolute
  Trust trust = {};

  /// Errors: invalid_argument.
  static Result<Endpoint> resolve(const FeedAddress& address);
};

/// An admitted client's end of the control connection: while it is open, the broker knows that we live.
struct Connection {
  internal::UniqueFd socket;
  internal::WelcomeMessage welcome = {};
  std::vector<internal::UniqueFd> fds;
};

struct ConnectRequest {
  FeedAddress address = {};            ///< what to resolve, where there is no endpoint
  const Endpoint* endpoint = nullptr;  ///< resolved before
  internal::Role role = internal::Role::observer;
  std::string name = {};
  std::uint64_t arena_bytes = 0;
  std::uint32_t resume_slot = 0;
  std::uint64_t resume_token = 0;
  int timeout_ms = 5000;  ///< -1: no bound
};

/// A time-out for ConnectRequest: at least a millisecond; what an int does not hold is no bound.
inline int to_timeout_ms(std::chrono::nanoseconds timeout) noexcept {
  const std::int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  return ms > std::numeric_limits<int>::max() ? -1 : static_cast<int>(std::max<std::int64_t>(ms, 1));
}

/// A connection to a broker that has not answered yet. Move-only.
class Connecting {
 public:
  /// Connects and says hello, all before `deadline`; never waits if that has passed already. Errors: see
  /// connect_to_broker.
  static Result<Connecting> begin(const ConnectRequest& request, internal::Deadline deadline);
  /// The welcome, once it has come; nothing if it has not before `deadline`. Errors: as connect_to_broker.
  Result<std::optional<Connection>> finish(internal::Deadline deadline);

 private:
  std::string feed_;
  internal::UniqueFd socket_;
};

/// Connects, says hello, takes the welcome. Errors: unknown_feed, no_broker, permission_denied, untrusted,
/// layout_mismatch, timed_out, or what the broker answered.
Result<Connection> connect_to_broker(const ConnectRequest& request);

/// True once the broker has closed its end (it has stopped, or died, or dropped us).
bool peer_has_gone(int socket);

/// Maps a descriptor after checking its header. `what` names the file in errors.
Result<internal::Mapping> map_shared(int fd, std::uint64_t magic, internal::Access access, bool mirrored,
                                     const char* what, internal::SharedFileSpec& spec);

/// Maps a file of which the broker has told the size, without a look at its header: other clients can write there.
Result<internal::Mapping> map_of_size(int fd, internal::Access access, std::uint64_t bytes, const char* what);

/// The program's own name, for `leat stat`.
std::string program_name();

/// A handle is used in a child of the process that made it.
Error used_after_fork(const char* handle);

/// The bounds of a handle's name and time-outs, checked before anything is asked of a broker. Error: invalid_argument.
Result<void> check_name(const std::string& name);
Result<void> check_timeout(const char* option, std::chrono::nanoseconds timeout);

}  // namespace leat::client
