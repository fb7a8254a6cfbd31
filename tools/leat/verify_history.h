// leat verify --history: the checker of histories as a command.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace leat::tool {

struct VerifyHistoryOptions {
  std::vector<std::string> files;  ///< one for each process, each in the order of time
  bool resets_allowed = true;
  std::uint64_t window_events = 0;  ///< 0: all
  std::string format = "text";
};

/// Prints what the checker says of these histories taken together. Returns the exit status: kExitOk, kExitBroken if a
/// promise was broken, kExitFailed if a history cannot be read.
int verify_history(const VerifyHistoryOptions& options);

}  // namespace leat::tool
