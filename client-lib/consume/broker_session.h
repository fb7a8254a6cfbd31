// A consumer's session with a broker: the connection, and what the broker shares over it.
#pragma once

#include <cstdint>
#include <string>

#include <leat/consumer.h>

#include "base/mapping.h"
#include "client-lib/connect/connection.h"
#include "client-lib/consume/broker_dialog.h"
#include "client-lib/read/event_reader.h"
#include "client-lib/read/trouble.h"
#include "shm/broadcast/broadcast_layout.h"

namespace leat::client {

/// Joins one broker after the other on behalf of a reader, which reads the broker's ring from then on. When a broker
/// goes, its ring stays mapped, and the reader reads on in it until the next broker is joined. One thread.
class BrokerSession {
 public:
  /// `reader`: outlives this object.
  BrokerSession(EventReader& reader, std::string name, Level level);
  BrokerSession(const BrokerSession&) = delete;
  BrokerSession& operator=(const BrokerSession&) = delete;

  /// Finds out, once, where the feed's broker is. Error: invalid_argument.
  Result<void> resolve(const FeedAddress& address);
  [[nodiscard]] const FeedPaths& paths() const noexcept { return endpoint_.paths; }

  /// Knocks at the broker's door. The session stays with the connection that it has. Errors: see connect_to_broker.
  Result<Connection> connect(int timeout_ms) const;
  /// The same at most every 100 ms, for the next broker. True: `connected` says what came of it.
  bool is_time_to_connect(std::int64_t now_ns) noexcept;
  /// From here on this is the session's connection.
  void begin(Connection connected) noexcept { dialog_.begin(std::move(connected)); }
  /// The broker has adopted the ring that is mapped: all mappings stay good, and so does the reader's place.
  [[nodiscard]] bool rejoin() noexcept;
  /// Maps what the broker shares, and lets the reader read it from `start` on. Upon an error the reader has what it
  /// had. Errors: protocol_error, layout_mismatch, corrupt, ...
  Result<void> attach(const Start& start);
  void end() noexcept { dialog_.end(); }

  /// A broker could not be joined. True: poll() has to report why.
  bool note_lost(const Error& why);
  void forget_trouble() noexcept { trouble_.clear(); }

  [[nodiscard]] bool has_gone() { return dialog_.has_gone(); }
  /// A broker is there, and serves the reader's ring.
  [[nodiscard]] bool is_served();
  [[nodiscard]] BrokerDialog& dialog() noexcept { return dialog_; }
  [[nodiscard]] int socket() const noexcept { return dialog_.connection().socket.get(); }
  /// The eventfd that the broker writes; -1: there is none.
  [[nodiscard]] int event_fd() const noexcept;

  /// Sleeps until the ring holds more at our level, or for `limit_ns`, or for a moment.
  void sleep(std::int64_t limit_ns) noexcept;
  /// The broker is to write our eventfd at the next commit.
  void ask_for_event() noexcept;

 private:
  void take_slot(std::uint32_t slot) noexcept;
  Result<StartPlace> find_place(RecordStream& stream, const Start& start) const;

  EventReader& reader_;
  const std::string name_;
  const Level level_;
  Endpoint endpoint_;
  BrokerDialog dialog_;
  internal::Mapping ring_mapping_;
  internal::Mapping doorbell_mapping_;
  internal::DoorbellHeader* doorbell_ = nullptr;
  internal::ConsumerSlot* slot_ = nullptr;
  std::uint64_t doorbell_slots_ = 0;
  std::uint64_t ring_instance_ = 0;
  Trouble trouble_;
  std::int64_t next_attempt_ns_ = 0;
};

}  // namespace leat::client
