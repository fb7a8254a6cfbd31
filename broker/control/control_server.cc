#include "broker/control/control_server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "broker/log.h"
#include "base/clock.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr std::uint64_t kListenerId = 1;
constexpr std::uint64_t kWakeId = 2;
constexpr std::uint64_t kStopId = 3;
constexpr std::uint64_t kFirstClientId = 16;
constexpr std::uint64_t kProcessBit = 1ULL << 63;  // an event of the client's process, not of its connection
constexpr int kMaxEvents = 64;
constexpr int kTickMs = 200;
constexpr std::int64_t kHelloTimeoutNs = 5 * kNanosPerSecond;
constexpr std::int64_t kWorkPeriodNs =
    20 * kNanosPerMilli;                                  // of what is done for all clients, however many events come
constexpr std::int64_t kNamesPeriodNs = kNanosPerSecond;  // of looks at our names
constexpr int kUnwatchedPerTick = 64;                     // looks at processes in /proc
constexpr int kLastMessages = 64;                         // of a process that has ended
constexpr int kLastRounds = 16;
constexpr int kAcceptsPerRound = 64;         // those who are connected already are served in between
constexpr int kMaxSilentPerUser = 64;        // connections that have not said hello
constexpr int kMaxFailedReceives = 3;        // in a row, of one connection
constexpr int kSendBufferBytes = 32 * 1024;  // answers, and descriptors in them, to one who does not read

}  // namespace

ControlServer::ControlServer(Feed& feed, const Admission& admission)
    : options_(feed.options()),
      admission_(admission),
      files_(feed.files()),
      table_(feed.table()),
      registry_(feed.registry()),
      lanes_(feed.stages().lanes),
      cursors_(feed.cursors()),
      journal_directory_fd_(feed.places().journal_fd),
      broker_life_(feed.broker_life()),
      next_id_(kFirstClientId),
      consumers_(feed.files().consumer_slots(), 0) {}

ControlServer::~ControlServer() = default;

Result<void> ControlServer::open() {
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return system_error(errno, "epoll_create1");
  wake_fd_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_fd_.valid()) return system_error(errno, "eventfd");
  return {};
}

void ControlServer::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_.get(), &one, sizeof one);
}

bool ControlServer::has_clients() const noexcept { return !clients_.empty(); }

Result<void> ControlServer::watch(int fd, ClientId id) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0 && errno != EEXIST) {
    return system_error(errno, "epoll_ctl");
  }
  return {};
}

Result<void> ControlServer::listen(const std::string& path) {
  auto door = std::make_unique<ListeningSocket>();
  if (auto bound = door->prepare(path, admission_.socket_mode()); !bound) return bound;
  return listen(std::move(door));
}

Result<void> ControlServer::listen(std::unique_ptr<ListeningSocket> door) {
  door_ = std::move(door);
  spare_fd_ = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (auto done = door_->listen(); !done) return done;
  if (auto done = watch(door_->fd(), kListenerId); !done) return done;
  return watch(wake_fd_.get(), kWakeId);
}

void ControlServer::close_listener() {
  if (door_ != nullptr) door_->close();
}

void ControlServer::set_admission(Admission admission) {
  {
    const std::lock_guard lock(new_admission_mutex_);
    new_admission_ = std::move(admission);
  }
  wake();
}

void ControlServer::take_new_admission() {
  std::optional<Admission> taken;
  {
    const std::lock_guard lock(new_admission_mutex_);
    taken.swap(new_admission_);
  }
  if (!taken) return;
  admission_ = std::move(*taken);
  if (door_ != nullptr) door_->set_mode(admission_.socket_mode());
}

// The name is ours while we hold the lock: whoever took it away, or put something else there, meant no harm to the
// feed, or did, but clients must find it.
void ControlServer::keep_door() {
  if (!door_->valid() || door_->is_in_place()) return;
  listener_paused_ = false;
  auto renewed = door_->renew();
  if (renewed) renewed = watch(door_->fd(), kListenerId);
  if (renewed) {
    spdlog::warn(
        "the socket {} was removed or replaced while the feed was served: it is made anew, and clients find the "
        "feed again; those who were connected noticed nothing",
        door_->path());
    return;
  }
  const std::int64_t now = monotonic_ns();
  if (now < next_door_complaint_ns_) return;
  next_door_complaint_ns_ = now + 60 * kNanosPerSecond;
  spdlog::error(
      "the socket {} was removed or replaced, and cannot be made anew: {}; new clients do not find the feed, "
      "those who are connected go on; tried again each second",
      door_->path(), renewed.error().message);
}

