// Where a feed lies.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <leat/result.h>

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

/// The directories of one feed: `<runtime_dir>/<feed>` and `<data_dir>/<feed>`.
struct FeedPaths {
  std::filesystem::path runtime;  ///< holds control.sock and, open to the broker alone, shm/
  std::filesystem::path journal;  ///< holds the segments
  /// All runtime directories that come into question, `runtime` among them; just that one if it was named.
  std::vector<std::filesystem::path> runtime_choices = {};
  bool runtime_was_named = false;  ///< by option or environment
};

/// Applies options and environment, and checks the name. `for_others`: for a broker that other users may connect to,
/// whose default is never below $XDG_RUNTIME_DIR, which is closed to them. Error: invalid_argument.
Result<FeedPaths> resolve_feed(const FeedAddress& address, bool for_others = false);

/// Of several runtime directories of one feed, the one in which it is served, or was served last, or else the first.
const std::filesystem::path& pick_runtime(const std::vector<std::filesystem::path>& choices);

}  // namespace leat
