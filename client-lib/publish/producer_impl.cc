#include "publish/producer_impl.h"

#include <algorithm>
#include <string>

namespace leat {

using namespace shm;

namespace {

constexpr std::uint32_t kLooksPerCheck = 64;
constexpr std::int64_t kMaxSleepNs = 20 * kNanosPerMilli;
constexpr std::int64_t kResumeRetryNs = 100 * kNanosPerMilli;
constexpr int kResumeTimeoutMs = 200;

std::string describe(Refusal reason) {
  switch (reason) {
    case Refusal::none: return "no reason";
    case Refusal::bad_entry: return "its entry header is out of bounds";
    case Refusal::bad_record: return "a record's fields contradict each other";
    case Refusal::bad_topic: return "bad topic";
    case Refusal::too_large: return "larger than the feed allows";
    case Refusal::bad_sequence: return "its producer sequence does not follow on";
  }
  return "unknown reason";
}

Error lost_error() {
  return {ErrorCode::closed, "the event is in the journal no more, or nobody can vouch for it: the broker found less there "
                             "than producers had been told, or the journal was repaired or replaced; publish it again if "
                             "it must not be missing (see leatd's log)"};
}

}  // namespace

// Says that nothing more will come: a connection that just ends might have been lost.
Producer::Impl::~Impl() {
  if (!connection.socket.valid()) return;
  const BareMessage leave{.header = make_header(MessageType::leave, sizeof(BareMessage))};
  (void)send_message(connection.socket.get(), &leave, sizeof leave).ok();
}

Result<void> Producer::Impl::register_anew(int timeout_ms) {
  auto connected = client::connect_to_broker({.address = options.address,
                                              .role = Role::producer,
                                              .name = options.name,
                                              .arena_bytes = options.arena_bytes,
                                              .timeout_ms = timeout_ms});
  if (!connected) return connected.error();
  if (connected->fds.size() != 2) {
    return Error{ErrorCode::protocol_error, "the broker passed " + std::to_string(connected->fds.size()) +
                                                " descriptors to a producer, expected 2"};
  }
  const std::uint64_t slots = connected->welcome.inbound_slots;
  if (slots < kMinInboundSlots || slots > kMaxInboundSlots || (slots & (slots - 1)) != 0 ||
      connected->welcome.max_producers >= slots) {
    return Error{ErrorCode::protocol_error, "the broker speaks of an inbound ring of " + std::to_string(slots) +
                                                " slots for " + std::to_string(connected->welcome.max_producers) +
                                                " producers; use broker and clients of one release"};
  }
  SharedFileSpec arena_spec;
  auto ring = client::map_of_size(connected->fds[0].get(), Access::read_write, inbound_file_bytes(slots),
                                  "the inbound ring");
  if (!ring) return ring.error();
  auto own = client::map_shared(connected->fds[1].get(), kArenaMagic, Access::read_write, true, "the arena", arena_spec);
  if (!own) return own.error();
  inbound_mapping = std::move(*ring);
  arena_mapping = std::move(*own);
  const WelcomeMessage& welcome = connected->welcome;
  inbound = InboundProducer(inbound_mapping.data(), slots, welcome.max_producers);
  arena = ArenaWriter(arena_mapping.data(), arena_spec.capacity, 0);
  slot = welcome.slot;
  generation = welcome.generation;
  producer_id = welcome.producer_id;
  broker_life = welcome.broker_life;
  ticket_base = full_slot(slot, generation & ((1U << kGenerationBits) - 1), 0);
  set_bounds(welcome);
  next_producer_sequence = 1;
  claim_open = false;
  ++registration;
  connected->fds.clear();  // the mappings stay; nobody can get at the files through us
  connection = std::move(*connected);
  return {};
}

void Producer::Impl::set_bounds(const WelcomeMessage& welcome) noexcept {
  max_record_bytes = welcome.max_record_bytes;
  max_batch_bytes = std::min(welcome.max_batch_bytes, max_entry_record_bytes(arena.capacity()));
  max_padded_bytes = std::min(max_record_bytes, max_entry_record_bytes(arena.capacity()));
}

// What the ring says of another broker is believed only once our own is gone: any producer can write there.
void Producer::Impl::resume() noexcept {
  const std::int64_t now = monotonic_ns();
  if (now < next_resume_ns) return;
  next_resume_ns = now + kResumeRetryNs;
  if (!client::peer_has_gone(connection.socket.get())) return;
  if (inbound.retired()) {
    // The rings are gone for good (another feed, or one begun anew): what was in flight was never taken.
    (void)register_anew(kResumeTimeoutMs).ok();
    return;
  }
  auto connected = client::connect_to_broker({.address = options.address,
                                              .role = Role::producer,
                                              .name = options.name,
                                              .arena_bytes = options.arena_bytes,
                                              .resume_slot = slot,
                                              .resume_token = connection.welcome.token,
                                              .timeout_ms = kResumeTimeoutMs});
  if (!connected && connected.error().code == ErrorCode::refused) {
    // This broker has lost what it knew of us (somebody removed its files): nobody looks into our arena any more.
    // Receipts of what is in flight say so (`closed`), and what comes next goes into a new one.
    (void)register_anew(kResumeTimeoutMs).ok();
    return;
  }
  if (!connected || connected->welcome.resumed != 1) return;
  broker_life = connected->welcome.broker_life;
  set_bounds(connected->welcome);
  connection = std::move(*connected);
}

Publish Producer::Impl::no_room() noexcept {
  if (is_revoked()) return Publish::revoked;
  if (feed_has_failed()) return Publish::feed_failed;
  bump_own(arena.header().would_block_arena);
  maintain();
  return Publish::would_block;
}

// Any producer can write the ring's word; into our arena only the broker does. One that died of a disk error had no time
// to tell each arena, but then its connection is gone.
bool Producer::Impl::failure_is_real() const noexcept {
  return arena.header().state.load(std::memory_order_acquire) == static_cast<std::uint32_t>(ArenaState::feed_failed) ||
         client::peer_has_gone(connection.socket.get());
}

Publish Producer::Impl::no_ticket() noexcept {
  arena.unseal();  // nobody's forged ticket shall publish what the caller is told was not
  return ring_is_full();
}

Publish Producer::Impl::ring_is_full() noexcept {
  bump_own(arena.header().would_block_ring);
  return refused(Publish::would_block);
}

// True: registered anew, so what was encoded lies in an arena that is gone.
bool Producer::Impl::broker_has_changed() noexcept {
  const std::uint32_t before = registration;
  resume();
  return registration != before;
}

Error Producer::Impl::full_error() const {
  const bool gone = client::peer_has_gone(connection.socket.get());
  return {ErrorCode::timed_out,
          std::string("no room for the event within publish_timeout: the arena (") + std::to_string(arena.capacity()) +
              " bytes) or the inbound ring is full" +
              (gone ? "; the broker is away: restart leatd" : "; the broker is behind: see leat stat, or raise arena_bytes")};
}

Error Producer::Impl::late_error(std::uint32_t reason) const {
  const bool gone = client::peer_has_gone(connection.socket.get());
  const char* const where = reason == kWaitDurable
                                ? "committed, but not durable within the time-out; see leatd's --sync"
                                : "not committed within the time-out; it is in the inbound ring and will be journaled";
  return {ErrorCode::timed_out,
          std::string(where) + (gone ? " (the broker is away: this waits until leatd runs again)" : "")};
}

template <typename Done>
Result<void> Producer::Impl::sleep_until(const Receipt& receipt, std::uint32_t reason, std::int64_t deadline_ns,
                                         Done done) {
  for (std::uint32_t looks = 1; !done(); ++looks) {
    const bool spinning = spinner.keep_spinning();
    if (spinning && looks % kLooksPerCheck != 0) continue;
    if (is_revoked()) return Error{ErrorCode::revoked, std::string(to_string(Publish::revoked))};
    if (feed_has_failed()) {
      return Error{ErrorCode::feed_failed, std::string(to_string(Publish::feed_failed))};
    }
    if (reason == kWaitCommitted && arena.passed_over(receipt.arena_position)) {
      return Error{ErrorCode::refused, "the broker refused the event: a ticket that another process forged had been taken "
                                       "in its place; publish it again, and see in leatd's log who writes to the ring"};
    }
    maintain();
    if (receipt.registration != registration) {
      return Error{ErrorCode::closed, "the feed was begun anew while this event was in flight; publish it again"};
    }
    const std::int64_t left_ns = deadline_ns - monotonic_ns();
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

Result<std::uint64_t> Producer::Impl::wait_committed(const Receipt& receipt, std::int64_t deadline_ns) {
  if (receipt.registration != registration) {
    return Error{ErrorCode::closed, "the receipt is of an earlier registration of this producer"};
  }
  const auto expired = Error{ErrorCode::receipt_expired,
                             "the event is committed, but its sequence is no longer held: wait for it before another " +
                                 std::to_string(arena.capacity()) + " bytes are published, or use a larger arena"};
  if (!arena.held(receipt.arena_position)) {
    return arena.lost(receipt.arena_position, ~0ULL) ? lost_error() : expired;
  }
  std::uint64_t completion = 0;
  auto slept = sleep_until(receipt, kWaitCommitted, deadline_ns, [&] {
    completion = arena.completion(receipt.arena_position);
    return completion_status(completion) != CompletionStatus::pending;
  });
  if (!slept) return slept.error();
  if (completion_status(completion) == CompletionStatus::refused) {
    return Error{ErrorCode::refused,
                 "the broker refused the event: " + describe(static_cast<Refusal>(completion_value(completion)))};
  }
  const std::uint64_t sequence = completion_value(completion);
  if (arena.lost(receipt.arena_position, sequence + receipt.events - 1)) return lost_error();
  return sequence;
}

Result<std::uint64_t> Producer::Impl::wait_durable(const Receipt& receipt, std::uint64_t sequence,
                                                   std::int64_t deadline_ns) {
  const std::uint64_t last = sequence + receipt.events - 1;
  auto slept = sleep_until(receipt, kWaitDurable, deadline_ns, [&] {
    return arena.header().durable_sequence.load(std::memory_order_acquire) >= last ||
           arena.lost(receipt.arena_position, last);
  });
  if (!slept) return slept.error();
  if (arena.lost(receipt.arena_position, last)) return lost_error();
  return sequence;
}

Result<std::uint64_t> Producer::Impl::wait(const Receipt& receipt, Ack level, std::int64_t timeout_ns) {
  constexpr std::int64_t kForever = 1LL << 62;
  const std::int64_t now = monotonic_ns();
  const std::int64_t deadline_ns = timeout_ns > kForever - now ? kForever : now + timeout_ns;
  for (;;) {
    auto sequence = wait_committed(receipt, deadline_ns);
    if (!sequence || level == Ack::committed) return sequence;
    if (auto durable = wait_durable(receipt, *sequence, deadline_ns); !durable) return durable;
    // A broker that found it gone with the journal's end, and its entry still there, has taken it once more.
    if (arena.completion(receipt.arena_position) == pack_completion(CompletionStatus::committed, *sequence)) return sequence;
  }
}

}  // namespace leat
