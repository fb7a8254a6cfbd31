// What is known of a client: its connection, and who is at the other end.
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "broker/peer.h"
#include "shm/control/control_layout.h"

namespace leat::broker {

/// Stays where it is as long as the client is there.
struct Connection {
  internal::UniqueFd socket;  ///< invalid: it has ended, or never was, as of an adopted producer
  Peer peer;
  std::string name;                                ///< as its hello says; printable
  internal::Role role = internal::Role::observer;  ///< the same; until then nothing is promised by it
};

}  // namespace leat::broker
