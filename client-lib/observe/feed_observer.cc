#include <leat/feed_status.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "client-lib/connect/connection.h"
#include "base/process_mark.h"
#include "shm/broadcast/broadcast_ring.h"
#include "shm/ingest/inbound_layout.h"
#include "journal/format/feed_identity.h"
#include "shm/status/status_layout.h"

namespace leat {

using namespace internal;

struct FeedObserver::Impl {
  ProcessOwner owner;
  client::Endpoint endpoint;
  client::Connection connection;
  Mapping ring;
  Mapping doorbell;
  Mapping status;
  SharedFileSpec ring_spec;
  SharedFileSpec status_spec;

  Result<void> open();
  Result<void> refresh();
  Result<void> refresh_or_reconnect();
  [[nodiscard]] std::uint32_t producers() const { return static_cast<std::uint32_t>(status_spec.capacity >> 32); }
  [[nodiscard]] std::uint32_t consumers() const { return static_cast<std::uint32_t>(status_spec.capacity); }
  void read_feed(FeedStatus& out) const;
  void read_producers(FeedStatus& out) const;
  void read_consumers(FeedStatus& out) const;
};

namespace {

std::uint64_t get(const Counter& counter) { return counter.load(std::memory_order_relaxed); }

std::string name_of(const Counter (&words)[4]) {
  char text[kClientNameBytes + 1] = {};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint64_t word = get(words[i]);
    std::memcpy(text + i * kWordBytes, &word, kWordBytes);
  }
  return text;
}

std::string name_of(FeedState state) {
  switch (state) {
    case FeedState::running: return "running";
    case FeedState::stalled: return "stalled";
    case FeedState::failed: return "failed";
    case FeedState::stopped: return "stopped";
  }
  return "unknown";
}

std::string name_of(ClientState state) {
  switch (state) {
    case ClientState::free: return "free";
    case ClientState::connected: return "connected";
    case ClientState::adopted: return "adopted";
    case ClientState::leaving: return "leaving";
    case ClientState::revoked: return "revoked";
  }
  return "unknown";
}

}  // namespace

Result<void> FeedObserver::Impl::open() {
  auto connected =
      client::connect_to_broker({.endpoint = &endpoint, .role = Role::observer, .name = client::program_name()});
  if (!connected) return connected.error();
  if (connected->fds.size() != 3) {
    return Error{ErrorCode::protocol_error,
                 "the broker passed " + std::to_string(connected->fds.size()) +
                     " descriptors to an observer, expected 3",
                 "use broker and clients of one release"};
  }
  auto map = [&](std::size_t fd, std::uint64_t magic, const char* what, SharedFileSpec& spec) {
    return client::map_shared(connected->fds[fd].get(), magic, Access::read_only, false, what, spec);
  };
  auto ring_map = map(0, kBroadcastMagic, "the broadcast ring", ring_spec);
  if (!ring_map) return ring_map.error();
  const std::uint64_t bell_slots = connected->welcome.consumer_slots;
  auto bell_map =
      client::map_of_size(connected->fds[1].get(), Access::read_only, doorbell_file_bytes(bell_slots), "the doorbell");
  if (!bell_map) return bell_map.error();
  auto page_map = map(2, kStatusMagic, "the status page", status_spec);
  if (!page_map) return page_map.error();
  if (status_file_bytes(producers(), consumers()) != status_spec.file_bytes || consumers() > bell_slots) {
    return Error{ErrorCode::protocol_error, "the status page's size contradicts its capacity", "restart leatd"};
  }
  ring = std::move(*ring_map);
  doorbell = std::move(*bell_map);
  status = std::move(*page_map);
  connection = std::move(*connected);
  return {};
}

Result<void> FeedObserver::Impl::refresh() {
  const int socket = connection.socket.get();
  const BareMessage ask{.header = make_header(MessageType::refresh, sizeof(BareMessage))};
  const auto deadline = Deadline::after_ms(5000);
  Received received;
  while (receive_message(socket, received, 0).ok() && received.size > 0) {
  }  // answers that came too late for the one who asked
  auto done = send_message(socket, &ask, sizeof ask, deadline);
  if (done) done = receive_message(socket, received, deadline);
  if (done) done = check_message(received, MessageType::refreshed, sizeof(BareMessage));
  return done;
}

// A broker that was started anew has other files: an observer, which holds nothing there, just connects again.
Result<void> FeedObserver::Impl::refresh_or_reconnect() {
  if (!client::peer_has_gone(connection.socket.get())) {
    auto done = refresh();
    if (done || done.error().code != ErrorCode::closed) return done;
  }
  auto opened = open();
  if (opened || opened.error().code != ErrorCode::no_broker) return opened;
  return Error{ErrorCode::no_broker, "the broker of feed '" + endpoint.feed + "' has gone", "start leatd again"};
}

