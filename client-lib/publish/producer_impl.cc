#include "client-lib/publish/producer_impl.h"

#include <utility>

#include <leat/topic_filter.h>

#include "client-lib/connect/connection.h"
#include "client-lib/publish/outcome.h"

namespace leat {

using namespace internal;
using client::Registration;

Producer::Impl::Impl(ProducerOptions options)
    : options_(std::move(options)),
      losses_(bounds_),
      claim_(bounds_),
      link_(options_, {.bounds = bounds_, .losses = losses_, .refusals = refusals_, .claim = claim_}),
      receipts_(link_, losses_, refusals_, options_.idle) {}

Publish Producer::Impl::fault(Publish outcome) noexcept {
  if (!link_.is_ours()) return Publish::used_after_fork;
  return claim_.is_open() && outcome != Publish::ephemeral ? Publish::bad_field : outcome;
}

Publish Producer::Impl::over_bound(std::size_t padded) noexcept {
  if (const Publish outcome = fault(Publish::ok); outcome != Publish::ok) return outcome;
  if (link_.is_barred()) link_.look();
  if (link_.is_barred()) return Publish::would_block;
  // A broker that was started anew may allow more.
  if (padded > bounds_.event_bytes() && link_.registration().shows_other_broker()) link_.look();
  if (losses_.has_unreported()) return after_registering();
  if (padded <= bounds_.event_bytes()) return Publish::ok;
  return link_.bounds_are_coming(monotonic_ns()) ? Publish::would_block : Publish::too_large;
}

// Nothing of this attempt is in the new arena. What was lost with the old arena is reported once, before anything else.
Publish Producer::Impl::after_registering() noexcept {
  return losses_.report() ? Publish::earlier_lost : Publish::would_block;
}

std::byte* Producer::Impl::reserve_after_look(std::uint64_t record_bytes) noexcept {
  const std::uint64_t before = link_.registration().id();
  const std::uint64_t event_before = bounds_.event_bytes();
  const std::uint64_t batch_before = bounds_.batch_bytes();
  link_.look();
  if (link_.registration().id() != before) {
    no_room_because_ = after_registering();
    return nullptr;
  }
  // To be checked once more.
  const bool narrower = bounds_.event_bytes() < event_before || bounds_.batch_bytes() < batch_before;
  ArenaWriter& arena = link_.registration().arena();
  std::byte* const room = narrower ? nullptr : arena.reserve(record_bytes);
  if (room == nullptr) no_room_because_ = no_room();
  else arena.look_behind(entry_bytes(record_bytes) + link_.stride_bytes());
  return room;
}

Publish Producer::Impl::no_room() noexcept {
  if (link_.registration().is_revoked()) return Publish::revoked;
  if (link_.feed_has_failed()) return Publish::feed_failed;
  bump_own(link_.registration().arena().header().would_block_arena);
  return Publish::would_block;
}

Publish Producer::Impl::no_ticket() noexcept {
  link_.registration().arena().unseal();  // nobody's forged ticket shall publish what is reported as not published
  return ring_is_full();
}

// For a ring that nobody empties any more this is the only place that the calls come to.
Publish Producer::Impl::ring_is_full() noexcept {
  bump_own(link_.registration().arena().header().would_block_ring);
  const std::uint64_t before = link_.registration().id();
  link_.look();
  return refused(link_.registration().id() != before ? after_registering() : Publish::would_block);
}

// Ok: the entry may be published as it was encoded. Else it was for another arena, or for bounds that were wider.
Publish Producer::Impl::meet_successor(std::uint64_t record_bytes) noexcept {
  const std::uint64_t before = link_.registration().id();
  const std::uint64_t bound_before = bounds_.event_bytes();
  const std::int64_t now = monotonic_ns();
  link_.meet_successor(now);
  if (link_.registration().id() != before) return after_registering();
  // Until the successor has reported its bounds, nothing more is accepted under those of its predecessor.
  if (link_.bounds_are_coming(now)) return Publish::would_block;
  const bool narrower = bounds_.event_bytes() < bound_before || !bounds_.admits_batch(record_bytes);
  return narrower ? Publish::would_block : Publish::ok;
}

Publish Producer::Impl::try_publish_with_extras(const Event& event, Receipt* receipt) noexcept {
  return publish_one<Extras::maybe>(event, receipt);
}

Publish Producer::Impl::try_publish_batch_with_extras(std::span<const Event> events, Receipt* receipt) noexcept {
  return publish_all<Extras::maybe>(events, receipt);
}

Publish Producer::Impl::claim(const Event& event, std::size_t payload_bytes, std::span<std::byte>& payload) noexcept {
  std::size_t padded = 0;
  if (const Publish outcome = check<Extras::maybe>(event, payload_bytes, padded); outcome != Publish::ok)
    return refused(outcome);
  std::byte* const room = reserve(padded);
  if (room == nullptr) return refused(no_room_because_);
  Event fields = event;
  fields.payload = {};
  payload = {encode_event(room, fields, payload_bytes, link_.registration().producer_sequence(), 0), payload_bytes};
  claim_.open(room, static_cast<std::uint32_t>(padded));
  return Publish::ok;
}

Publish Producer::Impl::commit(Receipt* receipt) noexcept {
  if (!link_.is_ours()) return refused(Publish::used_after_fork);
  if (!claim_.is_open()) return refused(Publish::bad_field);
  link_.look();  // filling the claim in may have taken any time
  if (link_.is_barred()) return refused(Publish::would_block);
  if (losses_.has_unreported()) return refused(after_registering());
  if (claim_.bytes() > bounds_.event_bytes()) return refused(Publish::too_large);
  if (claim_.is_in_former_arena()) {
    if (const Publish outcome = copy_claim(); outcome != Publish::ok) return refused(outcome);
  }
  const Publish outcome = publish_entry(claim_.bytes(), 1, receipt);
  if (outcome == Publish::ok) claim_.close();
  return outcome;
}

// Copied anew at each attempt: the caller may have written on meanwhile.
Publish Producer::Impl::copy_claim() noexcept {
  std::byte* const room = reserve(claim_.bytes());
  if (room == nullptr) return no_room_because_;
  claim_.copy_to(room, link_.registration().producer_sequence());
  return Publish::ok;
}

void Producer::Impl::abandon() noexcept {
  if (claim_.is_open()) claim_.close();
}

Error Producer::Impl::error_of(Publish outcome, const Event& event) const {
  if (outcome == Publish::would_block) return link_.full_error();
  if (outcome == Publish::earlier_lost) return losses_.error();
  if (outcome == Publish::used_after_fork) return client::used_after_fork("producer");
  if (outcome == Publish::bad_topic) return check_topic(event.topic).error();
  if (outcome == Publish::bad_field) {
    if (auto checked = client::check_fields(event); !checked) return checked.error();
  }
  return client::error_of(outcome);
}

std::size_t Producer::Impl::max_event_bytes() noexcept {
  if (link_.is_ours() && link_.registration().shows_other_broker()) link_.look();
  return bounds_.event_bytes();
}

std::uint64_t Producer::Impl::refused_after_accept() const noexcept {
  return link_.is_ours() ? refusals_.all(link_.registration()) : refusals_.in_former_arenas();
}

}  // namespace leat
