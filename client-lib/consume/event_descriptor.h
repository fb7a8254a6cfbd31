// The descriptor for event loops: an epoll set of our eventfd, of the connection, whose end is news too, and of a timer
// that stands in for both while there is no broker.
//
// It is readable, always, but for one state: armed, in which poll() has looked at everything there is and found
// nothing. Then the broker writes the eventfd at the next commit, the connection's end wakes us, or the timer does.
#pragma once

#include <leat/result.h>

#include "base/unique_fd.h"
#include "client-lib/consume/broker_session.h"
#include "client-lib/read/event_reader.h"

namespace leat::client {

/// One for a consumer's whole life, made when it is asked for. One thread.
class EventDescriptor {
 public:
  /// `reader`, `session`: outlive this object.
  EventDescriptor(EventReader& reader, BrokerSession& session) noexcept : reader_(reader), session_(session) {}

  /// Makes it, unless it is there. Errors: io_error, used_after_fork.
  Result<int> open();
  [[nodiscard]] bool exists() const noexcept { return set_.valid(); }
  [[nodiscard]] bool is_armed() const noexcept { return armed_; }

  /// Before the session's connection is replaced.
  void unwatch() noexcept;
  /// Behind that.
  void watch_anew();
  /// There is no broker: the clock wakes the event loop, so that we look for the next one.
  void watch_clock() noexcept;

  void make_readable() noexcept;
  /// poll() has found nothing, and is to look again if the broker has gone. False: no broker writes the eventfd, the
  /// clock stands in for it, and that is all.
  bool begin_arming() noexcept;
  /// In place of the dead connection the clock wakes the event loop.
  void drop_dead_connection() noexcept;
  /// The last step. True: something came meanwhile; look again.
  [[nodiscard]] bool arm() noexcept;

 private:
  [[nodiscard]] bool has_writer() const noexcept { return reader_.ring() != nullptr && !reader_.is_blocked(); }
  Result<void> watch();
  void start_timer(bool at_once) noexcept;
  void set_armed(bool armed) noexcept;

  EventReader& reader_;
  BrokerSession& session_;
  internal::UniqueFd set_;    // the epoll descriptor that is handed out
  internal::UniqueFd timer_;  // in its set
  bool armed_ = false;        // the broker was asked to write our eventfd
};

}  // namespace leat::client
