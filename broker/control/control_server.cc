#include "broker/control/control_server.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/event_fd.h"
#include "broker/control/consumer_session.h"
#include "broker/control/hello.h"
#include "broker/control/observer_session.h"
#include "broker/control/producer_session.h"
#include "broker/log.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr EventId kListenerId = 1;
constexpr EventId kWakeId = 2;
constexpr EventId kStopId = 3;
constexpr ClientId kFirstClientId = 16;
constexpr int kMaxEvents = 64;
constexpr int kTickMs = 200;
constexpr std::int64_t kHelloTimeoutNs = 5 * kNanosPerSecond;
constexpr std::int64_t kWorkPeriodNs =
    20 * kNanosPerMilli;                                  // of what is done for all clients, however many events come
constexpr std::int64_t kNamesPeriodNs = kNanosPerSecond;  // of looks at our names
constexpr int kLastMessages = 64;                         // of a process that has ended
constexpr int kLastRounds = 16;
constexpr int kMaxSilentPerUser = 64;  // connections that have not said hello
constexpr int kMaxFailedReceives = 3;  // in a row, of one connection

}  // namespace

ControlServer::ControlServer(Feed& feed, const Admission& admission)
    : files_(feed.files()),
      table_(feed.table()),
      registry_(feed.registry()),
      lanes_(feed.stages().lanes),
      admission_(admission),
      door_(epoll_, kListenerId),
      processes_(epoll_),
      roster_(feed.files().consumer_slots()),
      shares_(admission_, files_, roster_, feed.cursors()),
      rows_(files_, table_),
      parts_{.options = feed.options(),
             .broker_life = feed.broker_life(),
             .journal_directory_fd = feed.places().journal.fd,
             .files = files_,
             .registry = registry_,
             .cursors = feed.cursors(),
             .roster = roster_,
             .shares = shares_,
             .rows = rows_,
             .admission_gate = admission_gate_},
      next_id_(kFirstClientId) {}

ControlServer::~ControlServer() = default;

Result<void> ControlServer::open() {
  if (auto opened = epoll_.open(); !opened) return opened;
  wake_fd_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  return wake_fd_.valid() ? Result<void>{} : system_error(errno, "eventfd");
}

Result<void> ControlServer::listen(const std::string& path) {
  auto socket = std::make_unique<ListeningSocket>();
  if (auto bound = socket->prepare(path, admission_.socket_mode()); !bound) return bound;
  return listen(std::move(socket));
}

Result<void> ControlServer::listen(std::unique_ptr<ListeningSocket> socket) {
  if (auto done = door_.open(std::move(socket)); !done) return done;
  return epoll_.watch(wake_fd_.get(), kWakeId);
}

void ControlServer::wake() noexcept { make_readable(wake_fd_.get()); }

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
  door_.set_mode(admission_.socket_mode());
}

void ControlServer::watch_adopted(const std::vector<std::uint32_t>& slots) {
  for (const std::uint32_t index : slots) {
    const RegistrySlot& slot = registry_.slot(index);
    const ClientId id = next_id_++;
    processes_.add(id, slot.pid, slot.pid_start_time);
    const bool leaving = slot.state.load() == SlotState::leaving;
    if (leaving || processes_.watch(id) == Life::gone) {
      processes_.remove(id);
      registry_.leave(index);  // its process is gone: what it had published is taken, then its slot is free
      continue;
    }
    Client& client = clients_[id];
    client.connection.role = Role::producer;
    client.connection.name = std::string(slot.name, ::strnlen(slot.name, sizeof slot.name));
    client.connection.peer = {.pid = slot.pid, .uid = slot.uid, .groups = {}};
    client.session = ProducerSession::adopt(parts_, client.connection, index);
    log::info("producer {} ('{}', pid {}) taken over", slot.producer_id, client.connection.name, slot.pid);
  }
}

// --- the loop ---

Result<ControlServer::End> ControlServer::run(int stop_fd) {
  if (auto done = epoll_.watch(stop_fd, kStopId); !done) return done.error();
  // After the word to stop, what has happened until then is still dealt with: clients that have left leave no trace.
  for (int rounds_left = kLastRounds; rounds_left > 0;) {
    epoll_event events[kMaxEvents];
    const int count = epoll_.wait(events, rounds_left < kLastRounds ? 0 : kTickMs);
    if (count < 0 && errno != EINTR) return system_error(errno, "epoll_wait");
    bool stop = false;
    for (int i = 0; i < count; ++i) {
      const EventId id = events[i].data.u64;
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
      log::error(
          "{} was removed or replaced while the feed was served: rings without a name would be lost with this "
          "process; all that was accepted is journaled now, then the feed goes on with new ones",
          lost->string());
      return End::name_lost;
    }
  }
  return End::stopped;
}

