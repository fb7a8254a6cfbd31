// Where a feed lies: its directories, found from its address.
#pragma once

#include <filesystem>
#include <vector>

#include <leat/feed_address.h>
#include <leat/result.h>

namespace leat {

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
