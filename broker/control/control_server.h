// The control thread: its loop, who is connected, and what is done for all of them with each tick. A client is a
// connection until it has said hello (hello.h), then a session of its role (session.h); the end of its connection or of
// its process is its end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <leat/result.h>

#include "base/unique_fd.h"
#include "broker/control/admission.h"
#include "broker/control/client_processes.h"
#include "broker/control/connection.h"
#include "broker/control/door.h"
#include "broker/control/epoll.h"
#include "broker/control/listening_socket.h"
#include "broker/control/name_watch.h"
#include "broker/control/roster.h"
#include "broker/control/session.h"
#include "broker/control/status_rows.h"
#include "broker/control/user_shares.h"
#include "broker/feed/feed.h"
#include "broker/log_gate.h"
#include "shm/control/control_socket.h"

namespace leat::broker {

/// Everything on the control thread, except wake() and set_admission().
class ControlServer {
 public:
  /// Of a feed that is open, and outlives this.
  ControlServer(Feed& feed, const Admission& admission);
  ~ControlServer();

  /// What the rest needs. Error: io_error.
  Result<void> open();
  /// Lets clients in through `socket`, which is prepared. Errors: io_error.
  Result<void> listen(std::unique_ptr<ListeningSocket> socket);
  /// The same with a socket of its own. Errors: io_error, invalid_argument (path too long for a socket).
  Result<void> listen(const std::string& path);
  /// Names that must lead to our files as long as we serve; run() returns when one does not any more.
  void watch_names(NameWatch names) { names_ = std::move(names); }
  /// Called at least every kTickMs while it runs.
  void on_tick(std::function<void()> tick) { on_tick_ = std::move(tick); }
  /// Adopted producers live as long as their processes, until they have registered again.
  void watch_adopted(const std::vector<std::uint32_t>& slots);

  enum class End {
    stopped,    ///< a byte was readable on `stop_fd`
    name_lost,  ///< a file of ours has no name any more: see the log
  };
  Result<End> run(int stop_fd);
  /// Takes the socket away: no new clients.
  void close_listener() { door_.close(); }
  /// Notices of the sequencer, once more after its end.
  void take_notices();

  /// From any thread: notices are waiting, or eventfds are armed.
  void wake() noexcept;
  /// From any thread: other rules, for those who come from now on.
  void set_admission(Admission admission);
  [[nodiscard]] bool has_clients() const noexcept { return !clients_.empty(); }

 private:
  struct Client {
    Connection connection;
    std::int64_t hello_deadline_ns = 0;
    int failed_receives = 0;           // in a row
    std::unique_ptr<Session> session;  // null: it has not said hello
  };

  void let_in(internal::UniqueFd socket);
  void turn_away(internal::UniqueFd socket);
  void make_room_for(uid_t uid);
  Result<void> admit(Client& client, const internal::Received& received);
  template <typename RoleSession>
  static Result<void> begin(Client& client, Result<std::unique_ptr<RoleSession>> session);
  void drop_former_holder(std::uint32_t slot);

  void serve_event(EventId id);
  bool serve_once(ClientId id);
  void end_of_process(ClientId id);
  void end_of_connection(ClientId id);
  void refuse(const Client& client, const Error& error);
  void drop(ClientId id);

  void tick();
  void take_new_admission();
  std::optional<std::filesystem::path> find_lost_name();
  void drop_silent();
  void drop_abandoned();
  void repair_headers();
  void ring_armed();

  RuntimeFiles& files_;
  ProducerTable& table_;
  ProducerRegistry& registry_;
  LaneQueues& lanes_;
  Admission admission_;
  std::mutex new_admission_mutex_;
  std::optional<Admission> new_admission_;

  Epoll epoll_;
  internal::UniqueFd wake_fd_;
  Door door_;
  NameWatch names_;
  std::function<void()> on_tick_;
  std::int64_t next_tick_ns_ = 0;
  std::int64_t next_names_ns_ = 0;
  std::int64_t next_abandoned_ns_ = 0;
  LogGate admission_gate_;
  LogGate refusal_gate_;
  LogGate repair_gate_;

  ClientProcesses processes_;
  Roster roster_;
  UserShares shares_;
  StatusRows rows_;
  SessionParts parts_;
  ClientId next_id_;
  std::map<ClientId, Client> clients_;
};

}  // namespace leat::broker
