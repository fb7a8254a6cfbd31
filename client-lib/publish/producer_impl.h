// What a Producer is made of: the hot path, and around it the link with the broker and what becomes of events.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <leat/producer.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "client-lib/publish/bounds.h"
#include "client-lib/publish/broker_link.h"
#include "client-lib/publish/event_fields.h"
#include "client-lib/publish/losses.h"
#include "client-lib/publish/open_claim.h"
#include "client-lib/publish/receipt_waiter.h"
#include "client-lib/publish/refusals.h"
#include "client-lib/publish/registration.h"
#include "record/record.h"
#include "record/topic_memo.h"

namespace leat {

/// Publishes: checks an event, reserves room in the arena, encodes the event there, and takes a ticket for the entry.
/// None of the parts knows of this object.
///
/// The hot path asks two things that it would have to ask anyway. Whatever is out of the ordinary hides behind them:
///
///   bounds_.admits()       false for all events in a fork's child, while a claim is open, after a loss that was not
///                          reported yet, and for a producer that is barred
///   room below the limit   the limit of the arena is moved on in strides; between two of them stands link_.look(),
///                          which asks whether ring, broker and connection are still those of this registration
struct Producer::Impl {
 public:
  explicit Impl(ProducerOptions options);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// Registers with the feed's broker.
  Result<void> open() { return link_.open(); }

  Publish try_publish(const Event& event, Receipt* receipt) noexcept {
    if (internal::has_extras(event)) [[unlikely]]
      return try_publish_with_extras(event, receipt);
    return publish_one<Extras::none>(event, receipt);
  }
  Publish try_publish_batch(std::span<const Event> events, Receipt* receipt) noexcept {
    return publish_all<Extras::none>(events, receipt);
  }

  Publish claim(const Event& event, std::size_t payload_bytes, std::span<std::byte>& payload) noexcept;
  Publish commit(Receipt* receipt) noexcept;
  void abandon() noexcept;

  /// Repeats an attempt while it would block, until `deadline`.
  template <typename TryOnce>
  Publish until(internal::Deadline deadline, TryOnce try_once) {
    Publish outcome = try_once();
    while (outcome == Publish::would_block) {
      const std::int64_t left_ns = deadline.left_ns();
      if (left_ns <= 0 || link_.is_barred()) return outcome;
      wait_for_room(left_ns, [&] { return (outcome = try_once()) == Publish::would_block; });
    }
    return outcome;
  }

  [[nodiscard]] Error error_of(Publish outcome, const Event& event) const;

  [[nodiscard]] client::ReceiptWaiter& receipts() noexcept { return receipts_; }
  [[nodiscard]] const ProducerOptions& options() const noexcept { return options_; }
  [[nodiscard]] const client::Bounds& bounds() const noexcept { return bounds_; }
  [[nodiscard]] const client::Losses& losses() const noexcept { return losses_; }
  [[nodiscard]] const client::Registration& registration() const noexcept { return link_.registration(); }
  /// As the broker of now allows it.
  [[nodiscard]] std::size_t max_event_bytes() noexcept;
  [[nodiscard]] std::uint64_t refused_attempts() const noexcept { return refused_attempts_; }
  [[nodiscard]] std::uint64_t refused_after_accept() const noexcept;

 private:
  using Extras = internal::Extras;

  template <Extras kExtras>
  [[gnu::always_inline]] Publish publish_one(const Event& event, Receipt* receipt) noexcept {
    std::size_t padded = 0;
    if (const Publish fault = check<kExtras>(event, event.payload.size(), padded); fault != Publish::ok) {
      return refused(fault);
    }
    std::byte* const room = reserve(padded);
    if (room == nullptr) return refused(no_room_because_);
    link_.registration().inbound().prefetch_next();
    internal::encode_event<kExtras>(room, event, event.payload.size(), link_.registration().producer_sequence(), 0);
    return publish_entry(static_cast<std::uint32_t>(padded), 1, receipt);
  }

  template <Extras kExtras>
  [[gnu::always_inline]] Publish publish_all(std::span<const Event> events, Receipt* receipt) noexcept {
    if (events.empty() || events.size() > kMaxBatchEvents) return refused(fault(Publish::bad_field));
    std::uint64_t bytes = 0;
    std::size_t padded = 0;
    for (const Event& event : events) {
      if constexpr (kExtras == Extras::none) {
        if (internal::has_extras(event)) [[unlikely]]
          return try_publish_batch_with_extras(events, receipt);
      }
      if (const Publish fault = check<kExtras>(event, event.payload.size(), padded); fault != Publish::ok) {
        return refused(fault);
      }
      bytes += padded;
    }
    if (!bounds_.admits_batch(bytes)) return refused(Publish::too_large);
    std::byte* to = reserve(bytes);
    if (to == nullptr) return refused(no_room_because_);
    for (std::size_t i = 0; i < events.size(); ++i) {
      const Event& event = events[i];
      const bool last = i + 1 == events.size();
      internal::encode_event<kExtras>(to, event, event.payload.size(), link_.registration().producer_sequence() + i,
                                      static_cast<std::uint16_t>(last ? 0 : internal::kFlagMoreInBatch));
      to += internal::record_bytes_of<kExtras>(event);
    }
    return publish_entry(static_cast<std::uint32_t>(bytes), static_cast<std::uint32_t>(events.size()), receipt);
  }
  [[gnu::noinline, gnu::cold]] Publish try_publish_with_extras(const Event& event, Receipt* receipt) noexcept;
  [[gnu::noinline, gnu::cold]] Publish try_publish_batch_with_extras(std::span<const Event> events,
                                                                     Receipt* receipt) noexcept;

