// The control thread: one Unix socket, admission, descriptor passing; a connection's end is a client's end.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <leat/result.h>

#include "broker/control/admission.h"
#include "broker/control/listening_socket.h"
#include "broker/control/name_watch.h"
#include "broker/feed/feed.h"
#include "broker/producers/process_life.h"
#include "broker/producers/producer_registry.h"
#include "broker/storage/cursor_table.h"
#include "broker/log_gate.h"
#include "broker/options.h"
#include "base/unique_fd.h"
#include "shm/control/control_socket.h"

namespace leat::broker {

/// Everything on one thread, except wake() and set_admission().
class ControlServer {
 public:
  /// Of a feed that is open, and outlives this.
  ControlServer(Feed& feed, const Admission& admission);
  ~ControlServer();

  /// What the rest needs. Error: io_error.
  Result<void> open();
  /// Lets clients in through `door`, which is bound. Errors: io_error.
  Result<void> listen(std::unique_ptr<ListeningSocket> door);
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
  void close_listener();
  /// Notices of the sequencer, once more after its end.
  void take_notices();

  /// From any thread: notices are waiting, or eventfds are armed.
  void wake() noexcept;
  /// From any thread: other rules, for those who come from now on.
  void set_admission(Admission admission);
  [[nodiscard]] bool has_clients() const noexcept;

 private:
  struct Client {
    internal::UniqueFd socket;    // of a connection; or invalid for an adopted producer
    internal::UniqueFd pidfd;     // its process: a forked child may hold the connection open beyond its end
    internal::UniqueFd event_fd;  // of a consumer
    Peer peer;
    std::uint64_t start_time = 0;  // of the process; 0: not known
    std::string name;
    std::string cursor;  // of a consumer: the named cursor that it has taken
    bool admitted = false;
    bool has_left = false;    // a producer has said so, or was never there: its arena went to nobody
    int failed_receives = 0;  // in a row
    internal::Role role = internal::Role::observer;
    std::uint32_t slot = 0;
    std::int64_t hello_deadline_ns = 0;
  };
  using ClientId = std::uint64_t;

  Result<void> watch(int fd, ClientId id);
  void accept_all();
  void make_room_for(uid_t uid);
  void pause_listener(int reason);
  void resume_listener();
  void serve_event(ClientId id);
  void serve(ClientId id);
  bool serve_once(ClientId id);
  void end_of_process(ClientId id);
  void take_new_admission();
  void keep_door();
  std::optional<std::filesystem::path> find_lost_name();
  void tick();
  void refuse_for_want_of_descriptors();
  Result<void> serve_message(Client& client, const internal::Received& received);
  Result<void> admit(Client& client, const internal::Received& received);
  Result<void> check_producer_share(const Client& client, std::uint64_t arena_bytes) const;
  Result<void> check_consumer_share(const Client& client) const;
  Result<void> check_cursor_share(const Client& client) const;
  Result<void> admit_producer(Client& client, const internal::HelloMessage& hello);
  Result<void> admit_consumer(Client& client);
  Result<void> admit_observer(Client& client);
  internal::WelcomeMessage make_welcome(const Client& client) const;
  Result<void> serve_consumer(Client& client, const internal::Received& received);
  Result<void> open_file(Client& client, const internal::Received& received);
  Result<void> serve_cursor(Client& client, const internal::Received& received, internal::MessageType type);
  Result<void> take_cursor(Client& client, const internal::CursorMessage& ask, internal::CursorMessage& answer);
  Result<void> save_cursor(const Client& client, const internal::CursorMessage& ask);
  void refuse(Client& client, const Error& error);
  void drop(ClientId id);
  void detach(ClientId id);
  void watch_peer(Client& client, ClientId id);
  Life watch_process(Client& client, ClientId id);
  Life watch_handle(Client& client, ClientId id, ProcessHandle handle);
  void look_at_unwatched();
  void drop_former_holder(const Client& successor, std::uint32_t slot);
  void drop_silent();
  void drop_abandoned();
  void mend_headers();
  void ring_armed();
  void refresh_rows();

  const Options& options_;
  Admission admission_;
  RuntimeFiles& files_;
  ProducerTable& table_;
  ProducerRegistry& registry_;
  LaneQueues& lanes_;
  CursorTable& cursors_;
  int journal_directory_fd_;
  std::uint64_t broker_life_;
  std::unique_ptr<ListeningSocket> door_;
  NameWatch names_;
  std::function<void()> on_tick_;
  std::mutex new_admission_mutex_;
  std::optional<Admission> new_admission_;
  internal::UniqueFd epoll_;
  internal::UniqueFd wake_fd_;
  internal::UniqueFd spare_fd_;  // given up for a moment to tell a client that there are no descriptors left
  bool listener_paused_ = false;
  std::int64_t next_complaint_ns_ = 0;
  std::int64_t next_tick_ns_ = 0;
  std::int64_t next_names_ns_ = 0;
  std::int64_t next_door_complaint_ns_ = 0;
  std::size_t unwatched_ = 0;    // clients whose process no pidfd watches
  ClientId next_unwatched_ = 0;  // where the last look at them ended
  std::int64_t next_unwatched_ns_ = 0;
  bool said_no_pidfd_ = false;
  std::int64_t next_abandoned_ns_ = 0;
  LogGate admission_gate_;
  LogGate refusal_gate_;
  LogGate mend_gate_;
  ClientId next_id_;
  std::map<ClientId, Client> clients_;
  std::vector<ClientId> consumers_;  // by slot; 0: free
};

}  // namespace leat::broker
