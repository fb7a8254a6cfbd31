// Where feeds may lie on this host besides the directories of this command: those of other users, and those that
// systemd makes. Looks only; needs no broker.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <leat/feed_address.h>

namespace leat::tool {

/// Directories that may hold `<feed>/control.sock`: the one of `address` first, then the environment's, this user's
/// defaults, /run/leat, and every /dev/shm/leat-<uid> and /run/user/<uid>/leat. Those that are there, each once.
std::vector<std::filesystem::path> runtime_roots(const FeedAddress& address);

/// Directories that may hold `<feed>/feed`: the one of `address` first, then this user's default, /var/lib/leat, and
/// the default of each user whose home may be looked into. Those that are there, each once.
std::vector<std::filesystem::path> data_roots(const FeedAddress& address);

/// Who listens on a socket.
struct Listener {
  int pid = 0;  ///< 0: not to be seen from here
  unsigned uid = 0;
};

/// The process that listens on `socket`; nothing if none does, or if this user may not ask.
std::optional<Listener> listener_on(const std::filesystem::path& socket);

/// A process holds the lock of this feed, which leatd takes before all else: if nobody answers it is starting (or
/// ending).
bool is_being_started(const FeedAddress& address);

/// "root", or the number where the name is not known.
std::string user_name(unsigned uid);

/// What is known of `feed` outside the directories of `address`: "feed 'x' is served in /run/leat by user leat (pid 7):
/// give --runtime-dir /run/leat", or where a journal of that name lies. Empty if nothing is known.
std::string known_elsewhere(const FeedAddress& address);

}  // namespace leat::tool
