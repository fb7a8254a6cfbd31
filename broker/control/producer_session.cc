#include "broker/control/producer_session.h"

#include <bit>
#include <string>
#include <utility>

#include "base/check.h"
#include "broker/control/hello.h"
#include "broker/control/roster.h"
#include "broker/control/user_shares.h"
#include "broker/rings/runtime_files.h"
#include "broker/log.h"
#include "broker/log_gate.h"
#include "broker/options.h"
#include "shm/ingest/arena_layout.h"

namespace leat::broker {

using namespace internal;

ProducerSession::ProducerSession(const SessionParts& parts, const Connection& connection,
                                 const Registration& registration, bool is_back)
    : Session(parts, connection), registration_(registration), is_back_(is_back) {
  LEAT_ASSERT(connection.role == Role::producer && registration.slot < parts.files.producer_slots());
  parts_.roster.enter(*this);
}

ProducerSession::~ProducerSession() { parts_.roster.leave(*this); }

Result<std::unique_ptr<ProducerSession>> ProducerSession::admit(const SessionParts& parts, const Connection& connection,
                                                                const HelloMessage& hello) {
  // Never the inbound ring's own word: any producer can write there.
  if (parts.files.broadcast_header().feed_state.load() == FeedState::failed) {
    return Error{ErrorCode::feed_failed, "the feed has failed and takes nothing any more",
                 "see the broker's log, then restart leatd"};
  }
  const bool resumes = hello.resume_token != 0;
  const std::uint64_t wanted = hello.arena_bytes == 0 ? parts.options.arena_bytes : hello.arena_bytes;
  // One that comes back keeps the arena that it has, whatever a new one may be.
  if (!resumes && (wanted < kMinArenaBytes || wanted > parts.options.max_arena_bytes)) {
    return Error{ErrorCode::invalid_argument,
                 "an arena of " + std::to_string(wanted) + " bytes (arena_bytes) is out of bounds (" +
                     std::to_string(kMinArenaBytes) + " to " + std::to_string(parts.options.max_arena_bytes) + ")",
                 "lower ProducerOptions::arena_bytes, or raise leatd's --max-arena-bytes"};
  }
  if (!resumes) {
    if (auto fair = parts.shares.check_producer(connection.peer, std::bit_ceil(wanted)); !fair) return fair.error();
  }
  auto registered = resumes ? parts.registry.resume(connection.peer, hello.resume_slot, hello.resume_token)
                            : parts.registry.add(connection.peer, connection.name, std::bit_ceil(wanted));
  if (!registered) return registered.error();
  return std::unique_ptr<ProducerSession>(new ProducerSession(parts, connection, *registered, resumes));
}

std::unique_ptr<ProducerSession> ProducerSession::adopt(const SessionParts& parts, const Connection& connection,
                                                        std::uint32_t slot) {
  LEAT_ASSERT(!connection.socket.valid());
  Registration registration;
  registration.slot = slot;
  return std::unique_ptr<ProducerSession>(new ProducerSession(parts, connection, registration, false));
}

Result<void> ProducerSession::welcome() {
  WelcomeMessage welcome = make_welcome(parts_, Role::producer);
  welcome.slot = registration_.slot;
  welcome.generation = registration_.generation;
  welcome.producer_id = registration_.producer_id;
  welcome.token = registration_.token;
  welcome.arena_bytes = registration_.arena_bytes;
  welcome.resumed = is_back_ ? 1 : 0;
  if (parts_.admission_gate.pass()) {
    log::info("producer {} ('{}', pid {}, uid {}) {}{}", registration_.producer_id, connection_.name,
              connection_.peer.pid, connection_.peer.uid, is_back_ ? "is back" : "connected",
              parts_.admission_gate.left_out());
  }
  if (is_back_) return send_message(connection_.socket.get(), &welcome, sizeof welcome);
  const UniqueFd arena = std::move(parts_.registry.arena_of_last_add().fd);
  LEAT_ASSERT(arena.valid());
  const int fds[] = {parts_.files.inbound.fd.get(), arena.get()};
  auto sent = send_message(connection_.socket.get(), &welcome, sizeof welcome, fds);
  has_left_ = !sent.ok();
  return sent;
}

Result<void> ProducerSession::serve(const Received& received) {
  auto checked = check_message(received, MessageType::leave, sizeof(BareMessage));
  has_left_ = checked.ok();
  return checked;
}

void ProducerSession::give_back() { parts_.registry.leave(registration_.slot); }

bool ProducerSession::is_abandoned() const {
  return !connection_.socket.valid() && parts_.registry.is_abandoned(registration_.slot);
}

}  // namespace leat::broker
