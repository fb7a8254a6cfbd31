// What each role is given when it is let in, and the rows that observers see.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "broker/control/control_server.h"
#include "broker/log.h"
#include "broker/sequence/sequencer.h"
#include "journal/format/segment_layout.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr int kMaxObserversPerUser = 64;

// A client's name goes into logs and tables: printable ASCII, nothing else.
std::string clean_name(const char* name) {
  std::string text(name, ::strnlen(name, kClientNameBytes));
  for (char& c : text) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return text;
}

void store_name(Counter (&words)[4], const std::string& name) {
  char padded[kClientNameBytes] = {};
  std::memcpy(padded, name.data(), std::min(name.size(), sizeof padded));
  for (std::size_t i = 0; i < 4; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, padded + i * kWordBytes, kWordBytes);
    words[i].store(word, std::memory_order_relaxed);
  }
}

}  // namespace

WelcomeMessage ControlServer::make_welcome(const Client& client) const {
  WelcomeMessage welcome{};
  welcome.header = make_header(MessageType::welcome, sizeof welcome);
  welcome.slot = client.slot;
  welcome.instance = client.role == Role::producer ? files_.inbound.spec.instance : files_.broadcast.spec.instance;
  welcome.max_record_bytes = max_record_bytes(options_);
  welcome.max_batch_bytes = max_batch_bytes(options_);
  welcome.broker_life = broker_life_;
  welcome.broker_pid = ::getpid();
  welcome.feed_uuid = files_.inbound.spec.feed_uuid;
  welcome.inbound_slots = static_cast<std::uint32_t>(files_.inbound.spec.capacity);
  welcome.max_producers = files_.producer_slots();
  welcome.consumer_slots = files_.consumer_slots();
  return welcome;
}

Result<void> ControlServer::admit(Client& client, const Received& received) {
  if (auto checked = check_message(received, MessageType::hello, sizeof(HelloMessage)); !checked) return checked;
  HelloMessage hello;
  std::memcpy(&hello, received.bytes.data(), sizeof hello);
  client.name = clean_name(hello.name);
  client.role = static_cast<Role>(hello.role);
  if (client.role != Role::producer && client.role != Role::consumer && client.role != Role::observer) {
    return Error{ErrorCode::protocol_error,
                 "unknown role " + std::to_string(hello.role) + "; use broker and clients of one release"};
  }
  if (auto allowed = admission_.check(client.peer, client.role); !allowed) return allowed;
  switch (client.role) {
    case Role::producer: return admit_producer(client, hello);
    case Role::consumer: return admit_consumer(client);
    case Role::observer: return admit_observer(client);
  }
  return {};
}

