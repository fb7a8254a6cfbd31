// Who is at the other end of a connection, by what the kernel says.
#pragma once

#include <sys/types.h>

#include <vector>

#include <leat/result.h>

namespace leat::broker {

/// A peer by SO_PEERCRED and SO_PEERGROUPS.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  std::vector<gid_t> groups;
};

/// Error: io_error.
Result<Peer> read_peer(int socket);

}  // namespace leat::broker
