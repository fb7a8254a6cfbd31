#include "broker/peer.h"

#include <sys/socket.h>

#include <cerrno>

namespace leat::broker {
namespace {

constexpr std::size_t kUsualGroups = 64;

}  // namespace

Result<Peer> read_peer(int socket) {
  ucred credentials{};
  socklen_t bytes = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) {
    return system_error(errno, "asking who a client is (SO_PEERCRED)");
  }
  Peer peer{.pid = credentials.pid, .uid = credentials.uid, .groups = {}};
#ifdef SO_PEERGROUPS
  // Users of a directory service are in hundreds of groups: the kernel says how many there are if they do not fit. They
  // cannot change, as they are those of the moment of connecting.
  for (peer.groups.resize(kUsualGroups);;) {
    bytes = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &bytes) == 0) break;
    const std::size_t needed = bytes / sizeof(gid_t);
    if (errno == ERANGE && needed > peer.groups.size()) {
      peer.groups.resize(needed);
      continue;
    }
    const bool unknown = errno == ENOPROTOOPT || errno == ENOSYS;
    // Else a rule by group would refuse it wrongly.
    if (!unknown) return system_error(errno, "asking for the groups of a client (SO_PEERGROUPS)");
    bytes = 0;
    break;
  }
  peer.groups.resize(bytes / sizeof(gid_t));
#endif
  peer.groups.push_back(credentials.gid);
  return peer;
}

}  // namespace leat::broker
