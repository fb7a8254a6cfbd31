// How a consumer joins a broker, goes on without one, and joins its successor.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "client-lib/consume/consumer_impl.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "journal/format/cursor_file.h"
#include "journal/read/journal_end.h"

namespace leat {

using namespace internal;

namespace {
constexpr std::int64_t kSpinNs = 5 * kNanosPerMicro;
constexpr std::int64_t kRetryNs = 100 * kNanosPerMilli;
constexpr int kReconnectTimeoutMs = 200;
constexpr std::size_t kConsumerFds = 4;
constexpr std::int64_t kTroubleNs = 2 * kNanosPerSecond;  ///< trouble that a restart brings with it is over by then
constexpr std::int64_t kRetakeNs = kNanosPerSecond;
constexpr std::int64_t kJournalLookNs = 250 * kNanosPerMilli;
constexpr auto kBusyPatience =
    std::chrono::milliseconds(300);  ///< for the broker to hear of the end of who had the cursor
constexpr auto kBusyPause = std::chrono::milliseconds(10);

Error bad_option(const std::string& what) { return {ErrorCode::invalid_argument, what}; }

Result<void> check_start(const Start& start) {
  switch (start.kind) {
    case Start::Kind::earliest:
    case Start::Kind::latest:
    case Start::Kind::after_cursor:
    case Start::Kind::at_time: return {};
    case Start::Kind::at_sequence:
      if (start.sequence > 0) return {};
      return bad_option("no event has sequence 0: they begin at 1; for all that is retained use Start::earliest()");
  }
  return bad_option("Start::kind " + std::to_string(static_cast<int>(start.kind)) +
                    " is none of Start::Kind: use Start::latest() or its like");
}
}  // namespace

// What no broker need be asked about.
Result<void> Consumer::Impl::check_options() const {
  if (options.name.size() > kClientNameBytes) {
    return bad_option("a consumer's name of " + std::to_string(options.name.size()) + " bytes is too long: at most " +
                      std::to_string(kClientNameBytes));
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(options.name, is_control))
    return bad_option("a consumer's name holds a control character; leave it out");
  if (!options.cursor_name.empty()) {
    if (auto checked = check_cursor_name(); !checked) return checked;
  }
  if (options.level != Level::live && options.level != Level::durable) {
    return bad_option("level " + std::to_string(static_cast<int>(options.level)) +
                      " is none of Level: use Level::live or Level::durable");
  }
  if (auto checked = client::check_timeout("connect_timeout", options.connect_timeout); !checked) return checked;
  return check_start(options.start);
}

Result<void> Consumer::Impl::open() {
  spinner = IdleSpinner(client::strategy_of(options.idle), kSpinNs);
  auto resolved = client::Endpoint::resolve(options.address);
  if (!resolved) return resolved.error();
  endpoint = std::move(*resolved);
  paths = endpoint.paths;
  auto connected = client::connect_to_broker({.endpoint = &endpoint,
                                              .role = Role::consumer,
                                              .name = options.name,
                                              .timeout_ms = client::to_timeout_ms(options.connect_timeout)});
  if (connected) return open_online(std::move(*connected));
  // Only where there is no broker: a broker that refuses us is not got round by reading its files.
  if (!options.allow_offline || connected.error().code != ErrorCode::no_broker) return connected.error();
  auto offline = open_offline(options.start);
  // Who may not read the files himself lacks no right: a broker would open them.
  if (!offline && offline.error().code == ErrorCode::permission_denied) return connected.error();
  return offline;
}

Result<void> Consumer::Impl::open_online(client::Connection connected) {
  connection = std::move(connected);
  Start start = options.start;
  if (options.cursor_name.empty()) return attach(std::move(connection), start);
  auto known = take_cursor_patiently();  // first of all: what another consumer has is not to be moved
  if (!known) return known.error();
  if (*known) start = Start::after(named_place);
  if (auto attached = attach(std::move(connection), start); !attached) return attached;
  if (*known) {
    saved_sequence = named_place.sequence;
    return {};
  }
  // A cursor that were made while a time is waited for would go on, at the next start, with events before it.
  cursor_unmade = waits_for_time;
  if (cursor_unmade) return {};
  auto made = ask_cursor(MessageType::save_cursor);
  return made ? Result<void>{} : Result<void>(made.error());
}

// Who had the cursor may have ended just now, as at a restart: the broker has yet to hear of it.
Result<bool> Consumer::Impl::take_cursor_patiently() {
  const Deadline deadline = Deadline::after(std::min<std::chrono::nanoseconds>(options.connect_timeout, kBusyPatience));
  for (;;) {
    auto known = take_cursor();
    if (known.ok() || known.error().code != ErrorCode::busy || deadline.has_passed()) return known;
    std::this_thread::sleep_for(kBusyPause);
  }
}

Result<void> Consumer::Impl::attach(client::Connection connected, const Start& start) {
  if (connected.fds.size() != kConsumerFds) {
    return Error{ErrorCode::protocol_error,
                 "the broker passed " + std::to_string(connected.fds.size()) +
                     " descriptors to a consumer, expected 4; use broker and clients of one release"};
  }
  SharedFileSpec ring_spec;
  // Subscribe before replay: from here on nothing that is committed can escape us.
  auto ring_map = client::map_shared(connected.fds[0].get(), kBroadcastMagic, Access::read_only, true,
                                     "the broadcast ring", ring_spec);
  if (!ring_map) return ring_map.error();
  const std::uint64_t bell_slots = connected.welcome.consumer_slots;
  auto bell_map =
      client::map_of_size(connected.fds[1].get(), Access::read_write, doorbell_file_bytes(bell_slots), "the doorbell");
  if (!bell_map) return bell_map.error();
  if (connected.welcome.slot >= bell_slots) {
    return Error{ErrorCode::protocol_error, "the broker named consumer slot " + std::to_string(connected.welcome.slot) +
                                                ", and the doorbell has " + std::to_string(bell_slots) +
                                                "; use "
                                                "broker and clients of one release"};
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
  Start wanted = start;
  if (start.kind == Start::Kind::latest && options.level == Level::durable) {
    // What is committed, but not durable yet, is still to come at this level.
    wanted = Start::at(fresh.ring()->header().durable_sequence.load(std::memory_order_acquire) + 1);
  }
  auto place = client::resolve_start(fresh.files(), wanted, client::window_of(*fresh.ring(), fresh.files()));
  for (int attempt = 1; !place && attempt < kAttempts; ++attempt) {
    if (auto done = fresh.files().refresh(); !done) return done.error();
    place = client::resolve_start(fresh.files(), wanted, client::window_of(*fresh.ring(), fresh.files()));
  }
  if (!place) return place.error();
  // From here on nothing fails: either all of the new broker's is ours, or all of the old one's stays.
  replace_stream(std::move(fresh));
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
    auto cursors = load_cursors(files->directory(), files->identity().uuid);
    if (!cursors) return cursors.error();
    for (const CursorEntry& entry : *cursors) {
      if (cursor_name(entry) != options.cursor_name) continue;
      start = Start::after({.epoch = entry.epoch, .sequence = entry.sequence});
    }
  }
  stream.emplace(std::move(*files));
  auto place = find_place_offline(start);
  if (!place) return place.error();
  take_place(*place);
  return {};
}

Result<client::StartPlace> Consumer::Impl::find_place_offline(const Start& start) {
  auto now = offline_window();
  if (!now) return now.error();
  auto place = client::resolve_start(stream->files(), start, *now);
  // A place beyond damage may well have been there: it is no future, and nobody is to begin anew because of it.
  if (place && place->reset && place->why.reason == Reset::Reason::future && damage) return *damage;
  return place;
}

// The bytes of the event that was handed out last stay until the next poll().
void Consumer::Impl::replace_stream(client::RecordStream fresh) {
  if (stream) {
    fresh.lapped = stream->lapped;
    fresh.ring_bytes = stream->ring_bytes;
    fresh.journal_bytes = stream->journal_bytes;
    if (!old_stream) old_stream.emplace(std::move(*stream));
  }
  stream.emplace(std::move(fresh));
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
  journal_uuid = stream->files().identity().uuid;
  last_checksum = 0;
  if (place.not_before_ns) {
    not_before_ns = place.not_before_ns;
    waits_for_time = !place.found_time;
  }
  use_filter();
  if (!place.reset) return;
  reset = place.why;
  set(kResetPending, true);
}

bool Consumer::Impl::broker_has_gone() {
  constexpr int kMaxLateAnswers = 64;
  for (int looks = 0; looks < kMaxLateAnswers; ++looks) {
    if (!client::peer_has_gone(connection.socket.get())) return false;
    if (answers_owed == 0 || !take_late_answer()) return true;  // what came is no answer that is owed
  }
  return true;
}

bool Consumer::Impl::is_served() {
  const BroadcastReader* live = ring();
  return live != nullptr && live->header().file.load_state() != FileState::retired && !broker_has_gone();
}

bool Consumer::Impl::is_online() noexcept {
  if (!owner.is_here()) return false;
  look_around();
  return is_served();
}

bool Consumer::Impl::tend_now(std::int64_t now_ns) {
  if (ring() != nullptr) {
    if (is_served()) {
      if (!cursor_taken && !cursor_dropped && !options.cursor_name.empty() && now_ns >= next_take_ns) {
        next_take_ns = now_ns + kRetakeNs;
        (void)take_cursor().ok();  // save_cursor() says why not
      }
      save_scanned(now_ns);
      return false;
    }
  } else if (now_ns >= next_journal_look_ns) {
    next_journal_look_ns = now_ns + kJournalLookNs;
    if (follow_journal()) return true;
  }
  if (!joins_brokers || now_ns < next_attempt_ns) return false;
  next_attempt_ns = now_ns + kRetryNs;
  return reconnect();
}

// Registers with the broker that has come. While there is none, the ring and the journal that we have are read on.
bool Consumer::Impl::reconnect() {
  auto connected = client::connect_to_broker(
      {.endpoint = &endpoint, .role = Role::consumer, .name = options.name, .timeout_ms = kReconnectTimeoutMs});
  if (!connected) {
    note_lost(connected.error());
    return has(kErrorPending);
  }
  unwatch_events();
  answers_owed = 0;
  cursor_taken = false;
  if (ring() != nullptr && connected->welcome.instance == ring_instance && connected->fds.size() == kConsumerFds &&
      connected->welcome.slot < doorbell_slots) {
    // The same ring, adopted by another broker: all mappings stay good, and so does our place.
    slot = reinterpret_cast<ConsumerSlot*>(doorbell_mapping.data() + kConsumerSlotsOffset) + connected->welcome.slot;
    connection = std::move(*connected);
  } else if (auto attached = attach(std::move(*connected), Start::after(cursor())); !attached) {
    connection = {};  // the next attempt begins anew
    note_lost(attached.error());
    if (event_poll.valid()) start_retry_timer(false);
    return has(kErrorPending);
  }
  broker_trouble = {};
  journal_trouble = {};
  blocked = false;
  if (!options.cursor_name.empty()) {
    next_take_ns = monotonic_ns() + kRetakeNs;
    (void)take_cursor().ok();  // save_cursor() will say if another has it by now
  }
  if (event_poll.valid()) {
    if (!watch_events().ok()) start_retry_timer(false);
    make_readable();
  }
  return true;
}

// Without a broker nobody tells us what becomes of the journal: somebody may move it away, put it back, or begin
// another in its place. True: there is something new to report or to read.
bool Consumer::Impl::follow_journal() {
  JournalFiles& files = stream->files();
  auto another = is_another_journal();
  if (!another) return note_trouble(journal_trouble, another.error(), Told::again);
  if (*another) {
    auto found = JournalFiles::open(files.directory().path);
    if (!found) return note_trouble(journal_trouble, found.error(), Told::again);
    if (auto done = go_on_in(std::move(*found)); !done) return note_trouble(journal_trouble, done.error(), Told::again);
  }
  journal_trouble = {};
  return *another;
}

// True if what the journal's name leads to is not, or does not hold, what was read so far. As long as it does, `epoch`
// follows the journal's. Errors: whatever keeps us from seeing it.
Result<bool> Consumer::Impl::is_another_journal() {
  JournalFiles& files = stream->files();
  auto named = files.look_at_name();
  if (!named) return named.error();
  if (*named == JournalFiles::Named::nowhere) {
    return Error{ErrorCode::unknown_feed,
                 "the journal " + files.directory().path +
                     " was removed or renamed while it was being read; put it back, or read it "
                     "where it is now"};
  }
  if (*named == JournalFiles::Named::elsewhere) return true;
  if (auto done = files.refresh(); !done) return done.error();
  if (files.identity().uuid != journal_uuid) return true;
  if (files.has_segment()) {
    auto retained = files.still_retained();
    if (!retained) return retained.error();
    if (!*retained) return true;
    const auto checksum = files.checksum_at(last_position);
    if (last_checksum != 0 && checksum && *checksum != last_checksum) return true;
  }
  if (files.identity().current().id == epoch) return false;
  if (files.identity().check(cursor()) != CursorCheck::ok) return true;
  epoch = files.identity().current().id;
  return false;
}

Result<void> Consumer::Impl::go_on_in(JournalFiles files) {
  client::RecordStream before = std::move(*stream);
  stream.emplace(std::move(files));
  auto place = find_place_offline(Start::after(cursor()));
  std::swap(*stream, before);
  if (!place) {
    stream->seek(stream->position());
    return place.error();
  }
  replace_stream(std::move(before));
  take_place(*place);
  return {};
}

// A broker that is merely away comes back.
void Consumer::Impl::note_lost(const Error& why) {
  const bool away = why.code == ErrorCode::no_broker || why.code == ErrorCode::unknown_feed ||
                    why.code == ErrorCode::timed_out || why.code == ErrorCode::closed;
  if (away) {
    broker_trouble = {};
  } else {
    (void)note_trouble(broker_trouble, why, Told::once);
  }
}

// A restart brings trouble with it that passes: a socket that nobody may use yet, slots that are still taken. What
// lasts is the caller's to know, or he would wait in silence. True: poll() has it to report.
bool Consumer::Impl::note_trouble(Trouble& trouble, const Error& why, Told told) {
  const std::int64_t now = monotonic_ns();
  if (why.code != trouble.code) trouble = {.code = why.code, .since_ns = now, .told = {}};
  if (now - trouble.since_ns < kTroubleNs) return false;
  if (told == Told::once && why.message == trouble.told) return false;
  trouble.told = why.message;
  error = why;
  set(kErrorPending, true);
  return true;
}

// The newest and oldest of what is stored, read apart from the stream, whose place stays.
client::Window Consumer::Impl::look_offline() {
  constexpr std::int64_t kGoodForNs = 100 * kNanosPerMilli;
  const std::int64_t now = monotonic_ns();
  if (!offline_seen || now - offline_seen_ns >= kGoodForNs) {
    offline_seen_ns = now;
    const JournalFiles& mine = stream->files();
    offline_seen = client::Window{.earliest_sequence = next_sequence, .latest_sequence = next_sequence - 1};
    if (auto files = JournalFiles::open(mine.directory()); files && !files->segments().empty()) {
      offline_seen->earliest_sequence = files->segments().front().first_sequence;
      if (auto end = find_journal_end(*files)) offline_seen->latest_sequence = end->scan.end_sequence;
    }
  }
  client::Window seen = *offline_seen;
  seen.latest_sequence = std::max(seen.latest_sequence, next_sequence - 1);
  return seen;
}

std::uint64_t Consumer::Impl::latest_sequence() noexcept {
  if (!owner.is_here()) return next_sequence - 1;
  look_around();
  const BroadcastReader* live = ring();
  if (live == nullptr) return look_offline().latest_sequence;
  return options.level == Level::live ? live->read_latest().sequence
                                      : live->header().durable_sequence.load(std::memory_order_acquire);
}

std::uint64_t Consumer::Impl::earliest_sequence() noexcept {
  if (!owner.is_here()) return next_sequence;
  look_around();
  const BroadcastReader* live = ring();
  return live != nullptr ? live->header().earliest_sequence.load(std::memory_order_acquire)
                         : look_offline().earliest_sequence;
}

}  // namespace leat
