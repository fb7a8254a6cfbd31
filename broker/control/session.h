// What a client is to the broker once it has been let in: one class for each role behind this interface.
#pragma once

#include <cstdint>

#include <leat/result.h>

#include "broker/control/connection.h"
#include "shm/control/control_socket.h"

namespace leat::broker {

class CursorTable;
class LogGate;
class ProducerRegistry;
class Roster;
class RuntimeFiles;
class StatusRows;
class UserShares;
struct Options;

/// What sessions work on. Outlives them.
struct SessionParts {
  const Options& options;
  std::uint64_t broker_life;
  int journal_directory_fd;
  RuntimeFiles& files;
  ProducerRegistry& registry;
  CursorTable& cursors;
  Roster& roster;
  const UserShares& shares;
  StatusRows& rows;
  LogGate& admission_gate;  ///< of lines about those who come
};

/// A session is made by admit() of its class, which takes what the client is given; welcome() gives it to the client.
/// Only give_back() gives it back: a broker that stops leaves its producers to the next one. Control thread only.
class Session {
 public:
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Tells the client that it has been let in. Error: the connection ends.
  virtual Result<void> welcome() = 0;
  /// Deals with one message. Error: the connection ends.
  virtual Result<void> serve(const internal::Received& received) = 0;
  /// The client is not there any more: what it was given is another's.
  virtual void give_back() {}

  /// True once the client has said that it leaves.
  [[nodiscard]] virtual bool has_left() const { return false; }
  /// True if the client may go on without its connection, as long as its process lives.
  [[nodiscard]] virtual bool outlives_connection() const { return false; }
  /// True if the connection has ended, and the client is known to be gone though its process is not.
  [[nodiscard]] virtual bool is_abandoned() const { return false; }
  [[nodiscard]] virtual bool holds_producer_slot(std::uint32_t /*slot*/) const { return false; }

  [[nodiscard]] const Connection& connection() const { return connection_; }

 protected:
  Session(const SessionParts& parts, const Connection& connection) : parts_(parts), connection_(connection) {}

  const SessionParts& parts_;
  const Connection& connection_;
};

}  // namespace leat::broker