std::optional<std::filesystem::path> ControlServer::find_lost_name() {
  const std::int64_t now = monotonic_ns();
  if (now < next_names_ns_) return std::nullopt;
  next_names_ns_ = now + kNamesPeriodNs;
  if (auto lost = files_.mend_names(table_)) return lost;
  if (auto lost = names_.find_lost()) return lost;
  keep_door();
  return std::nullopt;
}

void ControlServer::watch_adopted(const std::vector<std::uint32_t>& slots) {
  for (const std::uint32_t index : slots) {
    const RegistrySlot& slot = registry_.slot(index);
    Client client;
    client.admitted = true;
    client.role = Role::producer;
    client.slot = index;
    client.name = std::string(slot.name, ::strnlen(slot.name, sizeof slot.name));
    client.peer = {.pid = slot.pid, .uid = slot.uid, .groups = {}};
    const ClientId id = next_id_++;
    client.start_time = slot.pid_start_time;
    const bool leaving = slot.state.load() == static_cast<std::uint32_t>(SlotState::leaving);
    if (leaving || watch_process(client, id) == Life::gone) {
      registry_.leave(index);  // its process is gone: what it had published is taken, then its slot is free
      continue;
    }
    spdlog::info("producer {} ('{}', pid {}) taken over", slot.producer_id, client.name, slot.pid);
    clients_.emplace(id, std::move(client));
  }
}

// Only a process that is known to be gone has left: one that lives may publish at any moment, and is told `accepted`.
Life ControlServer::watch_process(Client& client, ClientId id) {
  if (client.peer.pid <= 0) return Life::unknown;  // of a foreign pid namespace: its connection is all that is known
  const Life life = watch_handle(client, id, open_process(client.peer.pid));
  if (life != Life::alive) return life;
  // The number may be another process's by now.
  const std::uint64_t started = process_start_time(client.peer.pid);
  const bool other = started != 0 && client.start_time != 0 && started != client.start_time;
  return other ? Life::gone : Life::alive;
}

Life ControlServer::watch_handle(Client& client, ClientId id, ProcessHandle handle) {
  if (handle.error == ESRCH) {
    ++unwatched_;  // whoever does not drop it now finds it with the next tick
    return Life::gone;
  }
  if (handle.fd.valid()) {
    client.pidfd = std::move(handle.fd);
    if (watch(client.pidfd.get(), id | kProcessBit).ok()) return Life::alive;
    client.pidfd.reset();
  } else if (handle.unsupported() && !said_no_pidfd_) {
    said_no_pidfd_ = true;
    spdlog::warn(
        "pidfd_open: {} (errno {}): the end of a process is looked for in /proc instead, a little later; an older "
        "kernel, or a seccomp profile that should allow it",
        std::strerror(handle.error), handle.error);
  }
  ++unwatched_;  // the call is not to be had, or no descriptor, or no memory: /proc is looked at with the ticks
  return look_at_process(client.peer.pid, client.start_time);
}

// The process at the other end, whose end is the client's: a child that it has forked holds the connection open for
// nobody.
void ControlServer::watch_peer(Client& client, ClientId id) {
  client.start_time = process_start_time(client.peer.pid);
  ProcessHandle handle = open_peer_process(client.socket.get());
  if (handle.fd.valid()) (void)watch_handle(client, id, std::move(handle));
  else (void)watch_process(client, id);
}

// Some of those that no pidfd watches, at each tick; a pidfd is tried again, as it may have been for want of
// descriptors.
void ControlServer::look_at_unwatched() {
  const std::int64_t now = monotonic_ns();
  if (unwatched_ == 0 || now < next_unwatched_ns_) return;
  next_unwatched_ns_ = now + kTickMs * kNanosPerMilli;
  std::vector<ClientId> gone;
  auto at = clients_.lower_bound(next_unwatched_);
  std::size_t seen = 0;
  std::size_t left = clients_.size();
  for (; left > 0 && seen < kUnwatchedPerTick; --left, ++at) {
    if (at == clients_.end()) at = clients_.begin();
    Client& client = at->second;
    if (client.pidfd.valid() || client.peer.pid <= 0) continue;
    ++seen;
    if (said_no_pidfd_) {
      if (look_at_process(client.peer.pid, client.start_time) == Life::gone) gone.push_back(at->first);
    } else if (watch_process(client, at->first) == Life::gone) {
      gone.push_back(at->first);
    }
  }
  next_unwatched_ = at == clients_.end() ? 0 : at->first;
  if (left == 0 && seen == 0) unwatched_ = 0;
  for (const ClientId id : gone) end_of_process(id);
}

