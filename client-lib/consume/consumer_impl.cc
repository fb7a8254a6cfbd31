#include "client-lib/consume/consumer_impl.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "client-lib/connect/idle_strategy.h"
#include "journal/format/cursor_file.h"

namespace leat {

using namespace internal;
using client::EventReader;

namespace {
constexpr std::int64_t kSpinNs = 5 * kNanosPerMicro;
constexpr std::int64_t kOfflineSleepNs = 10 * kNanosPerMilli;
constexpr int kReconnectTimeoutMs = 200;
}  // namespace

Consumer::Impl::Impl(ConsumerOptions options)
    : reader_(options.filter),
      options_(std::move(options)),
      session_(reader_, options_.name, options_.level),
      named_cursor_(options_.cursor_name, reader_, session_.dialog()),
      follower_(reader_),
      descriptor_(reader_, session_),
      stored_bounds_(reader_),
      spinner_(client::strategy_of(options_.idle), kSpinNs) {}

Consumer::Impl::~Impl() {
  if (reader_.is_open() && reader_.is_ours()) named_cursor_.save_scanned_at_once();
}

Result<void> Consumer::Impl::open() {
  if (auto resolved = session_.resolve(options_.address); !resolved) return resolved;
  auto connected = session_.connect(client::to_timeout_ms(options_.connect_timeout));
  if (connected) return open_online(std::move(*connected));
  // Only where there is no broker: a broker that refuses us is not got round by reading its files.
  if (!options_.allow_offline || connected.error().code != ErrorCode::no_broker) return connected.error();
  auto offline = open_offline();
  // Who may not read the files himself lacks no right: a broker would open them.
  if (!offline && offline.error().code == ErrorCode::permission_denied) return connected.error();
  return offline;
}

Result<void> Consumer::Impl::open_online(client::Connection connected) {
  session_.begin(std::move(connected));
  if (!named_cursor_.has_name()) return session_.attach(options_.start);
  // First of all: what another consumer has is not to be moved.
  auto known = named_cursor_.take_patiently(options_.connect_timeout);
  if (!known) return known.error();
  const Start start = *known ? Start::after(named_cursor_.place()) : options_.start;
  if (auto attached = session_.attach(start); !attached) return attached;
  if (!*known) return named_cursor_.make();
  named_cursor_.begin_at_place();
  return {};
}

Result<void> Consumer::Impl::open_offline() {
  const std::string directory = session_.paths().journal.string();
  auto files = JournalFiles::open(directory);
  if (!files) return files.error();
  Start start = options_.start;
  if (named_cursor_.has_name()) {
    auto cursors = load_cursors(files->directory(), files->identity().uuid);
    if (!cursors) return cursors.error();
    for (const CursorEntry& entry : *cursors) {
      if (cursor_name(entry) != named_cursor_.name()) continue;
      start = Start::after({.epoch = entry.epoch, .sequence = entry.sequence});
    }
  }
  return reader_.open(std::move(*files), start);
}

// The handed-out descriptor is armed only while poll() has found nothing: on every other way out it is readable, so
// that nobody sleeps on what is there.
Poll Consumer::Impl::poll_slowly(EventView& out) {
  reader_.begin_poll();
  at_end_ = false;
  const Poll found = look(out);
  LEAT_ASSERT(!at_end_ || found == Poll::empty);
  if (descriptor_.is_armed() && !at_end_ && reader_.is_ours()) descriptor_.make_readable();
  return found;
}

Poll Consumer::Impl::look(EventView& out) {
  for (;;) {
    bool again = false;
    switch (reader_.look(out)) {
      case EventReader::Found::event: return Poll::event;
      case EventReader::Found::reset: return Poll::reset;
      case EventReader::Found::error: return Poll::error;
      case EventReader::Found::left_out: (void)tend(); return Poll::empty;
      case EventReader::Found::end: again = tend() || settle_descriptor(); break;
      case EventReader::Found::blocked:
        again = tend_now(monotonic_ns());
        if (!again) (void)settle_descriptor();
        break;
      case EventReader::Found::unreadable:
        follower_.look_at_once();
        again = tend_now(monotonic_ns());
        if (!again && (reader_.ring() != nullptr || !follower_.is_in_trouble())) return Poll::error;
        break;
    }
    if (again) continue;
    at_end_ = true;
    return Poll::empty;
  }
}

Poll Consumer::Impl::wait(EventView& out, std::int64_t timeout_ns) {
  Poll found = poll(out);
  if (found != Poll::empty || timeout_ns <= 0) return found;
  const Deadline deadline = Deadline::after_ns(timeout_ns);
  for (std::uint32_t looks = 1;; ++looks) {
    found = poll(out);
    if (found != Poll::empty) {
      spinner_.reset();
      return found;
    }
    if (!at_end_) {  // a filter left out all that it was shown, and there is more
      if (deadline.has_passed()) return Poll::empty;
      continue;
    }
    const bool spinning = spinner_.keep_spinning();
    if (spinning && looks % client::LookClock::kLooksPerClock != 0) continue;
    const std::int64_t left_ns = deadline.left_ns();
    if (left_ns == 0) return Poll::empty;
    if (spinning) continue;
    sleep(left_ns);
    clock_.has_slept();
  }
}

void Consumer::Impl::sleep(std::int64_t limit_ns) {
  LEAT_ASSERT(limit_ns > 0);
  if (reader_.ring() != nullptr && !reader_.is_blocked()) return session_.sleep(limit_ns);
  const timespec nap{.tv_sec = 0, .tv_nsec = std::min(limit_ns, kOfflineSleepNs)};
  ::nanosleep(&nap, nullptr);
}

// For where poll() finds nothing: now and then looks whether broker and journal are still those that we read. True:
// something has changed, so look again.
bool Consumer::Impl::tend() {
  const auto now = clock_.tick();
  return now && tend_now(*now);
}

bool Consumer::Impl::tend_now(std::int64_t now_ns) {
  if (reader_.ring() == nullptr) {
    if (follower_.follow(now_ns)) return true;
  } else if (session_.is_served()) {
    named_cursor_.tend(now_ns);
    return false;
  }
  return session_.is_time_to_connect(now_ns) && reconnect();
}

// The same for calls that are no poll: what was handed out stays readable.
void Consumer::Impl::look_around() noexcept {
  try {
    if (const auto now = clock_.look()) (void)tend_now(*now);
  } catch (...) {  // no memory: the next call looks again
  }
}

// Registers with the broker that has come. While there is none, the ring and the journal that we have are read on.
bool Consumer::Impl::reconnect() {
  auto connected = session_.connect(kReconnectTimeoutMs);
  if (!connected) return session_.note_lost(connected.error());
  descriptor_.unwatch();
  session_.begin(std::move(*connected));
  named_cursor_.begin_connection();
  if (!session_.rejoin()) {
    if (auto attached = session_.attach(Start::after(reader_.cursor())); !attached) {
      session_.end();  // the next attempt begins anew
      descriptor_.watch_clock();
      return session_.note_lost(attached.error());
    }
  }
  session_.forget_trouble();
  follower_.forget_trouble();
  reader_.unblock();
  named_cursor_.retake(monotonic_ns());
  descriptor_.watch_anew();
  LEAT_ASSERT(reader_.ring() != nullptr);
  return true;
}

// poll() is about to say that there is nothing. True: something came meanwhile, or the broker is another one; look
// again.
bool Consumer::Impl::settle_descriptor() {
  if (!descriptor_.exists() || !descriptor_.begin_arming()) return false;
  if (session_.has_gone()) {
    descriptor_.drop_dead_connection();
    if (tend_now(monotonic_ns())) return true;
  }
  return descriptor_.arm();
}

Result<void> Consumer::Impl::get_cursor_ready() {
  if (auto ours = reader_.check_owner(); !ours) return ours;
  if (!named_cursor_.has_name()) {
    return Error{ErrorCode::invalid_argument, "this consumer has no named cursor",
                 "give it one: ConsumerOptions::cursor_name"};
  }
  // Not look_around(): whoever saves wants an answer now.
  (void)tend_now(monotonic_ns());
  if (!session_.is_served()) {
    return Error{ErrorCode::no_broker, "no broker to move cursor '" + named_cursor_.name() + "'",
                 "start leatd; until then it stays where it was saved last", Error::Join::colon};
  }
  if (!named_cursor_.is_taken()) {
    if (auto taken = named_cursor_.take(); !taken) return taken.error();
  }
  return {};
}

Result<void> Consumer::Impl::save_cursor(std::optional<Cursor> place) {
  if (auto ready = get_cursor_ready(); !ready) return ready;
  return named_cursor_.save(place.value_or(reader_.cursor()));
}

Result<void> Consumer::Impl::drop_cursor() {
  if (auto ready = get_cursor_ready(); !ready) return ready;
  return named_cursor_.drop();
}

bool Consumer::Impl::is_online() noexcept {
  if (!reader_.is_ours()) return false;
  look_around();
  return session_.is_served();
}

std::uint64_t Consumer::Impl::latest_sequence() noexcept {
  if (!reader_.is_ours()) return reader_.cursor().sequence;
  look_around();
  const BroadcastReader* live = reader_.ring();
  if (live == nullptr) return stored_bounds_.look().latest_sequence;
  return options_.level == Level::live ? live->read_latest().sequence
                                       : live->header().durable_sequence.load(std::memory_order_acquire);
}

std::uint64_t Consumer::Impl::earliest_sequence() noexcept {
  if (!reader_.is_ours()) return reader_.next_sequence();
  look_around();
  const BroadcastReader* live = reader_.ring();
  return live != nullptr ? live->header().earliest_sequence.load(std::memory_order_acquire)
                         : stored_bounds_.look().earliest_sequence;
}

}  // namespace leat
