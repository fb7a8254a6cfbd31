#include "client-lib/publish/registration.h"

#include <string>
#include <type_traits>

#include "base/random.h"

namespace leat::client {

using namespace internal;

static_assert(std::is_nothrow_move_assignable_v<Registration>);  // the change to the next one does not stop half way

Result<Registration> Registration::map(const Connection& connected) {
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
  auto ring = map_of_size(connected.fds[0].get(), Access::read_write, inbound_file_bytes(slots), "the inbound ring");
  if (!ring) return ring.error();
  SharedFileSpec arena_spec;
  auto own = map_shared(connected.fds[1].get(), kArenaMagic, Access::read_write, true, "the arena", arena_spec);
  if (!own) return own.error();
  Registration made;
  made.inbound_mapping_ = std::move(*ring);
  made.arena_mapping_ = std::move(*own);
  made.inbound_ = InboundProducer(made.inbound_mapping_.data(), slots, welcome.max_producers);
  made.arena_ = ArenaWriter(made.arena_mapping_.data(), arena_spec.capacity, 0);
  made.arena_.look_behind(0);
  made.slot_ = welcome.slot;
  made.producer_id_ = welcome.producer_id;
  made.broker_life_ = welcome.broker_life;
  made.ticket_base_ = full_slot(welcome.slot, welcome.generation & ((1U << kGenerationBits) - 1), 0);
  made.id_ = random_id();
  return made;
}

}  // namespace leat::client
