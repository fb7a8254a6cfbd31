#include "client-lib/publish/producer_impl.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "base/random.h"
#include "client-lib/publish/outcome.h"

namespace leat {

using namespace internal;

namespace {

constexpr std::uint32_t kLooksPerCheck = 64;
constexpr std::int64_t kMaxSleepNs = 20 * kNanosPerMilli;
constexpr std::int64_t kResumeRetryNs = 100 * kNanosPerMilli;
constexpr std::int64_t kAnswerPatienceNs = 10 * kNanosPerMilli;  // of a broker that was just reached
constexpr std::int64_t kBoundsPatienceNs = kNanosPerSecond;      // of the same: one that is silent for longer hangs
constexpr std::int64_t kAttemptNs = 5 * kNanosPerSecond;
constexpr std::int64_t kConnectionLookNs = 50 * kNanosPerMilli;
// The smallest entry takes 128 bytes: no more than 64 calls between two looks.
constexpr std::uint64_t kMostStrideBytes = 8192;
constexpr std::uint64_t kLeastStrideBytes = 512;
constexpr std::size_t kMaxFormerRegistrations = 64;

std::string describe(Refusal reason) {
  switch (reason) {
    case Refusal::none: return "no reason";
    case Refusal::bad_entry: return "its entry header is out of bounds";
    case Refusal::bad_record: return "a record's fields contradict each other";
    case Refusal::bad_topic: return "bad topic";
    case Refusal::too_large: return "larger than the feed allows since the broker was started with other options";
    case Refusal::bad_sequence: return "its producer sequence does not follow on";
  }
  return "unknown reason";
}

std::string_view advice_for(Refusal reason) {
  return reason == Refusal::too_large
             ? "raise leatd's --max-event-bytes, or for batches --ring-bytes and --segment-bytes"
             : "";
}

Error no_more_in_the_journal() {
  return {ErrorCode::closed,
          "the event is in the journal no more, or nothing proves it: the broker found less there than producers "
          "had been told, or the journal was repaired or replaced",
          "publish it again if it must not be missing (see leatd's log)"};
}

void say_leave(const client::Connection& connection) noexcept {
  if (!connection.socket.valid()) return;
  const BareMessage leave{.header = make_header(MessageType::leave, sizeof(BareMessage))};
  (void)send_message(connection.socket.get(), &leave, sizeof leave, Deadline::after_ns(0)).ok();
}

}  // namespace

// Says that nothing more will come: a connection that just ends might have been lost. A fork's child has the parent's
// connection too, and must not say it.
Producer::Impl::~Impl() {
  if (owner.is_here()) say_leave(connection);
}

Result<void> Producer::Impl::register_anew(int timeout_ms) {
  auto connected = client::connect_to_broker({.endpoint = &endpoint,
                                              .role = Role::producer,
                                              .name = options.name,
                                              .arena_bytes = options.arena_bytes,
                                              .timeout_ms = timeout_ms});
  if (!connected) return connected.error();
  return take_registration(std::move(*connected));
}

Result<void> Producer::Impl::take_registration(client::Connection connected) {
  auto mapped = map_registration(connected);
  if (!mapped) {
    say_leave(connected);  // so that the slot is free at once
    return mapped;
  }
  connected.fds.clear();  // the mappings stay; nobody can get at the files through us
  connection = std::move(connected);
  last_failure.reset();
  barred.reset();
  open_bound();
  return {};
}

Result<void> Producer::Impl::map_registration(const client::Connection& connected) {
  if (connected.fds.size() != 2) {
    return Error{ErrorCode::protocol_error,
                 "the broker passed " + std::to_string(connected.fds.size()) + " descriptors to a producer, expected 2",
                 "use broker and clients of one release"};
  }
  const WelcomeMessage& welcome = connected.welcome;
  const std::uint64_t slots = welcome.inbound_slots;
  if (slots < kMinInboundSlots || slots > kMaxInboundSlots || (slots & (slots - 1)) != 0 ||
      welcome.max_producers >= slots) {
    return Error{ErrorCode::protocol_error,
                 "the broker speaks of an inbound ring of " + std::to_string(slots) + " slots for " +
                     std::to_string(welcome.max_producers) + " producers",
                 "use broker and clients of one release"};
  }
  SharedFileSpec arena_spec;
  auto ring =
      client::map_of_size(connected.fds[0].get(), Access::read_write, inbound_file_bytes(slots), "the inbound ring");
  if (!ring) return ring.error();
  auto own = client::map_shared(connected.fds[1].get(), kArenaMagic, Access::read_write, true, "the arena", arena_spec);
  if (!own) return own.error();
  former_registrations.reserve(kMaxFormerRegistrations + 1);
  give_up_arena();
  inbound_mapping = std::move(*ring);
  arena_mapping = std::move(*own);
  inbound = InboundProducer(inbound_mapping.data(), slots, welcome.max_producers);
  arena = ArenaWriter(arena_mapping.data(), arena_spec.capacity, 0);
  arena.look_behind(0);
  slot = welcome.slot;
  generation = welcome.generation;
  producer_id = welcome.producer_id;
  broker_life = welcome.broker_life;
  ticket_base = full_slot(slot, generation & ((1U << kGenerationBits) - 1), 0);
  registration = random_id();
  next_producer_sequence = 1;
  set_bounds(welcome);
  return {};
}

// The broker of this arena is gone, and its successor does not know us: what it has not answered for is lost.
void Producer::Impl::give_up_arena() noexcept {
  if (!arena_mapping.valid()) return;
  const std::uint64_t lost = arena.unanswered_events();
  lost_events += lost;
  untold_losses += lost;
  former_refusals = refusals();
  told_refused_end = 0;
  if (former_registrations.size() >= kMaxFormerRegistrations) former_registrations.erase(former_registrations.begin());
  former_registrations.push_back(registration);
  if (claim_open && !claimed_mapping.valid()) claimed_mapping = std::move(arena_mapping);  // its span stays valid
}

void Producer::Impl::set_bounds(const WelcomeMessage& welcome) noexcept {
  max_record_bytes = welcome.max_record_bytes;
  max_feed_batch_bytes = welcome.max_batch_bytes;
  max_batch_bytes = std::min(welcome.max_batch_bytes, max_entry_record_bytes(arena.capacity()));
  max_padded_bytes = std::min(max_record_bytes, max_entry_record_bytes(arena.capacity()));
  open_bound();
}

// Where no memory can be had that a child finds zero, each event takes the way of over_bound().
void Producer::Impl::open_bound() noexcept {
  const bool closed = claim_open || untold_losses > 0 || barred || !bound.is_wiped() || !owner.is_here();
  bound.set(closed ? 0 : max_padded_bytes);
}

Publish Producer::Impl::fault(Publish outcome) noexcept {
  if (!owner.is_here()) return Publish::used_after_fork;
  return claim_open && outcome != Publish::ephemeral ? Publish::bad_field : outcome;
}

Publish Producer::Impl::over_bound(std::size_t padded) noexcept {
  if (const Publish outcome = fault(Publish::ok); outcome != Publish::ok) return outcome;
  if (barred) look();
  if (barred) return Publish::would_block;
  // A broker that was started anew may allow more.
  if (padded > max_padded_bytes && inbound.broker_life() != broker_life) look();
  if (untold_losses > 0) return after_registering();
  if (padded > max_padded_bytes && bounds_are_coming(monotonic_ns())) return Publish::would_block;
  return padded <= max_padded_bytes ? Publish::ok : Publish::too_large;
}

// Of a broker that was reached and has not answered yet; one that is silent for long hangs, and is not waited for.
bool Producer::Impl::bounds_are_coming(std::int64_t now) const noexcept {
  return attempt && now < attempt_deadline_ns - kAttemptNs + kBoundsPatienceNs;
}

// Nothing of this attempt is in the new arena. Whatever the old one has lost is told once, before anything else.
Publish Producer::Impl::after_registering() noexcept {
  if (untold_losses == 0) return Publish::would_block;
  last_loss = std::exchange(untold_losses, 0);
  open_bound();
  return Publish::earlier_lost;
}

void Producer::Impl::look() noexcept {
  const std::int64_t now = monotonic_ns();
  const bool quiet = now - last_look_ns > quiet_ns;
  last_look_ns = now;
  stride_bytes = quiet ? 0 : std::clamp(2 * stride_bytes, kLeastStrideBytes, kMostStrideBytes);
  if (inbound.broker_life() != broker_life || inbound.retired() || attempt) return resume(now, kAnswerPatienceNs);
  if (now < next_connection_look_ns) return;
  next_connection_look_ns = now + kConnectionLookNs;
  if (client::peer_has_gone(connection.socket.get())) resume(now, kAnswerPatienceNs);
}

// What the ring says of another broker is believed only once our own is gone: any producer can write there.
void Producer::Impl::resume(std::int64_t now, std::int64_t patience_ns) noexcept {
  try {
    if (attempt) return continue_attempt(now, 0);
    // A life that was not seen before is a broker that can be reached: no time is to be lost before its bounds are
    // known.
    const std::uint64_t life = inbound.broker_life();
    if ((now < next_resume_ns && life == attempted_life) || !client::peer_has_gone(connection.socket.get())) return;
    next_resume_ns = now + kResumeRetryNs;
    attempted_life = life;
    // Retired rings are gone for good (another feed, or one begun anew): what was in flight was never taken.
    begin_attempt(now, !inbound.retired());
    if (attempt) continue_attempt(now, patience_ns);
  } catch (const std::bad_alloc&) {
    attempt.reset();  // tried again a little later
  }
}

void Producer::Impl::begin_attempt(std::int64_t now, bool resumes) {
  auto begun = client::Connecting::begin({.endpoint = &endpoint,
                                          .role = Role::producer,
                                          .name = options.name,
                                          .arena_bytes = options.arena_bytes,
                                          .resume_slot = resumes ? slot : 0,
                                          .resume_token = resumes ? connection.welcome.token : 0},
                                         Deadline::after_ns(0));
  if (!begun) {
    last_failure = begun.error();
    barred.reset();  // whoever refused us is gone
    return open_bound();
  }
  attempt = std::move(*begun);
  attempt_resumes = resumes;
  attempt_deadline_ns = now + kAttemptNs;
}

void Producer::Impl::continue_attempt(std::int64_t now, std::int64_t patience_ns) {
  auto answer = attempt->finish(Deadline::after_ns(patience_ns));
  if (answer && !*answer) {
    if (now < attempt_deadline_ns) return;
    answer =
        Error{ErrorCode::timed_out, "the broker of feed '" + endpoint.feed + "' does not answer", "is it stopped?"};
  }
  attempt.reset();
  take_answer(now, patience_ns, std::move(answer));
}

void Producer::Impl::take_answer(std::int64_t now, std::int64_t patience_ns,
                                 Result<std::optional<client::Connection>> answer) {
  if (!answer) {
    if (!attempt_resumes) return note_refusal(answer.error());
    if (answer.error().code != ErrorCode::refused) {
      last_failure = answer.error();
      return;
    }
    // This broker has lost what it knew of us (somebody removed its files): nobody looks into our arena any more.
    // Receipts of what is in flight say so (`closed`), and what comes next goes into a new one.
    begin_attempt(now, false);
    if (attempt) continue_attempt(now, patience_ns);
    return;
  }
  client::Connection connected = std::move(**answer);
  if (!attempt_resumes) {
    if (auto taken = take_registration(std::move(connected)); !taken) last_failure = taken.error();
    return;
  }
  if (connected.welcome.resumed != 1) return;
  broker_life = connected.welcome.broker_life;
  set_bounds(connected.welcome);
  connection = std::move(connected);
  last_failure.reset();
}

// A broker that grants us no arena of this size will not do it a moment later either: nothing more is accepted into a
// ring that nobody serves, and all who wait are told.
void Producer::Impl::note_refusal(const Error& refusal) {
  last_failure = refusal;
  barred.reset();
  if (refusal.code == ErrorCode::invalid_argument) barred = refusal;
  open_bound();
}

std::byte* Producer::Impl::reserve_after_look(std::uint64_t record_bytes) noexcept {
  const std::uint64_t before = registration;
  const std::uint64_t event_before = max_padded_bytes;
  const std::uint64_t batch_before = max_batch_bytes;
  look();
  if (registration != before) {
    no_room_because = after_registering();
    return nullptr;
  }
  const bool narrower = max_padded_bytes < event_before || max_batch_bytes < batch_before;  // to be checked once more
  std::byte* const room = narrower ? nullptr : arena.reserve(record_bytes);
  if (room == nullptr) no_room_because = no_room();
  else arena.look_behind(entry_bytes(record_bytes) + stride_bytes);
  return room;
}

Publish Producer::Impl::no_room() noexcept {
  if (is_revoked()) return Publish::revoked;
  if (feed_has_failed()) return Publish::feed_failed;
  bump_own(arena.header().would_block_arena);
  return Publish::would_block;
}

// Any producer can write the ring's word; into our arena only the broker does. One that died of a disk error had no
// time to tell each arena, but then its connection is gone.
bool Producer::Impl::failure_is_real() const noexcept {
  return arena.header().state.load(std::memory_order_acquire) == ArenaState::feed_failed ||
         client::peer_has_gone(connection.socket.get());
}

Publish Producer::Impl::no_ticket() noexcept {
  arena.unseal();  // nobody's forged ticket shall publish what the caller is told was not
  return ring_is_full();
}

// For a ring that nobody empties any more this is the only place that the calls come to.
Publish Producer::Impl::ring_is_full() noexcept {
  bump_own(arena.header().would_block_ring);
  const std::uint64_t before = registration;
  look();
  return refused(registration != before ? after_registering() : Publish::would_block);
}

// Ok: the entry may be published as it was encoded. Else it was for another arena, or for bounds that were wider.
Publish Producer::Impl::meet_other_life(std::uint64_t record_bytes) noexcept {
  const std::uint64_t before = registration;
  const std::uint64_t bound_before = max_padded_bytes;
  const std::int64_t now = monotonic_ns();
  resume(now, kAnswerPatienceNs);
  if (registration != before) return after_registering();
  // Its bounds will be told in a moment: until then nothing more is accepted under those of its predecessor.
  if (bounds_are_coming(now)) return Publish::would_block;
  const bool narrower = max_padded_bytes < bound_before || record_bytes > max_batch_bytes;
  return narrower ? Publish::would_block : Publish::ok;
}

Publish Producer::Impl::claim(const Event& event, std::size_t payload_bytes, std::span<std::byte>& payload) noexcept {
  std::size_t padded = 0;
  if (const Publish outcome = check(event, payload_bytes, padded); outcome != Publish::ok) return refused(outcome);
  std::byte* const room = reserve(padded);
  if (room == nullptr) return refused(no_room_because);
  Event fields = event;
  fields.payload = {};
  payload = {encode_event(room, fields, payload_bytes, next_producer_sequence, 0), payload_bytes};
  claim_open = true;
  claim_record = room;
  claim_bytes = static_cast<std::uint32_t>(padded);
  open_bound();
  return Publish::ok;
}

Publish Producer::Impl::commit(Receipt* receipt) noexcept {
  if (!owner.is_here()) return refused(Publish::used_after_fork);
  if (!claim_open) return refused(Publish::bad_field);
  look();  // filling it in may have taken any time
  if (barred) return refused(Publish::would_block);
  if (untold_losses > 0) return refused(after_registering());
  if (claim_bytes > max_padded_bytes) return refused(Publish::too_large);
  if (claimed_mapping.valid()) {
    if (const Publish outcome = copy_claim(); outcome != Publish::ok) return refused(outcome);
  }
  const Publish outcome = publish_entry(claim_bytes, 1, receipt);
  if (outcome == Publish::ok) close_claim();
  return outcome;
}

// The claim was made in an arena that is given up. Copied anew at each attempt: its caller may have written on
// meanwhile.
Publish Producer::Impl::copy_claim() noexcept {
  std::byte* const room = reserve(claim_bytes);
  if (room == nullptr) return no_room_because;
  std::memcpy(room, claim_record, claim_bytes);
  std::memcpy(room + offsetof(RecordHeader, producer_sequence), &next_producer_sequence, sizeof next_producer_sequence);
  return Publish::ok;
}

void Producer::Impl::close_claim() noexcept {
  claim_open = false;
  claimed_mapping = {};
  open_bound();
}

void Producer::Impl::abandon() noexcept {
  if (claim_open) close_claim();
}

std::string Producer::Impl::broker_is_away() const {
  if (!client::peer_has_gone(connection.socket.get())) return {};
  // What its successor, or whoever stands in its place, has answered says more.
  const bool answered = last_failure && last_failure->code != ErrorCode::no_broker;
  return "the broker is away: " + (answered ? last_failure->message : std::string("restart leatd"));
}

Error Producer::Impl::barred_error() const {
  return barred->in("the feed was begun anew, and its broker does not let this producer in again")
      .with_advice(
          "until then nothing is published, and what no broker had answered for waits where nobody serves it (see "
          "lost_count)");
}

Error Producer::Impl::full_error() const {
  if (barred) return barred_error();
  const std::string away = broker_is_away();
  return {ErrorCode::timed_out,
          std::string("no room for the event within publish_timeout, and it was not published: the arena (") +
              std::to_string(arena.capacity()) + " bytes) or the inbound ring is full",
          (away.empty() ? "the broker is behind: see leat stat, or raise arena_bytes" : away)};
}

Error Producer::Impl::lost_error() const {
  return {ErrorCode::closed,
          std::to_string(last_loss) +
              (last_loss == 1 ? " event that was accepted before is lost: its"
                              : " events that were accepted before are lost: their") +
              " ring was given up when the feed was begun anew",
          "publish them again, and then this one, which was not published"};
}

Error Producer::Impl::late_error(std::uint32_t reason) const {
  const char* const where = reason == kWaitDurable
                                ? "committed, but not durable within the time-out; see leatd's --sync"
                                : "not committed within the time-out; it is in the inbound ring and will be journaled";
  const bool gone = client::peer_has_gone(connection.socket.get());
  return {ErrorCode::pending,
          std::string(where) + (gone ? " (the broker is away: this waits until leatd runs again)" : ""),
          "wait for it again, do not publish it again", Error::Join::colon};
}

template <typename Done>
Result<void> Producer::Impl::sleep_until(const Receipt& receipt, std::uint32_t reason, Deadline deadline, Done done) {
  for (std::uint32_t looks = 1; !done(); ++looks) {
    const bool spinning = spinner.keep_spinning();
    if (spinning && looks % kLooksPerCheck != 0) continue;
    if (is_revoked()) return client::error_of(Publish::revoked);
    if (feed_has_failed()) {
      return client::error_of(Publish::feed_failed);
    }
    if (reason == kWaitCommitted && arena.passed_over(receipt.arena_position)) {
      return Error{ErrorCode::refused,
                   "the broker refused the event: a ticket that another process forged had been taken in its place",
                   "publish it again, and see in leatd's log who writes to the ring"};
    }
    look();
    if (barred) return barred_error();
    if (auto ours = check_receipt(receipt); !ours) return ours;
    const std::int64_t left_ns = deadline.left_ns();
    if (left_ns <= 0) {
      if (done()) break;
      return late_error(reason);
    }
    if (spinning) continue;
    ArenaHeader& header = arena.header();
    const std::uint32_t seen = header.receipt_word.load(std::memory_order_acquire);
    header.waiting.fetch_or(reason, std::memory_order_seq_cst);
    fence_seq_cst();  // SYNC POINT: pairs with the broker's fence before ArenaReader::wake
    if (done()) break;
    futex_wait(&header.receipt_word, seen, std::min(left_ns, kMaxSleepNs));
  }
  spinner.reset();
  return {};
}

bool Producer::Impl::is_former(std::uint64_t other) const noexcept {
  return std::ranges::find(former_registrations, other) != former_registrations.end();
}

Result<void> Producer::Impl::check_receipt(const Receipt& receipt) {
  if (receipt.registration == registration) {
    const bool sound = receipt.arena_position % kEntryAlignment == 0 && receipt.arena_position < arena.tail() &&
                       receipt.events >= 1 && receipt.events <= kMaxEntryRecords;
    if (sound) return {};
    return Error{ErrorCode::invalid_argument,
                 "the receipt was altered: arena_position is " + std::to_string(receipt.arena_position) +
                     " (a multiple of " + std::to_string(kEntryAlignment) + " below " + std::to_string(arena.tail()) +
                     "), events is " + std::to_string(receipt.events) + " (1 to " + std::to_string(kMaxEntryRecords) +
                     ")",
                 "give wait() what publish() returned"};
  }
  if (is_former(receipt.registration)) {
    untold_losses = 0;  // told here
    open_bound();
    return Error{ErrorCode::closed, "the feed was begun anew while this event was in flight", "publish it again"};
  }
  if (receipt.registration == 0) {
    return Error{ErrorCode::invalid_argument, "an empty receipt: it names no event that was published"};
  }
  return Error{ErrorCode::invalid_argument,
               "the receipt is of another handle (its producer is " + std::to_string(receipt.producer_id) +
                   ", this one " + std::to_string(producer_id) + "), or of another feed",
               "ask the handle that published the event"};
}

Result<std::uint64_t> Producer::Impl::wait_committed(const Receipt& receipt, Deadline deadline) {
  const auto expired = [&] {
    return Error{ErrorCode::receipt_expired,
                 "the event is committed, but its sequence is no longer held: wait for it before another " +
                     std::to_string(arena.capacity()) + " bytes are published, or use a larger arena"};
  };
  if (!arena.held(receipt.arena_position)) {
    return arena.lost(receipt.arena_position, ~0ULL) ? no_more_in_the_journal() : expired();
  }
  std::uint64_t completion = 0;
  auto slept = sleep_until(receipt, kWaitCommitted, deadline, [&] {
    completion = arena.completion(receipt.arena_position);
    return completion_status(completion) != CompletionStatus::pending;
  });
  if (!slept) return slept.error();
  if (completion_status(completion) == CompletionStatus::refused) {
    tell_refusal(receipt);
    const auto reason = static_cast<Refusal>(completion_value(completion));
    return Error{ErrorCode::refused, "the broker refused the event: " + describe(reason), advice_for(reason)};
  }
  const std::uint64_t sequence = completion_value(completion);
  if (arena.lost(receipt.arena_position, sequence + receipt.events - 1)) return no_more_in_the_journal();
  return sequence;
}

void Producer::Impl::tell_refusal(const Receipt& receipt) noexcept {
  if (receipt.arena_position < told_refused_end) return;
  told_refused_end = receipt.arena_position + 1;
  told_refusals += receipt.events;
}

Result<std::uint64_t> Producer::Impl::wait_durable(const Receipt& receipt, std::uint64_t sequence, Deadline deadline) {
  const std::uint64_t last = sequence + receipt.events - 1;
  auto slept = sleep_until(receipt, kWaitDurable, deadline, [&] {
    return arena.header().durable_sequence.load(std::memory_order_acquire) >= last ||
           arena.lost(receipt.arena_position, last);
  });
  if (!slept) return slept.error();
  if (arena.lost(receipt.arena_position, last)) return no_more_in_the_journal();
  return sequence;
}

Result<std::uint64_t> Producer::Impl::wait(const Receipt& receipt, Ack level, Deadline deadline) {
  if (!owner.is_here()) return client::used_after_fork("producer");
  if (auto ours = check_receipt(receipt); !ours) return ours.error();
  if (level == Ack::accepted) return std::uint64_t{0};
  for (;;) {
    auto sequence = wait_committed(receipt, deadline);
    if (!sequence || level == Ack::committed) return sequence;
    if (auto durable = wait_durable(receipt, *sequence, deadline); !durable) return durable;
    // A broker that found it gone with the journal's end, and its entry still there, has taken it once more.
    if (arena.completion(receipt.arena_position) == pack_completion(CompletionStatus::committed, *sequence))
      return sequence;
  }
}

// Entries are dealt with in order: with the newest, all of them are.
Result<void> Producer::Impl::flush(Ack level, Deadline deadline) {
  if (!owner.is_here()) return client::used_after_fork("producer");
  look();
  Result<void> newest;
  if (next_producer_sequence > 1) {
    const bool told_before = told_refused_end > last_position;
    auto waited = wait({.arena_position = last_position,
                        .registration = registration,
                        .events = arena.events_at(last_position),
                        .producer_id = producer_id},
                       level, deadline);
    if (!waited && waited.error().code != ErrorCode::refused) return waited.error();
    if (!waited && level == Ack::durable) newest = waited.error();
    if (!waited && !told_before) told_refusals -= arena.events_at(last_position);  // told below, with the others
  }
  if (untold_losses > 0) {
    (void)after_registering();
    return lost_error();
  }
  if (const std::uint64_t all = refusals(); all > told_refusals) {
    const std::uint64_t refused_now = all - std::exchange(told_refusals, all);
    told_refused_end = last_position + 1;
    const Refusal reason = arena.header().last_refusal.load(std::memory_order_relaxed);
    return Error{ErrorCode::refused,
                 "the broker refused " + std::to_string(refused_now) +
                     " events after it had accepted them; the last one: " + describe(reason),
                 advice_for(reason)}
        .with_advice("compare leatd's --max-event-bytes with that of its last start");
  }
  return newest;
}

}  // namespace leat
