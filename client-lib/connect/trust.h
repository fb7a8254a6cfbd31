// Whom a client talks to. A socket's name proves nothing: any user may have made the directory before the feed's owner
// did.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include <leat/feed_paths.h>
#include <leat/result.h>

namespace leat::client {

/// Who may serve a feed: found out once, when a handle connects for the first time, and held to from then on.
///
///   who listens                           | trusted
///   --------------------------------------+---------------------------------------------------------------------------
///   the user that we run as (now, or when |
///   the handle was made), or root         | always
///   the owner that was named              | always
///   the owner of the runtime directory    | if that directory was named by option or environment, nobody else may
///                                         | write on it or on its directory of the feed, and nobody else can have made
///                                         | it: it is called leat-<uid of its owner>, or all above it belongs to root,
///                                         | to us, or to its owner, and is closed to the others' writing
///   anybody else                          | never
class Trust {
 public:
  /// Error: invalid_argument when `address.owner` (or $LEAT_OWNER) names no user.
  static Result<Trust> of(const FeedAddress& address, const FeedPaths& paths);

  /// Before anything is sent to the listener of `runtime`/control.sock, connected at `socket`. Error: untrusted.
  [[nodiscard]] Result<void> check_listener(int socket, const std::filesystem::path& runtime) const;
  /// Where nobody listens: whether somebody else holds the place. Error: untrusted.
  [[nodiscard]] Result<void> check_directory(const std::filesystem::path& runtime) const;

 private:
  [[nodiscard]] bool is_trusted(uid_t uid) const noexcept;
  [[nodiscard]] Error untrusted(uid_t uid, const std::filesystem::path& runtime, const char* does) const;

  uid_t self_ = 0;
  std::optional<uid_t> owner_;
  bool directory_was_named_ = false;
  std::string feed_;
};

}  // namespace leat::client
