// Which feed is meant. Where it lies is feed_paths.h's.
#pragma once

#include <string>

namespace leat {

/// A feed's name and, where they differ from the defaults, its directories.
/// `runtime_dir` (socket, rings, arenas): option, else $LEAT_RUNTIME_DIR, else $XDG_RUNTIME_DIR/leat if that variable
///     names a directory that belongs to this user, else /dev/shm/leat-<uid>. Without option and variable, the one of
///     these (and of /run/user/<uid>/leat) in which the feed is served wins, then the one in which it was served
///     before: a broker that was started without $XDG_RUNTIME_DIR, by cron, and clients that have it find each other.
/// `data_dir` (journal): option, else $LEAT_DATA_DIR, else /var/lib/leat for root, ~/.local/share/leat otherwise.
/// `owner`: name or number of the user that may serve the feed, beside ourselves and root: option, else $LEAT_OWNER,
/// else
///     whoever owns a runtime directory that was named and that nobody else can have made; see docs/operations.md.
struct FeedAddress {
  std::string feed = {};  ///< 1..64 of [A-Za-z0-9_-]; not starting with '-'
  std::string runtime_dir = {};
  std::string data_dir = {};
  std::string owner = {};
};

}  // namespace leat