  /// Says in `padded` how large the record will be.
  template <Extras kExtras>
  Publish check(const Event& event, std::size_t payload_bytes, std::size_t& padded) noexcept {
    if (!event.durable) return fault(Publish::ephemeral);
    if (event.key.size() > internal::kMaxKeyBytes || event.message_id.size() > internal::kMaxMessageIdBytes) {
      return fault(Publish::bad_field);
    }
    if (!topics_.valid(event.topic)) return fault(Publish::bad_topic);
    if constexpr (kExtras == Extras::maybe) {
      if (!client::extras_are_valid(event, payload_bytes)) return fault(Publish::bad_field);
    }
    std::size_t length = 0;
    if (__builtin_add_overflow(internal::record_length(event.topic.size(), event.key.size(), event.message_id.size(),
                                                       internal::kRecordAlignment - 1,
                                                       internal::headers_bytes<kExtras>(event)),
                               payload_bytes, &length)) {
      return fault(Publish::too_large);
    }
    padded = length & ~(internal::kRecordAlignment - 1);
    return bounds_.admits(padded) ? Publish::ok : over_bound(padded);
  }

  /// Room for an entry, or nullptr, and in no_room_because_ why.
  std::byte* reserve(std::uint64_t record_bytes) noexcept {
    std::byte* const room = link_.registration().arena().reserve_below_limit(record_bytes);
    return room != nullptr ? room : reserve_after_look(record_bytes);
  }

  /// Publishes what has been encoded in the room that the arena reserved. Inlined: with its caller it is the whole of
  /// publishing. Two locked instructions: the ticket, the slot.
  Publish publish_entry(std::uint32_t record_bytes, std::uint32_t count, Receipt* receipt) noexcept {
    client::Registration& now = link_.registration();
    internal::InboundProducer& inbound = now.inbound();
    internal::ArenaWriter& arena = now.arena();
    // Both on the line of `sleeping`, which is read anyway.
    if (link_.feed_has_failed()) return refused(Publish::feed_failed);
    if (now.shows_other_broker()) [[unlikely]] {
      if (const Publish outcome = meet_successor(record_bytes); outcome != Publish::ok) return refused(outcome);
    }
    // Before the entry is sealed: a sealed entry that gets no ticket is what a forged one can name.
    if (!inbound.has_room()) return ring_is_full();
    arena.seal(record_bytes, count, now.producer_sequence());
    const std::uint64_t full = now.slot_word();
    for (;;) {
      const internal::Fill filled = inbound.fill(inbound.take_ticket(), full);
      if (filled == internal::Fill::ok) break;
      internal::bump_own(arena.header().retried_tickets);
      if (filled == internal::Fill::overrun || !inbound.has_room()) return no_ticket();
    }
    // Whoever sleeps there is a broker at leisure, or a dead one: then the producer has the time to look before the
    // next event.
    if (inbound.wake_sequencer()) arena.look_behind(0);
    if (receipt != nullptr) *receipt = now.receipt(arena.tail(), count);
    now.advance(record_bytes, count);
    return Publish::ok;
  }

  template <typename StillFull>
  void wait_for_room(std::int64_t left_ns, StillFull still_full) {
    const std::uint64_t before = link_.registration().id();
    const std::uint32_t seen = link_.registration().announce_wait(internal::kWaitRoom);
    if (!still_full() || link_.registration().id() != before) return;
    link_.look();
    if (link_.registration().id() != before) return;
    // Room in the inbound ring is announced to nobody, so this sleep is short.
    link_.registration().sleep(seen, std::min(left_ns, internal::kNanosPerMilli));
  }

  // What hides behind the hot path.
  [[gnu::noinline, gnu::cold]] Publish over_bound(std::size_t padded) noexcept;
  [[gnu::noinline, gnu::cold]] Publish fault(Publish outcome) noexcept;
  [[gnu::noinline]] std::byte* reserve_after_look(std::uint64_t record_bytes) noexcept;
  Publish no_room() noexcept;
  Publish ring_is_full() noexcept;
  Publish no_ticket() noexcept;
  Publish meet_successor(std::uint64_t record_bytes) noexcept;
  Publish after_registering() noexcept;
  Publish copy_claim() noexcept;
  Publish refused(Publish outcome) noexcept {
    ++refused_attempts_;
    return outcome;
  }

  const ProducerOptions options_;
  client::Bounds bounds_;
  client::Losses losses_;
  client::Refusals refusals_;
  client::OpenClaim claim_;
  client::BrokerLink link_;
  client::ReceiptWaiter receipts_;
  std::uint64_t refused_attempts_ = 0;
  Publish no_room_because_ = Publish::would_block;
  internal::TopicMemo topics_;
};

}  // namespace leat