Result<ControlServer::End> ControlServer::run(int stop_fd) {
  if (auto done = watch(stop_fd, kStopId); !done) return done.error();
  // After the word to stop, what has happened until then is still dealt with: clients that have left leave no trace.
  for (int rounds_left = kLastRounds; rounds_left > 0;) {
    epoll_event events[kMaxEvents];
    const int count = ::epoll_wait(epoll_.get(), events, kMaxEvents, rounds_left < kLastRounds ? 0 : kTickMs);
    if (count < 0 && errno != EINTR) return system_error(errno, "epoll_wait");
    bool stop = false;
    for (int i = 0; i < count; ++i) {
      const std::uint64_t id = events[i].data.u64;
      if (id == kStopId) stop = true;
      else serve_event(id);
    }
    if (stop) rounds_left = count == 1 ? 0 : rounds_left - 1;
    if (count == 0) {  // should ever a wake-up get lost
      take_notices();
      ring_armed();
    }
    tick();
    if (const auto lost = stop ? std::nullopt : find_lost_name()) {
      spdlog::error(
          "{} was removed or replaced while the feed was served: rings without a name would be lost with this "
          "process; all that was accepted is journaled now, then the feed goes on with new ones",
          lost->string());
      return End::name_lost;
    }
  }
  return End::stopped;
}

// What concerns all clients, not more often than it is worth: a storm of events must not make it a storm of scans.
void ControlServer::tick() {
  take_new_admission();
  const std::int64_t now = monotonic_ns();
  if (now < next_tick_ns_) return;
  next_tick_ns_ = now + kWorkPeriodNs;
  drop_silent();
  drop_abandoned();
  look_at_unwatched();
  resume_listener();
  mend_headers();
  if (on_tick_) on_tick_();
}

void ControlServer::serve_event(ClientId id) {
  if (id == kListenerId) return accept_all();
  if (id != kWakeId) return (id & kProcessBit) != 0 ? end_of_process(id & ~kProcessBit) : serve(id);
  std::uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_fd_.get(), &ignored, sizeof ignored);
  take_notices();
  ring_armed();
}

void ControlServer::accept_all() {
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    Client client;
    client.socket = UniqueFd(::accept4(door_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.socket.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      const int failed = errno;
      if (failed == EMFILE || failed == ENFILE) refuse_for_want_of_descriptors();
      if (failed != EAGAIN) pause_listener(failed);
      return;
    }
    ::setsockopt(client.socket.get(), SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
    auto peer = read_peer(client.socket.get());
    if (!peer) {
      refuse(client, peer.error());
      continue;
    }
    client.peer = std::move(*peer);
    make_room_for(client.peer.uid);
    const ClientId id = next_id_++;
    if (auto watched = watch(client.socket.get(), id); !watched) {
      refuse(client, watched.error());
      continue;
    }
    client.hello_deadline_ns = monotonic_ns() + kHelloTimeoutNs;
    clients_.emplace(id, std::move(client));
  }
}

// So that one user's silent connections never use up the descriptors: the oldest goes when there are too many, unless
// it has something to say by now.
void ControlServer::make_room_for(uid_t uid) {
  const auto is_silent = [&](const auto& entry) { return !entry.second.admitted && entry.second.peer.uid == uid; };
  if (std::ranges::count_if(clients_, is_silent) < kMaxSilentPerUser) return;
  const ClientId oldest = std::ranges::find_if(clients_, is_silent)->first;
  serve(oldest);
  const auto found = clients_.find(oldest);
  if (found == clients_.end() || found->second.admitted) return;
  refuse(found->second, {ErrorCode::busy, "user " + std::to_string(uid) + " has " + std::to_string(kMaxSilentPerUser) +
                                              " connections that have not said hello: the oldest is closed"});
  drop(oldest);
}

// Without a free descriptor, or memory, the client must wait in the listener's queue, which would wake us for ever: the
// queue is left alone until the next tick.
void ControlServer::pause_listener(int reason) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, door_->fd(), nullptr);
  listener_paused_ = true;
  const std::int64_t now = monotonic_ns();
  if (now < next_complaint_ns_) return;
  next_complaint_ns_ = now + kNanosPerSecond;
  if (reason == EMFILE || reason == ENFILE) {
    spdlog::warn(
        "new clients are refused, or have to wait: this process has no file descriptor left; raise its limit "
        "(ulimit -n, or LimitNOFILE of systemd) or close some clients");
  } else {
    spdlog::warn("new clients have to wait: {}", system_error(reason, "accept4").message);
  }
}

