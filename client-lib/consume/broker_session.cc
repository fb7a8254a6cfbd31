#include "client-lib/consume/broker_session.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "shm/broadcast/doorbell.h"

namespace leat::client {

using namespace internal;

namespace {
constexpr std::int64_t kReconnectNs = 100 * kNanosPerMilli;
constexpr std::int64_t kMaxSleepNs = 50 * kNanosPerMilli;
// What a consumer is passed.
enum : std::size_t { kRingFd, kDoorbellFd, kDirectoryFd, kEventFd, kConsumerFds };
}  // namespace

BrokerSession::BrokerSession(EventReader& reader, std::string name, Level level)
    : reader_(reader), name_(std::move(name)), level_(level) {}

Result<void> BrokerSession::resolve(const FeedAddress& address) {
  auto resolved = Endpoint::resolve(address);
  if (!resolved) return resolved.error();
  endpoint_ = std::move(*resolved);
  return {};
}

Result<Connection> BrokerSession::connect(int timeout_ms) const {
  return connect_to_broker({.endpoint = &endpoint_, .role = Role::consumer, .name = name_, .timeout_ms = timeout_ms});
}

bool BrokerSession::is_time_to_connect(std::int64_t now_ns) noexcept {
  if (now_ns < next_attempt_ns_) return false;
  next_attempt_ns_ = now_ns + kReconnectNs;
  return true;
}

void BrokerSession::take_slot(std::uint32_t slot) noexcept {
  LEAT_ASSERT(slot < doorbell_slots_ && doorbell_mapping_.data() != nullptr);
  slot_ = reinterpret_cast<ConsumerSlot*>(doorbell_mapping_.data() + kConsumerSlotsOffset) + slot;
  reader_.show_place_in(slot_);
}

bool BrokerSession::rejoin() noexcept {
  const Connection& now = dialog_.connection();
  if (reader_.ring() == nullptr || now.welcome.instance != ring_instance_ || now.fds.size() != kConsumerFds ||
      now.welcome.slot >= doorbell_slots_) {
    return false;
  }
  take_slot(now.welcome.slot);
  return true;
}

Result<void> BrokerSession::attach(const Start& start) {
  Connection& connected = dialog_.connection();
  if (connected.fds.size() != kConsumerFds) {
    return Error{ErrorCode::protocol_error,
                 "the broker passed " + std::to_string(connected.fds.size()) + " descriptors to a consumer, expected 4",
                 "use broker and clients of one release"};
  }
  SharedFileSpec ring_spec;
  // Subscribe before replay: from here on nothing that is committed can escape us.
  auto ring_map = map_shared(connected.fds[kRingFd].get(), kBroadcastMagic, Access::read_only, true,
                             "the broadcast ring", ring_spec);
  if (!ring_map) return ring_map.error();
  const std::uint64_t bell_slots = connected.welcome.consumer_slots;
  auto bell_map = map_of_size(connected.fds[kDoorbellFd].get(), Access::read_write, doorbell_file_bytes(bell_slots),
                              "the doorbell");
  if (!bell_map) return bell_map.error();
  if (connected.welcome.slot >= bell_slots) {
    return Error{ErrorCode::protocol_error,
                 "the broker named consumer slot " + std::to_string(connected.welcome.slot) +
                     ", and the doorbell has " + std::to_string(bell_slots),
                 "use broker and clients of one release"};
  }
  // Through the connection the broker opens the journal's files if this user may not do it himself.
  auto files = JournalFiles::open(std::move(connected.fds[kDirectoryFd]), endpoint_.paths.journal.string(),
                                  [this](const std::string& name) { return dialog_.open_file(name); });
  if (!files) return files.error();
  RecordStream fresh(std::move(*files));
  fresh.attach(BroadcastReader(ring_map->data(), ring_spec.capacity), level_);
  auto place = find_place(fresh, start);
  if (!place) return place.error();
  // From here on nothing fails: either all of the new broker's is ours, or all of the old one's stays.
  reader_.read_on(std::move(fresh), *place);
  ring_mapping_ = std::move(*ring_map);
  doorbell_mapping_ = std::move(*bell_map);
  doorbell_ = reinterpret_cast<DoorbellHeader*>(doorbell_mapping_.data());
  doorbell_slots_ = bell_slots;
  ring_instance_ = ring_spec.instance;
  take_slot(connected.welcome.slot);
  LEAT_ASSERT(reader_.ring() != nullptr);
  return {};
}

Result<StartPlace> BrokerSession::find_place(RecordStream& stream, const Start& start) const {
  const BroadcastReader& ring = *stream.ring();
  const std::uint64_t durable = ring.header().durable_sequence.load(std::memory_order_acquire);
  const auto resolve = [&] {
    const Window window = window_of(ring, stream.files());
    Start wanted = start;
    if (level_ == Level::durable) {
      // What is committed, but not durable yet, is still to come at this level.
      const std::uint64_t to_come = window.latest_sequence - std::min(durable, window.latest_sequence);
      if (start.kind == Start::Kind::latest) wanted = Start::at(durable + 1);
      if (start.kind == Start::Kind::last) wanted.count += std::min(to_come, UINT64_MAX - start.count);
    }
    return resolve_start(stream.files(), wanted, window);
  };
  // A segment may be recycled while we look for our place in it: then look again, in what is retained by then.
  constexpr int kAttempts = 3;
  auto place = resolve();
  for (int attempt = 1; !place && attempt < kAttempts; ++attempt) {
    if (auto done = stream.files().refresh(); !done) return done.error();
    place = resolve();
  }
  return place;
}

// A broker that is merely away comes back.
bool BrokerSession::note_lost(const Error& why) {
  const bool away = why.code == ErrorCode::no_broker || why.code == ErrorCode::unknown_feed ||
                    why.code == ErrorCode::timed_out || why.code == ErrorCode::closed;
  if (away) {
    trouble_.clear();
  } else if (trouble_.note(why, Trouble::Report::once)) {
    reader_.report(why);
  }
  return reader_.has_pending_error();
}

bool BrokerSession::is_served() {
  const BroadcastReader* live = reader_.ring();
  return live != nullptr && live->header().file.load_state() != FileState::retired && !has_gone();
}

int BrokerSession::event_fd() const noexcept {
  const auto& fds = dialog_.connection().fds;
  return fds.size() > kEventFd ? fds[kEventFd].get() : -1;
}

void BrokerSession::sleep(std::int64_t limit_ns) noexcept {
  LEAT_ASSERT(reader_.ring() != nullptr && doorbell_ != nullptr);
  const BroadcastHeader& header = reader_.ring()->header();
  const auto& watermark = level_ == Level::live ? header.committed : header.durable;
  auto& sleepers = level_ == Level::live ? doorbell_->live_sleepers : doorbell_->durable_sleepers;
  const std::uint64_t seen = watermark.load(std::memory_order_acquire);
  if (seen > reader_.position()) return;
  sleep_on(sleepers, watermark, seen, std::min(limit_ns, kMaxSleepNs));
}

void BrokerSession::ask_for_event() noexcept {
  LEAT_ASSERT(slot_ != nullptr && doorbell_ != nullptr);
  slot_->armed.store(1, std::memory_order_seq_cst);
  doorbell_->armed_events.store(1, std::memory_order_seq_cst);
}

}  // namespace leat::client