Result<void> ControlServer::admit_producer(Client& client, const HelloMessage& hello) {
  // Never the inbound ring's own word: any producer can write there.
  if (files_.broadcast_header().feed_state.load() == static_cast<std::uint32_t>(FeedState::failed)) {
    return Error{ErrorCode::feed_failed,
                 "the feed has failed and takes nothing any more; see the broker's log, "
                 "then restart leatd"};
  }
  const bool resumes = hello.resume_token != 0;
  const std::uint64_t wanted = hello.arena_bytes == 0 ? options_.arena_bytes : hello.arena_bytes;
  // One that comes back keeps the arena that it has, whatever a new one may be.
  if (!resumes && (wanted < kMinArenaBytes || wanted > options_.max_arena_bytes)) {
    return Error{ErrorCode::invalid_argument, "an arena of " + std::to_string(wanted) +
                                                  " bytes (arena_bytes) is out of "
                                                  "bounds (" +
                                                  std::to_string(kMinArenaBytes) + " to " +
                                                  std::to_string(options_.max_arena_bytes) +
                                                  "); lower "
                                                  "ProducerOptions::arena_bytes, or raise leatd's --max-arena-bytes"};
  }
  if (!resumes) {
    if (auto fair = check_producer_share(client, std::bit_ceil(wanted)); !fair) return fair;
  }
  auto registered = resumes ? registry_.resume(client.peer, hello.resume_slot, hello.resume_token)
                            : registry_.add(client.peer, client.name, std::bit_ceil(wanted));
  if (!registered) return registered.error();
  if (resumes) drop_former_holder(client, registered->slot);
  client.slot = registered->slot;
  client.admitted = true;
  WelcomeMessage welcome = make_welcome(client);
  welcome.generation = registered->generation;
  welcome.producer_id = registered->producer_id;
  welcome.token = registered->token;
  welcome.arena_bytes = registered->arena_bytes;
  welcome.resumed = resumes ? 1 : 0;
  if (admission_gate_.pass()) {
    spdlog::info("producer {} ('{}', pid {}, uid {}) {}{}", registered->producer_id, client.name, client.peer.pid,
                 client.peer.uid, resumes ? "is back" : "connected", admission_gate_.left_out());
  }
  if (resumes) return send_message(client.socket.get(), &welcome, sizeof welcome);
  const UniqueFd arena = std::move(registry_.arena_of_last_add().fd);
  const int fds[] = {files_.inbound.fd.get(), arena.get()};
  auto sent = send_message(client.socket.get(), &welcome, sizeof welcome, fds);
  client.has_left = !sent.ok();
  return sent;
}