// One descriptor is kept for this: a client that is told why can say so, and come again.
void ControlServer::refuse_for_want_of_descriptors() {
  if (!spare_fd_.valid()) return;
  spare_fd_.reset();
  {
    Client client;
    client.socket = UniqueFd(::accept4(door_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client.socket.valid()) {
      if (auto peer = read_peer(client.socket.get())) client.peer = std::move(*peer);
      refuse(client, {ErrorCode::busy,
                      "leatd has no file descriptor left for another client; close some clients, or raise "
                      "its limit (ulimit -n, or LimitNOFILE of systemd), then try again"});
    }
  }
  spare_fd_ = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

void ControlServer::resume_listener() {
  if (!spare_fd_.valid()) spare_fd_ = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!listener_paused_) return;
  listener_paused_ = !watch(door_->fd(), kListenerId).ok();
}

void ControlServer::serve(ClientId id) { (void)serve_once(id); }

// False: there was nothing to serve, or the client is gone by now.
bool ControlServer::serve_once(ClientId id) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || !found->second.socket.valid()) return false;
  Client& client = found->second;
  Received received;
  if (auto got = receive_message(client.socket.get(), received, 0); !got) {
    if (got.error().code == ErrorCode::timed_out) return false;
    // A call that fails (no memory just now) takes nothing: the message, a farewell perhaps, lies there still.
    const bool passing = got.error().code != ErrorCode::protocol_error;
    if (passing && ++client.failed_receives < kMaxFailedReceives) return false;
    refuse(client, got.error());
    detach(id);
    return false;
  }
  client.failed_receives = 0;
  if (received.size == 0) {
    detach(id);
    return false;
  }
  const bool comes = !client.admitted;
  if (auto served = serve_message(client, received); !served) {
    refuse(client, served.error());
    detach(id);
    return false;
  }
  if (client.has_left) {
    drop(id);
    return false;
  }
  if (comes) watch_peer(client, id);  // only now: one that says nothing costs a single descriptor
  return true;
}

// What it had said before its end is still heard: a farewell, or a place of its cursor.
void ControlServer::end_of_process(ClientId id) {
  for (int i = 0; i < kLastMessages && serve_once(id); ++i) {
  }
  drop(id);
}

// The connection has ended. A producer that has not said that it leaves may not know: what it publishes is still taken,
// until it registers again or its process ends.
void ControlServer::detach(ClientId id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = found->second;
  if (!client.admitted || client.role != Role::producer || client.has_left) return drop(id);
  if (client.peer.pid <= 0 && !client.pidfd.valid()) return drop(id);  // nothing else tells when it ends
  client.socket.reset();
  if (client.pidfd.valid()) return;  // its end will be told, or has been and is told again
  if (watch_process(client, id) == Life::gone) drop(id);
}

Result<void> ControlServer::serve_message(Client& client, const Received& received) {
  if (!client.admitted) return admit(client, received);
  if (client.role == Role::consumer) return serve_consumer(client, received);
  if (client.role == Role::producer) {
    auto checked = check_message(received, MessageType::leave, sizeof(BareMessage));
    client.has_left = checked.ok();
    return checked;
  }
  if (auto checked = check_message(received, MessageType::refresh, sizeof(BareMessage)); !checked) return checked;
  refresh_rows();
  const BareMessage answer{.header = make_header(MessageType::refreshed, sizeof(BareMessage))};
  return send_message(client.socket.get(), &answer, sizeof answer);
}