void ControlServer::serve_event(EventId id) {
  if (id == kListenerId) {
    door_.accept_some([this](UniqueFd socket) { let_in(std::move(socket)); },
                      [this](UniqueFd socket) { turn_away(std::move(socket)); });
  } else if (id == kWakeId) {
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_fd_.get(), &ignored, sizeof ignored);
    take_notices();
    ring_armed();
  } else if ((id & kProcessBit) != 0) {
    end_of_process(id & ~kProcessBit);
  } else {
    serve_once(id);
  }
}

// What concerns all clients, not more often than it is worth: a storm of events must not make it a storm of scans.
void ControlServer::tick() {
  take_new_admission();
  const std::int64_t now = monotonic_ns();
  if (now < next_tick_ns_) return;
  next_tick_ns_ = now + kWorkPeriodNs;
  drop_silent();
  drop_abandoned();
  for (const ClientId id : processes_.find_gone()) end_of_process(id);
  door_.go_on();
  repair_headers();
  if (on_tick_) on_tick_();
}

std::optional<std::filesystem::path> ControlServer::find_lost_name() {
  const std::int64_t now = monotonic_ns();
  if (now < next_names_ns_) return std::nullopt;
  next_names_ns_ = now + kNamesPeriodNs;
  if (auto lost = files_.repair_names(table_.descriptors())) return lost;
  if (auto lost = names_.find_lost()) return lost;
  door_.keep_in_place();
  return std::nullopt;
}

// What clients can write, and what others need to be right, is set right from what they cannot.
void ControlServer::repair_headers() {
  if (!files_.repair_headers()) return;
  if (repair_gate_.pass()) {
    log::warn("the header of the inbound ring or the doorbell was written over or cut by a client, and is set right{}",
              repair_gate_.left_out());
  }
}

void ControlServer::take_notices() {
  lanes_.notices.consume_all([&](const LaneNotice& notice) {
    if (notice.kind == LaneNotice::Kind::released) {
      registry_.release(notice.slot, notice.generation);
      rows_.clear_producer(notice.slot);
      return;
    }
    const RegistrySlot& slot = registry_.slot(notice.slot);
    if (refusal_gate_.pass()) {
      log::warn("producer {} (pid {}) revoked: it broke the protocol (reason {}); nobody else is affected{}",
                slot.producer_id, slot.pid, static_cast<int>(notice.reason), refusal_gate_.left_out());
    }
    table_.wake_all();
  });
}

void ControlServer::ring_armed() {
  for (const ConsumerSession* consumer : roster_.consumers()) {
    if (consumer != nullptr) consumer->ring_if_armed();
  }
}

// --- those who come ---

void ControlServer::let_in(UniqueFd socket) {
  Client client;
  client.connection.socket = std::move(socket);
  auto peer = read_peer(client.connection.socket.get());
  if (!peer) return refuse(client, peer.error());
  client.connection.peer = std::move(*peer);
  make_room_for(client.connection.peer.uid);
  const ClientId id = next_id_++;
  if (auto watched = epoll_.watch(client.connection.socket.get(), id); !watched) {
    return refuse(client, watched.error());
  }
  client.hello_deadline_ns = monotonic_ns() + kHelloTimeoutNs;
  processes_.add(id, client.connection.peer.pid, 0);
  const bool added = clients_.emplace(id, std::move(client)).second;
  LEAT_ASSERT(added);
}

void ControlServer::turn_away(UniqueFd socket) {
  Client client;
  client.connection.socket = std::move(socket);
  if (auto peer = read_peer(client.connection.socket.get())) client.connection.peer = std::move(*peer);
  refuse(client, {ErrorCode::busy, "leatd has no file descriptor left for another client",
                  "close some clients, or raise its limit (ulimit -n, or LimitNOFILE of systemd), then try again"});
}

// So that one user's silent connections never use up the descriptors: the oldest goes when there are too many, unless
// it has something to say by now.
void ControlServer::make_room_for(uid_t uid) {
  const auto is_silent = [&](const auto& entry) {
    return entry.second.session == nullptr && entry.second.connection.peer.uid == uid;
  };
  if (std::ranges::count_if(clients_, is_silent) < kMaxSilentPerUser) return;
  const ClientId oldest = std::ranges::find_if(clients_, is_silent)->first;
  serve_once(oldest);
  const auto found = clients_.find(oldest);
  if (found == clients_.end() || found->second.session != nullptr) return;
  refuse(found->second, {ErrorCode::busy, "user " + std::to_string(uid) + " has " + std::to_string(kMaxSilentPerUser) +
                                              " connections that have not said hello: the oldest is closed"});
  drop(oldest);
}

// From the moment that there is a session, the end of the client gives back what it was given, whether the welcome
// reaches it or not.
template <typename RoleSession>
Result<void> ControlServer::begin(Client& client, Result<std::unique_ptr<RoleSession>> session) {
  if (!session) return session.error();
  LEAT_ASSERT(client.session == nullptr);
  client.session = std::move(*session);
  return client.session->welcome();
}

