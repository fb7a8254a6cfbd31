// Who holds a flock lock, and who waits for it: for messages to people.
#pragma once

#include <string>

namespace leat::internal {

/// "pid 12 (user 1000) holds it, pid 13 (user 1000) waits for it", from /proc/locks; empty if nobody does, or nobody
/// that can be seen from here (another pid namespace). Nothing is opened or locked but that file.
std::string lock_holders(int lock_fd);

}  // namespace leat::internal
