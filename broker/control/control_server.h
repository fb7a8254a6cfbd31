// The control thread: one Unix socket, admission, descriptor passing; a connection's end is a client's end.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <leat/result.h>

#include "broker/control/admission.h"
#include "broker/control/producer_registry.h"
#include "broker/journal/cursor_table.h"
#include "broker/log_gate.h"
#include "broker/options.h"
#include "shm/base/unique_fd.h"
#include "shm/control/control_socket.h"

namespace leat::broker {

/// Everything on one thread, except wake().
class ControlServer {
 public:
  ControlServer(const Options& options, const Admission& admission, RuntimeFiles& files, ProducerTable& table,
                ProducerRegistry& registry, LaneQueues& lanes, CursorTable& cursors, int journal_directory_fd,
                std::uint64_t broker_life);
  ~ControlServer();

  /// What the rest needs. Error: io_error.
  Result<void> open();
  /// Binds `path`. Errors: io_error, invalid_argument (path too long for a socket).
  Result<void> listen(const std::string& path);
  /// Adopted producers live as long as their processes, until they have registered again.
  void watch_adopted(const std::vector<std::uint32_t>& slots);

  /// Serves until a byte is readable on `stop_fd`.
  Result<void> run(int stop_fd);
  /// Takes the socket away: no new clients.
  void close_listener();
  /// Notices of the sequencer, once more after its end.
  void take_notices();

  /// From any thread: notices are waiting, or eventfds are armed.
  void wake() noexcept;
  [[nodiscard]] bool has_clients() const noexcept;

 private:
  struct Client {
    shm::UniqueFd socket;       // of a connection; or invalid for an adopted producer
    shm::UniqueFd pidfd;        // of an adopted producer
    shm::UniqueFd event_fd;     // of a consumer
    Peer peer;
    std::string name;
    std::string cursor;         // of a consumer: the named cursor that it has taken
    bool admitted = false;
    bool has_left = false;      // a producer has said so, or was never there: its arena went to nobody
    int failed_receives = 0;    // in a row
    shm::Role role = shm::Role::observer;
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
  Result<void> serve_message(Client& client, const shm::Received& received);
  Result<void> admit(Client& client, const shm::Received& received);
  Result<void> admit_producer(Client& client, const shm::HelloMessage& hello);
  Result<void> admit_consumer(Client& client);
  Result<void> admit_observer(Client& client);
  shm::WelcomeMessage make_welcome(const Client& client) const;
  Result<void> serve_consumer(Client& client, const shm::Received& received);
  Result<void> open_file(Client& client, const shm::Received& received);
  Result<void> serve_cursor(Client& client, const shm::Received& received, shm::MessageType type);
  Result<void> take_cursor(Client& client, const shm::CursorMessage& ask, shm::CursorMessage& answer);
  Result<void> save_cursor(const Client& client, const shm::CursorMessage& ask);
  void refuse(Client& client, const Error& error);
  void drop(ClientId id);
  void detach(ClientId id);
  enum class Life { gone, alive, unknown };
  Life watch_process(Client& client, ClientId id);
  void watch_unwatched();
  void drop_former_holder(const Client& successor, std::uint32_t slot);
  void drop_silent();
  void drop_abandoned();
  void mend_headers();
  void ring_armed();
  void refresh_rows();

  const Options& options_;
  const Admission& admission_;
  RuntimeFiles& files_;
  ProducerTable& table_;
  ProducerRegistry& registry_;
  LaneQueues& lanes_;
  CursorTable& cursors_;
  int journal_directory_fd_;
  std::uint64_t broker_life_;
  std::string path_;
  shm::UniqueFd listener_;
  shm::UniqueFd epoll_;
  shm::UniqueFd wake_fd_;
  bool listener_paused_ = false;
  std::int64_t next_complaint_ns_ = 0;
  std::int64_t next_abandoned_ns_ = 0;
  std::size_t unwatched_ = 0;  // adopted producers whose process could not be watched yet
  LogGate admission_gate_;
  LogGate refusal_gate_;
  LogGate mend_gate_;
  ClientId next_id_;
  std::map<ClientId, Client> clients_;
  std::vector<ClientId> consumers_;  // by slot; 0: free
};

}  // namespace leat::broker
