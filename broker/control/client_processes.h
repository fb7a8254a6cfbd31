// The processes of clients: the end of a process is the end of its clients, as a child that it has forked may hold
// their connections open for nobody.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "base/unique_fd.h"
#include "broker/control/epoll.h"
#include "broker/producers/process_life.h"

namespace leat::broker {

/// The number of a client: of the events of its connection.
using ClientId = EventId;
/// In an event's number: it is about the client's process, not about its connection.
inline constexpr EventId kProcessBit = 1ULL << 63;

/// By a pidfd in the loop of the control thread where the kernel gives one, else by looks into /proc. One thread.
class ClientProcesses {
 public:
  /// `epoll` outlives this. Events of a process have the number `client | kProcessBit`.
  explicit ClientProcesses(Epoll& epoll) : epoll_(epoll) {}

  /// Another client of the process `pid`, 0: of a foreign pid namespace, its connection is all that is known.
  /// `start_time`: 0 where it is not known. Nothing is watched yet.
  void add(ClientId client, pid_t pid, std::uint64_t start_time);
  void remove(ClientId client);

  /// By the number of the process. Only one that is known to be gone has left: one that lives may publish at any
  /// moment, and `accepted` is reported to it.
  Life watch(ClientId client);
  /// By the client's connection, which says better than a number whose it is.
  void watch_peer(ClientId client, int socket);
  /// True if its end will be reported by an event, or has been and is reported again.
  [[nodiscard]] bool is_watched(ClientId client) const;

  /// Looks at some of those that no pidfd watches, with the ticks. Returns those whose process is gone.
  std::vector<ClientId> find_gone();

 private:
  struct Process {
    pid_t pid = 0;
    std::uint64_t start_time = 0;  // 0: not known
    internal::UniqueFd pidfd;
  };
  Life watch(Process& process, ClientId client);
  Life watch_by(Process& process, ClientId client, ProcessHandle handle);

  Epoll& epoll_;
  std::map<ClientId, Process> processes_;
  std::size_t unwatched_ = 0;    // of those whose process no pidfd watches; 0: all are watched
  ClientId next_unwatched_ = 0;  // where the last look at them ended
  std::int64_t next_look_ns_ = 0;
  bool said_no_pidfd_ = false;
};

}  // namespace leat::broker
