#include "broker/control/observer_session.h"

#include <string>

#include "base/check.h"
#include "broker/control/hello.h"
#include "broker/control/roster.h"
#include "broker/control/status_rows.h"
#include "broker/rings/runtime_files.h"
#include "shm/control/control_layout.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr std::uint64_t kMaxObserversPerUser = 64;  // each of them costs a descriptor

}  // namespace

ObserverSession::ObserverSession(const SessionParts& parts, const Connection& connection) : Session(parts, connection) {
  LEAT_ASSERT(connection.role == Role::observer);
  parts_.roster.enter(*this);
}

ObserverSession::~ObserverSession() { parts_.roster.leave(*this); }

Result<std::unique_ptr<ObserverSession>> ObserverSession::admit(const SessionParts& parts,
                                                                const Connection& connection) {
  if (parts.roster.count_observers_of(connection.peer.uid) >= kMaxObserversPerUser) {
    return Error{ErrorCode::busy,
                 "user " + std::to_string(connection.peer.uid) + " observes this feed " +
                     std::to_string(kMaxObserversPerUser) + " times already",
                 "close some observers"};
  }
  return std::unique_ptr<ObserverSession>(new ObserverSession(parts, connection));
}

Result<void> ObserverSession::welcome() {
  parts_.rows.refresh(parts_.roster);
  const WelcomeMessage welcome = make_welcome(parts_, Role::observer);
  const RuntimeFiles& files = parts_.files;
  const int fds[] = {files.broadcast.read_only.get(), files.doorbell.read_only.get(), files.status.read_only.get()};
  return send_message(connection_.socket.get(), &welcome, sizeof welcome, fds);
}

Result<void> ObserverSession::serve(const Received& received) {
  if (auto checked = check_message(received, MessageType::refresh, sizeof(BareMessage)); !checked) return checked;
  parts_.rows.refresh(parts_.roster);
  const BareMessage answer{.header = make_header(MessageType::refreshed, sizeof(BareMessage))};
  return send_message(connection_.socket.get(), &answer, sizeof answer);
}

}  // namespace leat::broker