void FeedObserver::Impl::read_feed(FeedStatus& out) const {
  const auto& header = *reinterpret_cast<const BroadcastHeader*>(ring.data());
  const auto& page = *reinterpret_cast<const StatusHeader*>(status.data());
  // In this order, each of which may move on meanwhile: earliest <= durable <= committed holds for what is shown, too.
  out.earliest_sequence = header.earliest_sequence.load(std::memory_order_acquire);
  out.earliest_position = header.earliest_position.load(std::memory_order_acquire);
  out.durable_sequence = header.durable_sequence.load(std::memory_order_acquire);
  out.durable_position = header.durable.load(std::memory_order_acquire);
  const Place latest = BroadcastReader(ring.data(), ring_spec.capacity).read_latest();
  out.feed = endpoint.feed;
  out.feed_uuid = format_uuid(ring_spec.feed_uuid);
  out.epoch = header.epoch.load();
  out.broker_life = get(page.control.broker_life);
  out.broker_pid = page.control.pid.load();
  out.state = name_of(header.feed_state.load());
  out.latest_sequence = latest.sequence;
  out.committed_position = latest.position;
  out.events = get(page.sequencer.events);
  out.bytes = get(page.sequencer.bytes);
  out.rounds = get(page.sequencer.rounds);
  out.refused_entries = get(page.sequencer.refused_entries);
  out.bad_tickets = get(page.sequencer.bad_tickets);
  out.skipped_tickets = get(page.sequencer.skipped_tickets);
  out.ring_repairs = get(page.sequencer.ring_repairs);
  out.stalls = get(page.sequencer.stalls);
  out.wakeups = get(page.sequencer.wakeups);
  out.refused_connections = get(page.control.refused_connections);
  out.segments = get(page.syncer.segments);
  out.segment_bytes = get(page.syncer.segment_bytes);
  out.journal_bytes = get(page.syncer.journal_bytes);
  if (out.journal_bytes == 0) out.journal_bytes = out.segments * out.segment_bytes;  // an older broker does not say
  out.lost_segments = get(page.syncer.lost_segments);
  out.recycled_segments = get(page.syncer.recycled_segments);
  out.pruned_segments = get(page.syncer.pruned_segments);
  out.syncs = get(page.syncer.syncs);
  out.last_sync_ns = get(page.syncer.last_sync_ns);
  out.max_sync_ns = get(page.syncer.max_sync_ns);
  out.ring_bytes = ring_spec.capacity;
  out.inbound_slots = get(page.control.inbound_slots);
}

void FeedObserver::Impl::read_producers(FeedStatus& out) const {
  const ProducerRow* rows = producer_rows(status.data());
  for (std::uint32_t i = 0; i < producers(); ++i) {
    const ClientState state = rows[i].state.load(std::memory_order_acquire);
    if (state == ClientState::free) continue;
    out.producers.push_back({.slot = i,
                             .producer_id = rows[i].producer_id.load(),
                             .pid = rows[i].pid.load(),
                             .uid = rows[i].uid.load(),
                             .name = name_of(rows[i].name),
                             .state = name_of(state),
                             .events = get(rows[i].events),
                             .refused = get(rows[i].refused),
                             .would_block_arena = get(rows[i].would_block_arena),
                             .would_block_ring = get(rows[i].would_block_ring),
                             .retried_tickets = get(rows[i].retried_tickets),
                             .arena_bytes = get(rows[i].arena_bytes),
                             .arena_used_bytes = get(rows[i].arena_used_bytes)});
  }
}

void FeedObserver::Impl::read_consumers(FeedStatus& out) const {
  const ConsumerRow* rows = consumer_rows(status.data(), producers());
  const auto* places = reinterpret_cast<const ConsumerSlot*>(doorbell.data() + kConsumerSlotsOffset);
  for (std::uint32_t i = 0; i < consumers(); ++i) {
    if (rows[i].state.load(std::memory_order_acquire) == ClientState::free) continue;
    // Read after `latest`, so a consumer may seem to be ahead: that is no lag.
    const std::uint64_t sequence = get(places[i].sequence);
    const std::uint64_t position = get(places[i].position);
    out.consumers.push_back({.slot = i,
                             .pid = rows[i].pid.load(),
                             .uid = rows[i].uid.load(),
                             .name = name_of(rows[i].name),
                             .sequence = sequence,
                             .lag_events = out.latest_sequence > sequence ? out.latest_sequence - sequence : 0,
                             .lag_bytes = out.committed_position > position ? out.committed_position - position : 0,
                             .lapped = get(places[i].lapped),
                             .resets = get(places[i].resets)});
  }
}

FeedObserver::FeedObserver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FeedObserver::FeedObserver(FeedObserver&&) noexcept = default;
FeedObserver& FeedObserver::operator=(FeedObserver&&) noexcept = default;
FeedObserver::~FeedObserver() = default;

Result<FeedObserver> FeedObserver::connect(const FeedAddress& address) {
  try {
    auto impl = std::make_unique<Impl>();
    auto endpoint = client::Endpoint::resolve(address);
    if (!endpoint) return endpoint.error();
    impl->endpoint = std::move(*endpoint);
    if (auto done = impl->open(); !done) return done.error();
    return FeedObserver(std::move(impl));
  } catch (const std::bad_alloc&) {
    return system_error(ENOMEM, "connecting an observer");
  }
}

Result<FeedStatus> FeedObserver::read() {
  if (!impl_->owner.is_here()) return client::used_after_fork("observer");
  if (auto done = impl_->refresh_or_reconnect(); !done) return done.error();
  FeedStatus status;
  impl_->read_feed(status);
  impl_->read_producers(status);
  impl_->read_consumers(status);
  return status;
}

}  // namespace leat
