// Where a feed lies.
#pragma once

#include <filesystem>
#include <string>

#include <leat/result.h>

namespace leat {

/// A feed's name and, where they differ from the defaults, its directories.
/// `runtime_dir` (socket, rings, arenas): option, else $LEAT_RUNTIME_DIR, else /dev/shm/leat-<uid>.
/// `data_dir` (journal): option, else $LEAT_DATA_DIR, else /var/lib/leat for root, ~/.local/share/leat otherwise.
struct FeedAddress {
  std::string feed = {};        ///< 1..64 of [A-Za-z0-9_-]; not starting with '-'
  std::string runtime_dir = {};
  std::string data_dir = {};
};

/// The directories of one feed: `<runtime_dir>/<feed>` and `<data_dir>/<feed>`.
struct FeedPaths {
  std::filesystem::path runtime;  ///< holds control.sock and, open to the broker alone, shm/
  std::filesystem::path journal;  ///< holds the segments
};

/// Applies options and environment, and checks the name. Error: invalid_argument.
Result<FeedPaths> resolve_feed(const FeedAddress& address);

}  // namespace leat
