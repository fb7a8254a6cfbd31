// How a consumer joins a broker, goes on without one, and joins its successor.
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "consume/consumer_impl.h"
#include "shm/base/clock.h"
#include "shm/journal/cursor_file.h"
#include "shm/journal/journal_end.h"

namespace leat {

using namespace shm;

namespace {
constexpr std::int64_t kSpinNs = 5 * kNanosPerMicro;
constexpr std::int64_t kRetryNs = 100 * kNanosPerMilli;
constexpr int kReconnectTimeoutMs = 200;
constexpr std::size_t kConsumerFds = 4;
}  // namespace

Result<void> Consumer::Impl::open() {
  spinner = IdleSpinner(client::strategy_of(options.idle), kSpinNs);
  auto resolved = client::Endpoint::resolve(options.address);
  if (!resolved) return resolved.error();
  endpoint = std::move(*resolved);
  paths = endpoint.paths;
  auto connected =
      client::connect_to_broker({.endpoint = &endpoint,
                                 .role = Role::consumer,
                                 .name = options.name,
                                 .timeout_ms = client::to_timeout_ms(options.connect_timeout)});
  if (connected) return open_online(std::move(*connected));
  // Only where there is no broker: a broker that refuses us is not got round by reading its files.
  if (!options.allow_offline || connected.error().code != ErrorCode::no_broker) return connected.error();
  return open_offline(options.start);
}

Result<void> Consumer::Impl::open_online(client::Connection connected) {
  connection = std::move(connected);
  Start start = options.start;
  if (options.cursor_name.empty()) return attach(std::move(connection), start);
  auto known = take_cursor();  // first of all: what another consumer has is not to be moved
  if (!known) return known.error();
  if (*known) start = Start::after(named_place);
  if (auto attached = attach(std::move(connection), start); !attached || *known) return attached;
  auto made = ask_cursor(MessageType::save_cursor);
  return made ? Result<void>{} : Result<void>(made.error());
}

Result<void> Consumer::Impl::attach(client::Connection connected, const Start& start) {
  if (connected.fds.size() != kConsumerFds) {
    return Error{ErrorCode::protocol_error, "the broker passed " + std::to_string(connected.fds.size()) +
                                                " descriptors to a consumer, expected 4"};
  }
  SharedFileSpec ring_spec;
  // Subscribe before replay: from here on nothing that is committed can escape us.
  auto ring_map = client::map_shared(connected.fds[0].get(), kBroadcastMagic, Access::read_only, true,
                                     "the broadcast ring", ring_spec);
  if (!ring_map) return ring_map.error();
  const std::uint64_t bell_slots = connected.welcome.consumer_slots;
  auto bell_map = client::map_of_size(connected.fds[1].get(), Access::read_write, doorbell_file_bytes(bell_slots),
                                      "the doorbell");
  if (!bell_map) return bell_map.error();
  if (connected.welcome.slot >= bell_slots) {
    return Error{ErrorCode::protocol_error, "the broker named a consumer slot that the doorbell does not have"};
  }
  // The connection comes first: through it the broker opens the journal's files for us if we may not do it ourselves.
  const std::uint32_t consumer_slot = connected.welcome.slot;
  UniqueFd directory = std::move(connected.fds[2]);
  connection = std::move(connected);
  auto files = JournalFiles::open(std::move(directory), paths.journal.string(),
                                  [this](const std::string& name) { return open_by_broker(name); });
  if (!files) return files.error();

  client::RecordStream fresh(std::move(*files));
  fresh.attach(BroadcastReader(ring_map->data(), ring_spec.capacity), options.level);
  // A segment may be recycled while we look for our place in it: then look again, in what is retained by then.
  constexpr int kAttempts = 3;
  auto place = client::resolve_start(fresh.files(), start, window_of(*fresh.ring()));
  for (int attempt = 1; !place && attempt < kAttempts; ++attempt) {
    if (auto done = fresh.files().refresh(); !done) return done.error();
    place = client::resolve_start(fresh.files(), start, window_of(*fresh.ring()));
  }
  if (!place) return place.error();
  // From here on nothing fails: either all of the new broker's is ours, or all of the old one's stays.
  if (stream) {
    fresh.lapped = stream->lapped;
    fresh.ring_bytes = stream->ring_bytes;
    fresh.journal_bytes = stream->journal_bytes;
  }
  stream.emplace(std::move(fresh));
  ring_mapping = std::move(*ring_map);
  doorbell_mapping = std::move(*bell_map);
  doorbell = reinterpret_cast<DoorbellHeader*>(doorbell_mapping.data());
  doorbell_slots = bell_slots;
  slot = reinterpret_cast<ConsumerSlot*>(doorbell_mapping.data() + kConsumerSlotsOffset) + consumer_slot;
  ring_instance = ring_spec.instance;
  take_place(*place);
  return {};
}

Result<void> Consumer::Impl::open_offline(const Start& wanted) {
  auto files = JournalFiles::open(paths.journal.string());
  if (!files) return files.error();
  Start start = wanted;
  if (!options.cursor_name.empty()) {
    if (auto checked = check_cursor_name(); !checked) return checked;
    auto cursors = load_cursors(files->directory_fd(), paths.journal.string(), files->identity().uuid);
    if (!cursors) return cursors.error();
    for (const CursorEntry& entry : *cursors) {
      if (cursor_name(entry) != options.cursor_name) continue;
      start = Start::after({.epoch = entry.epoch, .sequence = entry.sequence});
    }
  }
  stream.emplace(std::move(*files));
  auto now = offline_window();
  if (!now) return now.error();
  auto place = client::resolve_start(stream->files(), start, *now);
  if (!place) return place.error();
  // A place beyond damage may well have been there: it is no future, and nobody is to begin anew because of it.
  if (place->reset && place->why.reason == Reset::Reason::future && damage) return *damage;
  take_place(*place);
  return {};
}

client::Window Consumer::Impl::window_of(const BroadcastReader& live) {
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
  now.earliest_position = files.segments().front().first_position;
  now.earliest_sequence = files.segments().front().first_sequence;
  auto end = find_journal_end(files);
  if (!end) return end.error();
  now.latest_position = end->scan.end_position;
  now.latest_sequence = end->scan.end_sequence;
  damage.reset();
  if (end->scan.verdict == TailVerdict::corrupt) damage = corruption_error(*end);
  stream->set_verified_end(std::max(end->scan.end_position, end->scan.durable_position));
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
  auto connected = client::connect_to_broker({.endpoint = &endpoint,
                                              .role = Role::consumer,
                                              .name = options.name,
                                              .timeout_ms = kReconnectTimeoutMs});
  if (!connected) return note_lost(connected.error());
  if (ring() != nullptr && connected->welcome.instance == ring_instance && connected->fds.size() == kConsumerFds &&
      connected->welcome.slot < doorbell_slots) {
    // The same ring, adopted by another broker: all mappings stay good, and so does our place.
    slot = reinterpret_cast<ConsumerSlot*>(doorbell_mapping.data() + kConsumerSlotsOffset) + connected->welcome.slot;
    connection = std::move(*connected);
  } else if (auto attached = attach(std::move(*connected), Start::after(cursor())); !attached) {
    connection.socket.reset();  // the next attempt begins anew
    return note_lost(attached.error());
  }
  lost_told.clear();
  if (!options.cursor_name.empty()) (void)take_cursor().ok();  // save_cursor() will say if another has it by now
  if (event_poll.valid()) (void)watch_events().ok();
}

// A broker that is merely away comes back. Any other reason is the caller's to know, once: else it would wait in silence.
void Consumer::Impl::note_lost(const Error& why) {
  const bool away = why.code == ErrorCode::no_broker || why.code == ErrorCode::unknown_feed ||
                    why.code == ErrorCode::timed_out || why.code == ErrorCode::closed;
  if (away || why.message == lost_told) return;
  lost_told = why.message;
  error = why;
  error_pending = true;
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
