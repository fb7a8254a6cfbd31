// Hello and welcome: the first message of a client, and the answer to it.
#pragma once

#include <string>

#include <leat/result.h>

#include "broker/control/session.h"
#include "shm/control/control_layout.h"
#include "shm/control/control_socket.h"

namespace leat::broker {

/// Reads a hello; name and role of `connection` are what it says. Errors: protocol_error, layout_mismatch.
Result<internal::HelloMessage> read_hello(Connection& connection, const internal::Received& received);

/// The answer, as far as it is the same for all of that role.
internal::WelcomeMessage make_welcome(const SessionParts& parts, internal::Role role);

/// Tells a client that it is not let in. It may be gone: then nobody is there to tell.
void send_refusal(const SessionParts& parts, const Connection& connection, const Error& error);

}  // namespace leat::broker
