// What the round in progress owes to producers: the outcome of each entry, its room, and a wake-up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "broker/sequence/lane.h"
#include "shm/status/status_layout.h"

namespace leat::broker {

/// One thread. An entry is finished as it is taken, reported once the round is in the journal, and its producer woken
/// after that, now or with a later round.
class Receipts {
 public:
  explicit Receipts(std::size_t expected) {
    outcomes_.reserve(expected);
    touched_.reserve(expected);
  }

  /// No outcome waits to be reported.
  [[nodiscard]] bool empty() const noexcept { return outcomes_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return outcomes_.size(); }

  /// Something of this producer is dealt with in this round.
  void touch(Lane& lane) {
    if (lane.touched) return;
    lane.touched = true;
    touched_.push_back(&lane);
  }
  /// The outcome of an entry, which its producer reads after report().
  void finish(const Lane& lane, const Entry& entry, internal::CompletionStatus status, std::uint64_t value) {
    LEAT_DCHECK(lane.touched && status != internal::CompletionStatus::pending);
    outcomes_.push_back(
        {.completion = &lane.arena.completion(entry.position), .value = internal::pack_completion(status, value)});
  }

  /// All of the round is in the journal, or refused: so the newest number of a producer stands for all below it.
  void report() {
    for (Lane* lane : touched_) {
      lane->registry->last_producer_sequence.store(lane->last_producer_sequence, std::memory_order_release);
    }
    for (const Outcome& outcome : outcomes_) outcome.completion->store(outcome.value, std::memory_order_release);
    outcomes_.clear();
    for (Lane* lane : touched_) {
      lane->registry->consumed.store(lane->next_position, std::memory_order_release);
      lane->arena.release(lane->next_position);
      internal::bump(lane->row->events, lane->events_in_round);
      lane->events_in_round = 0;
    }
  }

  /// Wakes whoever waits for what was reported. `drained`: nothing more is there to take. The caller has put a seq_cst
  /// fence behind report(). While a round is held, its lanes stay touched: they are still to be reported to.
  void wake(bool drained) noexcept {
    const bool held = !outcomes_.empty();
    for (Lane* lane : touched_) {
      // Who waits for room is best woken when there is a good deal of it. A stuck one looks by itself within a
      // millisecond.
      const bool room = drained || lane->arena.half_empty(lane->next_position);
      lane->arena.wake(room ? internal::kWaitCommitted | internal::kWaitRoom : internal::kWaitCommitted);
      lane->touched = held;
    }
    if (!held) touched_.clear();
  }

 private:
  struct Outcome {
    internal::Atomic<std::uint64_t>* completion;  ///< in the arena
    std::uint64_t value;
  };

  std::vector<Outcome> outcomes_;
  std::vector<Lane*> touched_;  // each once: `Lane::touched` says whether a lane is in here
};

}  // namespace leat::broker
