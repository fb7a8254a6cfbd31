#include "broker/control/control_server.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "broker/log.h"
#include "shm/base/clock.h"

namespace leat::broker {

using namespace shm;

namespace {

constexpr std::uint64_t kListenerId = 1;
constexpr std::uint64_t kWakeId = 2;
constexpr std::uint64_t kStopId = 3;
constexpr std::uint64_t kFirstClientId = 16;
constexpr int kMaxEvents = 64;
constexpr int kTickMs = 200;
constexpr std::int64_t kHelloTimeoutNs = 5 * kNanosPerSecond;
constexpr int kBacklog = 256;
constexpr int kLastRounds = 16;
constexpr int kAcceptsPerRound = 64;     // those who are connected already are served in between
constexpr int kMaxSilentPerUser = 64;    // connections that have not said hello
constexpr int kMaxFailedReceives = 3;    // in a row, of one connection
constexpr int kSendBufferBytes = 32 * 1024;  // answers, and descriptors in them, to one who does not read

}  // namespace

ControlServer::ControlServer(const Options& options, const Admission& admission, RuntimeFiles& files,
                             ProducerTable& table, ProducerRegistry& registry, LaneQueues& lanes,
                             CursorTable& cursors, int journal_directory_fd, std::uint64_t broker_life)
    : options_(options),
      admission_(admission),
      files_(files),
      table_(table),
      registry_(registry),
      lanes_(lanes),
      cursors_(cursors),
      journal_directory_fd_(journal_directory_fd),
      broker_life_(broker_life),
      next_id_(kFirstClientId),
      consumers_(files.consumer_slots(), 0) {}

ControlServer::~ControlServer() { close_listener(); }

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
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::invalid_argument, "the socket's path " + path + " is longer than " +
                                                  std::to_string(sizeof address.sun_path - 1) +
                                                  " bytes; choose a shorter --runtime-dir"};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  listener_ = UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener_.valid()) return system_error(errno, "creating the control socket");
  // We hold the lock: whoever left it is dead.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_error(errno, "removing the socket left at " + path);
  const mode_t old_mask = ::umask(admission_.admits_others() ? 0111 : 0177);
  const int bound = ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int failed = errno;
  ::umask(old_mask);
  if (bound != 0) return system_error(failed, "binding " + path);
  if (::listen(listener_.get(), kBacklog) != 0) return system_error(errno, "listening on " + path);
  path_ = path;
  if (auto done = watch(listener_.get(), kListenerId); !done) return done;
  return watch(wake_fd_.get(), kWakeId);
}

void ControlServer::close_listener() {
  if (!listener_.valid()) return;
  ::unlink(path_.c_str());
  listener_.reset();
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
ControlServer::Life ControlServer::watch_process(Client& client, ClientId id) {
  const RegistrySlot& slot = registry_.slot(client.slot);
  if (slot.pid <= 0) return Life::unknown;  // of a foreign pid namespace
  client.pidfd = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, slot.pid, 0)));
  if (!client.pidfd.valid() && errno == ESRCH) return Life::gone;
  const std::uint64_t started = process_start_time(slot.pid);
  const bool other = started != 0 && slot.pid_start_time != 0 && started != slot.pid_start_time;
  if (client.pidfd.valid() && other) return Life::gone;
  if (client.pidfd.valid() && watch(client.pidfd.get(), id).ok()) return Life::alive;
  client.pidfd.reset();
  ++unwatched_;  // no descriptor, no memory: looked at again with the next tick
  return Life::unknown;
}

void ControlServer::watch_unwatched() {
  if (unwatched_ == 0) return;
  unwatched_ = 0;
  std::vector<ClientId> gone;
  for (auto& [id, client] : clients_) {
    const bool unwatched = client.role == Role::producer && !client.socket.valid() && !client.pidfd.valid();
    if (unwatched && watch_process(client, id) == Life::gone) gone.push_back(id);
  }
  for (const ClientId id : gone) drop(id);
}

Result<void> ControlServer::run(int stop_fd) {
  if (auto done = watch(stop_fd, kStopId); !done) return done;
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
    drop_silent();
    drop_abandoned();
    watch_unwatched();
    resume_listener();
    mend_headers();
  }
  return {};
}

void ControlServer::serve_event(ClientId id) {
  if (id == kListenerId) return accept_all();
  if (id != kWakeId) return serve(id);
  std::uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_fd_.get(), &ignored, sizeof ignored);
  take_notices();
  ring_armed();
}

void ControlServer::accept_all() {
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) pause_listener(errno);
      return;
    }
    auto peer = read_peer(socket.get());
    if (!peer) {
      spdlog::warn("connection refused: {}", peer.error().message);
      continue;
    }
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
    make_room_for(peer->uid);
    const ClientId id = next_id_++;
    Client client;
    client.socket = std::move(socket);
    client.peer = std::move(*peer);
    if (auto watched = watch(client.socket.get(), id); !watched) {
      refuse(client, watched.error());
      continue;
    }
    client.hello_deadline_ns = monotonic_ns() + kHelloTimeoutNs;
    clients_.emplace(id, std::move(client));
  }
}

// So that one user's silent connections never use up the descriptors: the oldest goes when there are too many, unless it
// has something to say by now.
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
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_.get(), nullptr);
  listener_paused_ = true;
  const std::int64_t now = monotonic_ns();
  if (now < next_complaint_ns_) return;
  next_complaint_ns_ = now + kNanosPerSecond;
  if (reason == EMFILE || reason == ENFILE) {
    spdlog::warn("new clients have to wait: this process has no file descriptor left; raise its limit (ulimit -n, or "
                 "LimitNOFILE of systemd) or close some clients");
  } else {
    spdlog::warn("new clients have to wait: {}", system_error(reason, "accept4").message);
  }
}

void ControlServer::resume_listener() {
  if (!listener_paused_) return;
  listener_paused_ = !watch(listener_.get(), kListenerId).ok();
}

void ControlServer::serve(ClientId id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = found->second;
  if (!client.socket.valid()) return drop(id);  // the pidfd of an adopted producer: its process has ended
  Received received;
  if (auto got = receive_message(client.socket.get(), received, 0); !got) {
    if (got.error().code == ErrorCode::timed_out) return;
    // A call that fails (no memory just now) takes nothing: the message, a farewell perhaps, lies there still.
    const bool passing = got.error().code != ErrorCode::protocol_error;
    if (passing && ++client.failed_receives < kMaxFailedReceives) return;
    refuse(client, got.error());
    return detach(id);
  }
  client.failed_receives = 0;
  if (received.size == 0) return detach(id);
  if (auto served = serve_message(client, received); !served) {
    refuse(client, served.error());
    return detach(id);
  }
  if (client.has_left) drop(id);
}

// The connection has ended. A producer that has not said that it leaves may not know: what it publishes is still taken,
// until it registers again or its process ends.
void ControlServer::detach(ClientId id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = found->second;
  if (!client.admitted || client.role != Role::producer || client.has_left || client.peer.pid <= 0) return drop(id);
  client.socket.reset();
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
    spdlog::warn("the header of the inbound ring or the doorbell was written over or cut by a client, and is set right{}",
                 mend_gate_.left_out());
  }
}

// A process may live on without the producer that it was: a handle that was destroyed while no broker was there to hear of
// it, or before it had met this one, or that went with an exec. Then nobody maps its arena any more.
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
    if (consumers_[slot] == 0 || slots[slot].armed.exchange(0, std::memory_order_seq_cst) == 0) continue;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(clients_.at(consumers_[slot]).event_fd.get(), &one, sizeof one);
  }
}

}  // namespace leat::broker
