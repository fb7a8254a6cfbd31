// The way in: the listening socket, in the loop of the control thread, under its name as long as the feed is served.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <leat/result.h>

#include "base/unique_fd.h"
#include "broker/control/epoll.h"
#include "broker/control/listening_socket.h"

namespace leat::broker {

/// One thread.
class Door {
 public:
  using Visitor = std::function<void(internal::UniqueFd)>;

  /// `epoll` outlives the door. Events of the socket have the number `id`.
  Door(Epoll& epoll, EventId id) : epoll_(epoll), id_(id) {}

  /// Listens at `socket`, which is prepared. Errors: io_error.
  Result<void> open(std::unique_ptr<ListeningSocket> socket);
  /// Takes the socket and its name away: no new clients.
  void close();
  void set_mode(mode_t mode);

  /// Gives those who wait to `let_in`, some of them at a time: those who are connected already are served in between.
  /// Without a descriptor the next one goes to `turn_away`, and the rest waits for go_on().
  void accept_some(const Visitor& let_in, const Visitor& turn_away);
  /// Lets in again, if accept_some() had to stop for want of descriptors or memory.
  void go_on();

  /// Makes the socket anew if its name leads somewhere else. If that fails: with the next call.
  void keep_in_place();

 private:
  internal::UniqueFd accept_one();
  void pause(int reason);
  void turn_one_away(const Visitor& turn_away);
  void take_spare();

  Epoll& epoll_;
  EventId id_;
  std::unique_ptr<ListeningSocket> socket_;
  internal::UniqueFd spare_fd_;  // given up for a moment to tell a client that there are no descriptors left
  bool paused_ = false;
  std::int64_t next_complaint_ns_ = 0;
  std::int64_t next_name_complaint_ns_ = 0;
};

}  // namespace leat::broker
