// How a consumer joins a broker, goes on without one, and joins its successor.
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "consume/consumer_impl.h"
#include "shm/base/clock.h"
#include "shm/journal/tail_scan.h"

namespace leat {

using namespace shm;

namespace {
constexpr std::int64_t kRetryNs = 100 * kNanosPerMilli;
constexpr int kReconnectTimeoutMs = 200;
constexpr std::size_t kConsumerFds = 4;
constexpr int kOpenFileTimeoutMs = 2000;
}  // namespace

Result<void> Consumer::Impl::open() {
  cpus = allowed_cpus();
  auto resolved = resolve_feed(options.address);
  if (!resolved) return resolved.error();
  paths = std::move(*resolved);
  auto connected =
      client::connect_to_broker({.address = options.address, .role = Role::consumer, .name = options.name});
  if (connected) return attach(std::move(*connected), options.start);
  // Only where there is no broker: a broker that refuses us is not got round by reading its files.
  if (!options.allow_offline || connected.error().code != ErrorCode::no_broker) return connected.error();
  return open_offline(options.start);
}

Result<void> Consumer::Impl::attach(client::Connection connected, const Start& start) {
  if (connected.fds.size() != kConsumerFds) {
    return Error{ErrorCode::protocol_error, "the broker passed " + std::to_string(connected.fds.size()) +
                                                " descriptors to a consumer, expected 4"};
  }
  SharedFileSpec ring_spec;
  SharedFileSpec bell_spec;
  // Subscribe before replay: from here on nothing that is committed can escape us.
  auto ring_map = client::map_shared(connected.fds[0].get(), kBroadcastMagic, Access::read_only, true,
                                     "the broadcast ring", ring_spec);
  if (!ring_map) return ring_map.error();
  auto bell_map = client::map_shared(connected.fds[1].get(), kDoorbellMagic, Access::read_write, false, "the doorbell",
                                     bell_spec);
  if (!bell_map) return bell_map.error();
  if (connected.welcome.slot >= bell_spec.capacity) {
    return Error{ErrorCode::protocol_error, "the broker named a consumer slot that the doorbell does not have"};
  }
  // The connection comes first: through it the broker opens the journal's files for us if we may not do it ourselves.
  const std::uint32_t consumer_slot = connected.welcome.slot;
  UniqueFd directory = std::move(connected.fds[2]);
  connection = std::move(connected);
  auto files = JournalFiles::open(std::move(directory), paths.journal.string(),
                                  [this](const std::string& name) { return open_by_broker(name); });
  if (!files) return files.error();

  stream.emplace(std::move(*files));
  ring_mapping = std::move(*ring_map);
  doorbell_mapping = std::move(*bell_map);
  doorbell = reinterpret_cast<DoorbellHeader*>(doorbell_mapping.data());
  slot = reinterpret_cast<ConsumerSlot*>(doorbell_mapping.data() + kConsumerSlotsOffset) + consumer_slot;
  ring_instance = ring_spec.instance;
  stream->attach(BroadcastReader(ring_mapping.data(), ring_spec.capacity), options.level);
  // A segment may be recycled while we look for our place in it: then look again, in what is retained by then.
  constexpr int kAttempts = 3;
  for (int attempt = 1;; ++attempt) {
    auto place = client::resolve_start(stream->files(), start, window());
    if (place) {
      take_place(*place);
      return {};
    }
    if (attempt == kAttempts) return place.error();
    if (auto done = stream->files().refresh(); !done) return done.error();
  }
}

UniqueFd Consumer::Impl::open_by_broker(const std::string& name) {
  OpenFileMessage ask{};
  ask.header = make_header(MessageType::open_file, sizeof ask);
  name.copy(ask.name, sizeof ask.name - 1);
  Received received;
  auto done = send_message(connection.socket.get(), &ask, sizeof ask);
  if (done) done = receive_message(connection.socket.get(), received, kOpenFileTimeoutMs);
  if (done) done = check_message(received, MessageType::file_opened, sizeof(FileOpenedMessage));
  errno = EACCES;  // without a broker to ask, that is how it stands
  if (!done) return {};
  FileOpenedMessage answer;
  std::memcpy(&answer, received.bytes.data(), sizeof answer);
  if (answer.status != 0 || received.fd_count != 1) {
    errno = answer.status != 0 ? static_cast<int>(answer.status) : EPROTO;
    return {};
  }
  return std::move(received.fds[0]);
}

Result<void> Consumer::Impl::open_offline(const Start& start) {
  auto files = JournalFiles::open(paths.journal.string());
  if (!files) return files.error();
  stream.emplace(std::move(*files));
  auto now = offline_window();
  if (!now) return now.error();
  auto place = client::resolve_start(stream->files(), start, *now);
  if (!place) return place.error();
  take_place(*place);
  return {};
}

client::Window Consumer::Impl::window() const {
  const BroadcastReader& live = *ring();
  const Place latest = live.read_latest();
  client::Window now{.latest_position = latest.position, .latest_sequence = latest.sequence};
  const BroadcastHeader& header = live.header();
  do {  // the syncer stores the sequence first
    now.earliest_position = header.earliest_position.load(std::memory_order_acquire);
    now.earliest_sequence = header.earliest_sequence.load(std::memory_order_acquire);
  } while (now.earliest_position != header.earliest_position.load(std::memory_order_acquire));
  return now;
}

Result<client::Window> Consumer::Impl::offline_window() {
  JournalFiles& files = stream->files();
  if (auto done = files.refresh(); !done) return done.error();
  client::Window now;
  const EpochEntry& begun = files.identity().current();
  now.earliest_position = now.latest_position = begun.first_position;
  now.earliest_sequence = begun.first_sequence;
  now.latest_sequence = begun.first_sequence - 1;
  if (files.segments().empty()) return now;
  const SegmentName last = files.segments().back();
  now.earliest_position = files.segments().front().first_position;
  now.earliest_sequence = files.segments().front().first_sequence;
  auto scan = scan_tail(files, last);
  if (!scan) return scan.error();
  now.latest_position = scan->end_position;
  now.latest_sequence = scan->end_sequence;
  stream->set_verified_end(std::max(scan->end_position, scan->durable_position));
  return now;
}

void Consumer::Impl::take_place(const client::StartPlace& place) {
  stream->seek(place.position);
  next_sequence = place.next_sequence;
  epoch = stream->files().identity().current().id;
  if (!place.reset) return;
  reset = place.why;
  reset_pending = true;
}

void Consumer::Impl::maintain() {
  const std::int64_t now = monotonic_ns();
  if (now < next_attempt_ns) return;
  const BroadcastReader* live = ring();
  const bool retired = live != nullptr && live->header().file.load_state() == FileState::retired;
  if (live != nullptr && !retired && !client::peer_has_gone(connection.socket.get())) return;
  next_attempt_ns = now + kRetryNs;
  reconnect();
}

// Registers with the broker that has come. While there is none, the ring and the journal that we have are read on.
void Consumer::Impl::reconnect() {
  auto connected = client::connect_to_broker({.address = options.address,
                                              .role = Role::consumer,
                                              .name = options.name,
                                              .timeout_ms = kReconnectTimeoutMs});
  if (!connected) return;
  const std::uint64_t slots = doorbell != nullptr ? doorbell->file.capacity : 0;
  if (ring() != nullptr && connected->welcome.instance == ring_instance && connected->fds.size() == kConsumerFds &&
      connected->welcome.slot < slots) {
    // The same ring, adopted by another broker: all mappings stay good, and so does our place.
    slot = reinterpret_cast<ConsumerSlot*>(doorbell_mapping.data() + kConsumerSlotsOffset) + connected->welcome.slot;
    connection = std::move(*connected);
  } else if (auto attached = attach(std::move(*connected), Start::after(cursor())); !attached) {
    error = attached.error();
    return;
  }
  if (event_poll.valid()) (void)watch_events().ok();
}

Result<int> Consumer::Impl::event_fd() {
  if (event_poll.valid()) return event_poll.get();
  if (ring() == nullptr) {
    return Error{ErrorCode::no_broker, "an event descriptor needs a broker; poll until the consumer is online"};
  }
  event_poll = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (!event_poll.valid()) return system_error(errno, "epoll_create1");
  if (auto done = watch_events(); !done) return done.error();
  (void)arm_event_fd();
  return event_poll.get();
}

// The handed-out descriptor is an epoll set: our eventfd, and the connection, whose end is news too. Descriptors that
// were watched before are closed by now, and so out of the set.
Result<void> Consumer::Impl::watch_events() {
  retry_timer.reset();
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  for (const int fd : {connection.fds[3].get(), connection.socket.get()}) {
    if (::epoll_ctl(event_poll.get(), EPOLL_CTL_ADD, fd, &wanted) != 0) return system_error(errno, "epoll_ctl");
  }
  return {};
}

// Asks the broker for a write to our eventfd. True: something came meanwhile, poll again.
bool Consumer::Impl::arm_event_fd() {
  if (ring() == nullptr) return false;
  slot->armed.store(1, std::memory_order_seq_cst);
  doorbell->armed_events.store(1, std::memory_order_seq_cst);
  fence_seq_cst();  // SYNC POINT: pairs with the sequencer's fence in ring_doorbell
  event_fd_armed = true;
  return stream->limit() > stream->position();
}

void Consumer::Impl::drain_event_fd() {
  event_fd_armed = false;
  std::uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t got = ::read(connection.fds[3].get(), &ignored, sizeof ignored);
  if (retry_timer.valid()) {
    [[maybe_unused]] const ssize_t ticked = ::read(retry_timer.get(), &ignored, sizeof ignored);
  }
  if (!client::peer_has_gone(connection.socket.get())) return;
  if (!retry_timer.valid()) {
    // The broker is away: in place of the dead connection a timer wakes the event loop, so that we look for the next.
    ::epoll_ctl(event_poll.get(), EPOLL_CTL_DEL, connection.socket.get(), nullptr);
    retry_timer = UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    const itimerspec period{.it_interval = {.tv_sec = 0, .tv_nsec = kRetryNs}, .it_value = {.tv_sec = 0, .tv_nsec = kRetryNs}};
    ::timerfd_settime(retry_timer.get(), 0, &period, nullptr);
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    ::epoll_ctl(event_poll.get(), EPOLL_CTL_ADD, retry_timer.get(), &wanted);
  }
  maintain();
}

}  // namespace leat
