#include "broker/sequence/lanes.h"

#include <utility>

namespace leat::broker {

using namespace internal;

Lanes::Lanes(LaneQueues& queues, InboundConsumer& inbound, std::uint32_t producer_slots,
             std::function<void()> wake_control)
    : queues_(queues),
      inbound_(inbound),
      wake_control_(std::move(wake_control)),
      slots_(producer_slots),
      lanes_(producer_slots),
      recent_(lanes_.data()) {
  LEAT_ASSERT(producer_slots > 0 && producer_slots <= kMaxProducerSlots);
  leavers_.reserve(producer_slots);
}

void Lanes::take_commands() {
  queues_.commands.consume_all([&](const LaneCommand& command) {
    LEAT_ASSERT(command.slot < slots_);
    if (command.kind == LaneCommand::Kind::leave) {
      leave(command);
    } else {
      add(command);
    }
  });
  release_leavers();
}

void Lanes::add(const LaneCommand& command) {
  Lane& lane = lanes_[command.slot];
  LEAT_ASSERT(!lane.live && !lane.touched);  // the slot's last tenant has been let go
  LEAT_ASSERT(command.registry != nullptr && command.row != nullptr && command.arena_base != nullptr);
  lane = Lane{};
  lane.arena = ArenaReader(command.arena_base, command.arena_bytes);
  lane.registry = command.registry;
  lane.row = command.row;
  lane.slot = command.slot;
  lane.generation = command.generation;
  lane.producer_id = command.producer_id;
  lane.max_record_bytes = command.max_record_bytes;
  lane.last_producer_sequence = command.last_producer_sequence;
  lane.live = true;
  lane.row->events.store(0, std::memory_order_relaxed);
  lane.row->refused.store(0, std::memory_order_relaxed);
  lane.revoked = command.registry->revoked.load(std::memory_order_relaxed) != 0;
  lane.move_to(command.registry->consumed.load(std::memory_order_relaxed));
}

void Lanes::leave(const LaneCommand& command) {
  Lane& lane = lanes_[command.slot];
  if (!lane.live || lane.leaving || lane.generation != command.generation) return;
  lane.leaving = true;
  lane.leave_at_ticket = inbound_.tail();
  leavers_.push_back(command.slot);
}

void Lanes::release_who_can_go() {
  const std::uint64_t head = inbound_.head();
  std::erase_if(leavers_, [&](std::uint32_t slot) {
    Lane& lane = lanes_[slot];
    LEAT_ASSERT(lane.live && lane.leaving);
    if (lane.touched || static_cast<std::int64_t>(lane.leave_at_ticket - head) > 0) return false;
    if (lane.owed_bytes() > 0) return false;  // its ticket is lost: see InboundRepair::take_lost_tickets
    lane.live = lane.leaving = false;
    lane.close();
    notify(lane, LaneNotice::Kind::released, Refusal::none);
    return true;
  });
}

void Lanes::revoke(Lane& lane, Refusal reason) {
  LEAT_ASSERT(lane.live && !lane.revoked && reason != Refusal::none);
  lane.revoked = true;
  lane.close();
  lane.arena.revoke();
  lane.registry->revoked.store(1, std::memory_order_release);
  notify(lane, LaneNotice::Kind::revoked, reason);
}

void Lanes::notify(const Lane& lane, LaneNotice::Kind kind, Refusal reason) {
  queues_.notices.push({.kind = kind, .slot = lane.slot, .generation = lane.generation, .reason = reason});
  wake_control_();
}

}  // namespace leat::broker