Result<void> ControlServer::admit(Client& client, const Received& received) {
  LEAT_ASSERT(client.session == nullptr);
  Connection& connection = client.connection;
  const auto hello = read_hello(connection, received);
  if (!hello) return hello.error();
  if (auto allowed = admission_.check(connection.peer, connection.role); !allowed) return allowed;
  switch (connection.role) {
    case Role::producer: {
      auto session = ProducerSession::admit(parts_, connection, *hello);
      if (session && (*session)->is_back()) drop_former_holder((*session)->slot());
      return begin(client, std::move(session));
    }
    case Role::consumer: return begin(client, ConsumerSession::admit(parts_, connection));
    case Role::observer: return begin(client, ObserverSession::admit(parts_, connection));
  }
  return {};
}

// Whoever showed the slot's token holds it from here on: the adopted producer that it was until now, or an earlier
// connection, whose end must not take the slot away from under the new one.
void ControlServer::drop_former_holder(std::uint32_t slot) {
  std::erase_if(clients_, [&](const auto& entry) {
    const auto& [id, client] = entry;
    if (client.session == nullptr || !client.session->holds_producer_slot(slot)) return false;
    processes_.remove(id);
    return true;
  });
}

// --- those who are there ---

// False: there was nothing to serve, or the client is gone by now.
bool ControlServer::serve_once(ClientId id) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || !found->second.connection.socket.valid()) return false;
  Client& client = found->second;
  const int socket = client.connection.socket.get();
  Received received;
  if (auto got = receive_message(socket, received, 0); !got) {
    if (got.error().code == ErrorCode::timed_out) return false;
    // A call that fails (no memory just now) takes nothing: the message, a farewell perhaps, lies there still.
    const bool passing = got.error().code != ErrorCode::protocol_error;
    if (passing && ++client.failed_receives < kMaxFailedReceives) return false;
    refuse(client, got.error());
    end_of_connection(id);
    return false;
  }
  client.failed_receives = 0;
  if (received.size == 0) {
    end_of_connection(id);
    return false;
  }
  const bool comes = client.session == nullptr;
  if (auto served = comes ? admit(client, received) : client.session->serve(received); !served) {
    refuse(client, served.error());
    end_of_connection(id);
    return false;
  }
  LEAT_ASSERT(client.session != nullptr);
  if (client.session->has_left()) {
    drop(id);
    return false;
  }
  if (comes) processes_.watch_peer(id, socket);  // only now: one that says nothing costs a single descriptor
  return true;
}

void ControlServer::refuse(const Client& client, const Error& error) {
  rows_.count_refusal();
  if (refusal_gate_.pass()) {
    log::warn("client of pid {}, uid {} refused: {}{}", client.connection.peer.pid, client.connection.peer.uid,
              error.message, refusal_gate_.left_out());
  }
  if (client.session == nullptr) send_refusal(parts_, client.connection, error);
}

// --- those who go ---

// What it had said before its end is still heard: a farewell, or a place of its cursor.
void ControlServer::end_of_process(ClientId id) {
  for (int i = 0; i < kLastMessages && serve_once(id); ++i) {
  }
  drop(id);
}

void ControlServer::end_of_connection(ClientId id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = found->second;
  if (client.session == nullptr || !client.session->outlives_connection()) return drop(id);
  const bool watched = processes_.is_watched(id);
  if (client.connection.peer.pid <= 0 && !watched) return drop(id);  // nothing else tells when it ends
  client.connection.socket.reset();
  if (watched) return;
  if (processes_.watch(id) == Life::gone) drop(id);
}

void ControlServer::drop(ClientId id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  Client& client = found->second;
  if (client.session != nullptr) client.session->give_back();
  log::debug("client '{}' of pid {} has left", client.connection.name, client.connection.peer.pid);
  clients_.erase(found);
  processes_.remove(id);
}

void ControlServer::drop_silent() {
  const std::int64_t now = monotonic_ns();
  std::vector<ClientId> silent;
  for (const auto& [id, client] : clients_) {
    if (client.session == nullptr && now > client.hello_deadline_ns) silent.push_back(id);
  }
  for (const ClientId id : silent) {
    refuse(clients_.at(id), {ErrorCode::timed_out, "no hello within five seconds"});
    drop(id);
  }
}

void ControlServer::drop_abandoned() {
  const std::int64_t now = monotonic_ns();
  if (now < next_abandoned_ns_) return;
  next_abandoned_ns_ = now + kTickMs * kNanosPerMilli;
  std::vector<ClientId> abandoned;
  for (const auto& [id, client] : clients_) {
    if (client.session != nullptr && client.session->is_abandoned()) abandoned.push_back(id);
  }
  for (const ClientId id : abandoned) drop(id);
}

}  // namespace leat::broker
