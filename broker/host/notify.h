// Tells whoever started leatd how it stands: systemd over NOTIFY_SOCKET, anybody over a descriptor (--ready-fd).
#pragma once

#include <cstdint>
#include <string>

#include <leat/result.h>

namespace leat::broker {

/// One thread at a time.
class Notifier {
 public:
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. `ready_fd`: -1 for none. Error: invalid_argument, when that
  /// is not an open descriptor.
  static Result<Notifier> open(int ready_fd);

  /// It serves. Writes a line to the descriptor, and closes it.
  void ready(const std::string& status);
  /// A standby that waits has started as far as systemd is concerned: it would be killed for not starting, else.
  void waiting(const std::string& status) const { send("READY=1\nSTATUS=" + status); }
  void reloading() const;
  void reloaded() const { send("READY=1"); }
  void stopping() const { send("STOPPING=1"); }
  /// Call it at least every tick of the thread that is to be watched: says so when half of the time is over.
  void alive();

  /// For what is known in systemd's protocol only. Nothing where nobody listens.
  void send(const std::string& text) const;

 private:
  std::string socket_;
  int ready_fd_ = -1;
  std::int64_t watchdog_period_ns_ = 0;  // 0: nobody watches
  std::int64_t next_alive_ns_ = 0;
};

}  // namespace leat::broker