void ControlServer::refuse(Client& client, const Error& error) {
  bump(files_.status_header().control.refused_connections);
  if (refusal_gate_.pass()) {
    spdlog::warn("client of pid {}, uid {} refused: {}{}", client.peer.pid, client.peer.uid, error.message,
                 refusal_gate_.left_out());
  }
  if (client.admitted) return;
  WelcomeMessage answer = make_welcome(client);
  answer.status = static_cast<std::uint32_t>(error.code);
  std::snprintf(answer.text, sizeof answer.text, "%s", error.message.c_str());
  (void)send_message(client.socket.get(), &answer, sizeof answer).ok();  // it may be gone: then nobody is there to tell
}

void ControlServer::drop(ClientId id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = found->second;
  if (client.admitted && client.role == Role::producer) registry_.leave(client.slot);
  if (client.admitted && client.role == Role::consumer) {
    consumers_[client.slot] = 0;
    consumer_rows(files_.status.data(), files_.producer_slots())[client.slot].state.store(0);
  }
  spdlog::debug("client '{}' of pid {} has left", client.name, client.peer.pid);
  clients_.erase(found);
}

// Whoever showed the slot's token holds it from here on: the adopted producer that it was until now, or an earlier
// connection, whose end must not take the slot away from under the new one.
void ControlServer::drop_former_holder(const Client& successor, std::uint32_t slot) {
  std::erase_if(clients_, [&](const auto& entry) {
    const Client& client = entry.second;
    return &client != &successor && client.admitted && client.role == Role::producer && client.slot == slot;
  });
}

// What clients can write, and what others need to be right, is set right from what they cannot.
void ControlServer::mend_headers() {
  if (!files_.mend_headers()) return;
  if (mend_gate_.pass()) {
    spdlog::warn(
        "the header of the inbound ring or the doorbell was written over or cut by a client, and is set right{}",
        mend_gate_.left_out());
  }
}

// A process may live on without the producer that it was: a handle that was destroyed while no broker was there to hear
// of it, or before it had met this one, or that went with an exec. Then nobody maps its arena any more.
void ControlServer::drop_abandoned() {
  const std::int64_t now = monotonic_ns();
  if (now < next_abandoned_ns_) return;
  next_abandoned_ns_ = now + kTickMs * kNanosPerMilli;
  std::vector<ClientId> abandoned;
  for (const auto& [id, client] : clients_) {
    const bool detached = client.admitted && client.role == Role::producer && !client.socket.valid();
    if (detached && registry_.is_abandoned(client.slot)) abandoned.push_back(id);
  }
  for (const ClientId id : abandoned) drop(id);
}

void ControlServer::drop_silent() {
  const std::int64_t now = monotonic_ns();
  std::vector<ClientId> silent;
  for (const auto& [id, client] : clients_) {
    if (!client.admitted && now > client.hello_deadline_ns) silent.push_back(id);
  }
  for (const ClientId id : silent) {
    refuse(clients_.at(id), {ErrorCode::timed_out, "no hello within five seconds"});
    drop(id);
  }
}

void ControlServer::take_notices() {
  lanes_.notices.consume_all([&](const LaneNotice& notice) {
    if (notice.kind == LaneNotice::Kind::released) {
      registry_.release(notice.slot, notice.generation);
      producer_rows(files_.status.data())[notice.slot].state.store(static_cast<std::uint32_t>(ClientState::free));
      return;
    }
    const RegistrySlot& slot = registry_.slot(notice.slot);
    if (refusal_gate_.pass()) {
      spdlog::warn("producer {} (pid {}) revoked: it broke the protocol (reason {}); nobody else is affected{}",
                   slot.producer_id, slot.pid, static_cast<int>(notice.reason), refusal_gate_.left_out());
    }
    table_.wake_all();
  });
}

// Writes the eventfd of every consumer that has armed it.
void ControlServer::ring_armed() {
  auto* slots = reinterpret_cast<ConsumerSlot*>(files_.doorbell.data() + kConsumerSlotsOffset);
  for (std::size_t slot = 0; slot < consumers_.size(); ++slot) {
    // A load first: an exchange takes the line away from a consumer that keeps its place there. What is missed by it
    // was armed after the wake-up that brought us here, and brings another.
    if (consumers_[slot] == 0 || slots[slot].armed.load(std::memory_order_seq_cst) == 0) continue;
    if (slots[slot].armed.exchange(0, std::memory_order_seq_cst) == 0) continue;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(clients_.at(consumers_[slot]).event_fd.get(), &one, sizeof one);
  }
}

}  // namespace leat::broker
