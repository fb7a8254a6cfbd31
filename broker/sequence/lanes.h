// The lanes of all producers: who is served, who leaves, who was revoked.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/check.h"
#include "broker/producers/lane_queues.h"
#include "broker/sequence/lane.h"
#include "shm/ingest/inbound_ring.h"

namespace leat::broker {

/// One thread: the sequencer's.
class Lanes {
 public:
  /// `wake_control` is called when a notice lies in the queue.
  Lanes(LaneQueues& queues, internal::InboundConsumer& inbound, std::uint32_t producer_slots,
        std::function<void()> wake_control);

  /// Takes in what the control thread says, and lets go who can go.
  void take_commands();
  [[nodiscard]] bool has_commands() const { return queues_.commands.read_available() > 0; }

  /// Lets a producer that leaves go, once every ticket that had been taken when it left has been dealt with.
  void release_leavers() {
    if (!leavers_.empty()) release_who_can_go();
  }

  /// The lane whose tenant is served and has filled this ticket, by the ticket's own word. nullptr: there is none.
  [[nodiscard]] Lane* find(const internal::Ticket& ticket) noexcept {
    if (ticket.producer_slot >= slots_) return nullptr;
    Lane& lane = lanes_[ticket.producer_slot];
    return lane.takes(ticket) ? &lane : nullptr;
  }
  /// The lane of the last ticket: most often the next ticket's too.
  [[nodiscard]] Lane& recent() noexcept { return *recent_; }
  void set_recent(Lane& lane) noexcept { recent_ = &lane; }

  /// Asks for the lines of the entry that a slot names, if it names one.
  void prefetch(std::uint64_t slot) const noexcept {
    if (!internal::is_full(slot)) return;
    const internal::Ticket ahead = internal::parse_full_slot(slot);
    if (ahead.producer_slot >= slots_) return;
    const Lane& lane = lanes_[ahead.producer_slot];
    if (lane.live) lane.arena.prefetch(ahead.position_units * internal::kPositionUnit);
  }

  /// Ends the lane's producer, whose memory makes no sense.
  void revoke(Lane& lane, internal::Refusal reason);

  [[nodiscard]] std::uint32_t slots() const noexcept { return slots_; }
  [[nodiscard]] Lane& at(std::uint32_t slot) noexcept {
    LEAT_DCHECK(slot < slots_);
    return lanes_[slot];
  }
  [[nodiscard]] std::vector<Lane>::iterator begin() noexcept { return lanes_.begin(); }
  [[nodiscard]] std::vector<Lane>::iterator end() noexcept { return lanes_.end(); }

 private:
  void add(const LaneCommand& command);
  void leave(const LaneCommand& command);
  void release_who_can_go();
  void notify(const Lane& lane, LaneNotice::Kind kind, internal::Refusal reason);

  LaneQueues& queues_;
  internal::InboundConsumer& inbound_;
  std::function<void()> wake_control_;
  std::uint32_t slots_;
  std::vector<Lane> lanes_;  // `slots_` of them; never grows, so that pointers into it hold
  Lane* recent_;
  std::vector<std::uint32_t> leavers_;  // slots of the lanes that have `leaving`
};

}  // namespace leat::broker