Result<void> ControlServer::admit_consumer(Client& client) {
  const auto free_slot = std::ranges::find(consumers_, ClientId{0});
  if (free_slot == consumers_.end()) {
    return Error{ErrorCode::busy, "all " + std::to_string(consumers_.size()) +
                                      " consumer slots are taken; close some consumers or raise --max-consumers"};
  }
  if (auto fair = check_consumer_share(client); !fair) return fair;
  client.event_fd = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!client.event_fd.valid()) return system_error(errno, "eventfd");
  // Opened anew for each consumer: a shared one would have one read offset for all that list the directory.
  const UniqueFd directory(::openat(journal_directory_fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return system_error(errno, "opening the journal's directory");
  client.slot = static_cast<std::uint32_t>(free_slot - consumers_.begin());
  client.admitted = true;
  for (const auto& [id, other] : clients_) {
    if (&other == &client) *free_slot = id;
  }
  auto* slots = reinterpret_cast<ConsumerSlot*>(files_.doorbell.data() + kConsumerSlotsOffset);
  slots[client.slot].position.store(0, std::memory_order_relaxed);
  slots[client.slot].sequence.store(0, std::memory_order_relaxed);
  slots[client.slot].lapped.store(0, std::memory_order_relaxed);
  slots[client.slot].resets.store(0, std::memory_order_relaxed);
  slots[client.slot].armed.store(0, std::memory_order_relaxed);
  ConsumerRow& row = consumer_rows(files_.status.data(), files_.producer_slots())[client.slot];
  row.pid.store(client.peer.pid, std::memory_order_relaxed);
  row.uid.store(client.peer.uid, std::memory_order_relaxed);
  store_name(row.name, client.name);
  row.state.store(static_cast<std::uint32_t>(ClientState::connected), std::memory_order_release);
  if (admission_gate_.pass()) {
    spdlog::info("consumer '{}' (pid {}, uid {}) connected{}", client.name, client.peer.pid, client.peer.uid,
                 admission_gate_.left_out());
  }
  const WelcomeMessage welcome = make_welcome(client);
  const int fds[] = {files_.broadcast.read_only.get(), files_.doorbell.fd.get(), directory.get(),
                     client.event_fd.get()};
  return send_message(client.socket.get(), &welcome, sizeof welcome, fds);
}

// A consumer may be another user, to whom the journal's directory is closed: it gets descriptors, as for the rings.
Result<void> ControlServer::open_file(Client& client, const Received& received) {
  if (auto checked = check_message(received, MessageType::open_file, sizeof(OpenFileMessage)); !checked) return checked;
  OpenFileMessage ask;
  std::memcpy(&ask, received.bytes.data(), sizeof ask);
  const std::string name(ask.name, ::strnlen(ask.name, sizeof ask.name));
  if (name != kIdentityFileName && !SegmentName::parse(name)) {
    return Error{ErrorCode::protocol_error, "a consumer asked for a file that is neither a segment nor the identity"};
  }
  const UniqueFd file(::openat(journal_directory_fd_, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  FileOpenedMessage answer{};
  answer.header = make_header(MessageType::file_opened, sizeof answer);
  answer.header.reserved = ask.header.reserved;
  answer.status = file.valid() ? 0 : static_cast<std::uint32_t>(errno);
  const int fds[] = {file.get()};
  return send_message(client.socket.get(), &answer, sizeof answer,
                      file.valid() ? std::span<const int>(fds) : std::span<const int>());
}

Result<void> ControlServer::admit_observer(Client& client) {
  const auto same = [&](const auto& entry) {
    const Client& other = entry.second;
    return other.admitted && other.role == Role::observer && other.peer.uid == client.peer.uid;
  };
  if (std::ranges::count_if(clients_, same) >= kMaxObserversPerUser) {
    return Error{ErrorCode::busy, "user " + std::to_string(client.peer.uid) + " observes this feed " +
                                      std::to_string(kMaxObserversPerUser) + " times already; close some observers"};
  }
  client.admitted = true;
  refresh_rows();
  const WelcomeMessage welcome = make_welcome(client);
  const int fds[] = {files_.broadcast.read_only.get(), files_.doorbell.read_only.get(), files_.status.read_only.get()};
  return send_message(client.socket.get(), &welcome, sizeof welcome, fds);
}

void ControlServer::refresh_rows() {
  ControlCounters& counters = files_.status_header().control;
  std::uint64_t producers = 0;
  std::uint64_t consumers = 0;
  for (const auto& [id, client] : clients_) {
    if (!client.admitted) continue;
    if (client.role == Role::consumer) ++consumers;
    if (client.role != Role::producer) continue;
    ++producers;
    const RegistrySlot& slot = registry_.slot(client.slot);
    ProducerRow& row = producer_rows(files_.status.data())[client.slot];
    const std::byte* base = table_.base(client.slot);
    if (base == nullptr) continue;
    const auto& arena = *reinterpret_cast<const ArenaHeader*>(base);
    ClientState state = client.socket.valid() ? ClientState::connected : ClientState::adopted;
    if (slot.revoked.load(std::memory_order_relaxed) != 0) state = ClientState::revoked;
    row.producer_id.store(slot.producer_id, std::memory_order_relaxed);
    row.pid.store(slot.pid, std::memory_order_relaxed);
    row.uid.store(slot.uid, std::memory_order_relaxed);
    // What the producer writes of itself is shown as it stands: it can only make itself look odd.
    row.would_block_arena.store(arena.would_block_arena.load(std::memory_order_relaxed));
    row.would_block_ring.store(arena.would_block_ring.load(std::memory_order_relaxed));
    row.retried_tickets.store(arena.retried_tickets.load(std::memory_order_relaxed));
    row.arena_bytes.store(slot.arena_bytes, std::memory_order_relaxed);
    const std::uint64_t used = arena.tail.load(std::memory_order_relaxed) - slot.consumed.load();
    row.arena_used_bytes.store(std::min(used, slot.arena_bytes), std::memory_order_relaxed);
    store_name(row.name, std::string(slot.name, ::strnlen(slot.name, sizeof slot.name)));
    row.state.store(static_cast<std::uint32_t>(state), std::memory_order_release);
  }
  counters.producers.store(producers, std::memory_order_relaxed);
  counters.consumers.store(consumers, std::memory_order_relaxed);
  bump(counters.refreshes);
}

}  // namespace leat::broker
