// The inbound ring of tickets: many producers, one sequencer.
//
// A producer takes a ticket (fetch_add on `tail`) and fills its slot (compare-and-swap EMPTY(lap) -> FULL). A producer
// that dies or stops between the two leaves EMPTY(lap) with `tail` beyond it; the sequencer swaps it to EMPTY(lap+1).
// Exactly one of the two swaps wins, so no guess about liveness can lose or repeat an event (I4).
//
// Everything here lies in memory that every producer can write. The sequencer trusts none of it: its head is private,
// each slot is read once, and a `tail` that makes no sense, or goes back, is set right (repair_tail).
#pragma once

#include <bit>
#include <cstdint>

#include "base/check.h"
#include "base/futex.h"
#include "shm/ingest/inbound_layout.h"

namespace leat::internal {

/// Outcome of filling a ticket's slot.
enum class [[nodiscard]] Fill : std::uint8_t{
    ok,
    skipped,  ///< the sequencer gave the ticket up: take a new one
    overrun,  ///< the slot still belongs to an earlier lap: the ring is full beyond its margin (a peer broke the rules)
};

/// The producers' end. One per producer handle; not thread-safe itself, safe against all other ends.
class InboundProducer {
 public:
  InboundProducer() = default;
  /// `base` is a mapping of the file; `slots` and `max_producers` were checked when it was mapped.
  InboundProducer(std::byte* base, std::uint64_t slots, std::uint64_t max_producers) noexcept
      : header_(reinterpret_cast<InboundHeader*>(base)),
        slots_(reinterpret_cast<Atomic<std::uint64_t>*>(base + kInboundSlotsOffset)),
        mask_(slots - 1),
        lap_shift_(static_cast<unsigned>(__builtin_ctzll(slots))),
        limit_(slots - max_producers) {
    LEAT_DCHECK(std::has_single_bit(slots) && max_producers < slots);
  }

  /// Every producer asks this once before each ticket it takes, and has at most one ticket open. So a margin of
  /// `max_producers` slots keeps the tail from ever overrunning the head. One load of a line that take_ticket() needs
  /// anyway.
  [[nodiscard]] bool has_room() noexcept {
    const std::uint64_t tail = header_->tail.load(std::memory_order_relaxed);
    if (tail - cached_head_ < limit_) return true;
    cached_head_ = header_->head.load(std::memory_order_acquire);  // pairs with publish_head
    return tail - cached_head_ < limit_;
  }

  /// Takes the next ticket. From here to fill() a death or a stop costs the others one skip.
  [[nodiscard]] std::uint64_t take_ticket() noexcept { return header_->tail.fetch_add(1, std::memory_order_seq_cst); }

  /// Asks for the slot that the next ticket is likely to be, to be written.
  void prefetch_next() const noexcept {
    prefetch_for_write(&slots_[header_->tail.load(std::memory_order_relaxed) & mask_]);
  }
  /// Fills the slot of `ticket`. On ok, everything written to the arena before is visible to the sequencer.
  /// seq_cst: together with wake_sequencer() it is the producer's half of the sleep/wake hand-shake.
  Fill fill(std::uint64_t ticket, std::uint64_t full) noexcept {
    LEAT_DCHECK(is_full(full));
    const std::uint64_t lap = ticket >> lap_shift_;
    std::uint64_t expected = empty_slot(lap);
    // SYNC POINT: release pairs with the acquire load in InboundConsumer::peek.
    if (slots_[ticket & mask_].compare_exchange_strong(expected, full, std::memory_order_seq_cst)) return Fill::ok;
    return !is_full(expected) && lap_of_empty(expected) > lap ? Fill::skipped : Fill::overrun;
  }

  /// Wakes the sequencer if it sleeps, and says whether it seemed to; one load of a quiet line when it does not.
  bool wake_sequencer() noexcept {
    // SYNC POINT: the sequencer stores `sleeping`, then looks at its slot (prepare_sleep). The producer has filled the
    // slot, then looks at `sleeping`. All four are seq_cst, so at least one of the two sees the other.
    if (header_->sleeping.load(std::memory_order_seq_cst) == 0) return false;
    wake_slow();
    return true;
  }

  [[nodiscard]] FeedState feed_state() const noexcept { return header_->feed_state.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t broker_life() const noexcept {
    return header_->broker_life.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool retired() const noexcept { return header_->file.load_state() == FileState::retired; }

 private:
  void wake_slow() noexcept {
    if (header_->sleeping.exchange(0, std::memory_order_acq_rel) != 0) futex_wake(&header_->sleeping, 1);
  }

  InboundHeader* header_ = nullptr;
  Atomic<std::uint64_t>* slots_ = nullptr;
  std::uint64_t mask_ = 0;
  unsigned lap_shift_ = 0;
  std::uint64_t limit_ = 0;
  std::uint64_t cached_head_ = 0;
};

/// The sequencer's end. One thread.
class InboundConsumer {
 public:
  InboundConsumer() = default;
  /// `head` is the broker's own record of where it stood, never what lies in the ring.
  InboundConsumer(std::byte* base, std::uint64_t slots, std::uint64_t head) noexcept
      : header_(reinterpret_cast<InboundHeader*>(base)),
        slots_(reinterpret_cast<Atomic<std::uint64_t>*>(base + kInboundSlotsOffset)),
        mask_(slots - 1),
        lap_shift_(static_cast<unsigned>(__builtin_ctzll(slots))),
        head_(head),
        newest_tail_(head) {
    LEAT_DCHECK(std::has_single_bit(slots));
  }

  [[nodiscard]] std::uint64_t head() const noexcept { return head_; }
  [[nodiscard]] std::uint64_t slots() const noexcept { return mask_ + 1; }

  /// The slot of `ticket`, read once.
  [[nodiscard]] std::uint64_t peek(std::uint64_t ticket) const noexcept {
    return slots_[ticket & mask_].load(std::memory_order_acquire);  // SYNC POINT: pairs with fill
  }
  /// What an unfilled slot of `ticket` reads.
  [[nodiscard]] std::uint64_t unfilled(std::uint64_t ticket) const noexcept { return empty_slot(ticket >> lap_shift_); }

  /// True if somebody has taken `ticket`. Moves the producers' hottest line: asked only when the slot stays empty.
  [[nodiscard]] bool taken(std::uint64_t ticket) noexcept {
    const std::uint64_t ahead = tail() - ticket;
    return ahead != 0 && ahead <= slots();
  }

  /// The next ticket that nobody has taken, as far as the tail makes sense: at most a ring ahead of the head, and never
  /// less than before. An honest tail only grows. If a tail that goes back were believed, whoever waits for the head to
  /// pass the earlier tail would wait for ever.
  [[nodiscard]] std::uint64_t tail() noexcept {
    // SYNC POINT: seq_cst, like take_ticket() and the hand-shake of sleep: after prepare_sleep() the sequencer sees
    // every ticket that was taken by a producer which has not seen `sleeping`.
    const std::uint64_t ahead = header_->tail.load(std::memory_order_seq_cst) - head_;
    if (newest_tail_ - head_ > slots()) newest_tail_ = head_;  // the head has passed it
    if (ahead <= slots() && ahead > newest_tail_ - head_) newest_tail_ = head_ + ahead;
    LEAT_DCHECK(newest_tail_ - head_ <= slots());
    return newest_tail_;
  }

  /// Gives `ticket` up. False: the producer has filled it after all.
  bool skip(std::uint64_t ticket) noexcept {
    LEAT_DCHECK(ticket - head_ < slots());
    std::uint64_t expected = unfilled(ticket);
    return slots_[ticket & mask_].compare_exchange_strong(expected, unfilled(ticket + slots()),
                                                          std::memory_order_acq_rel);
  }

  /// Marks a ticket's slot free for the next lap, whatever it holds.
  void release(std::uint64_t ticket) noexcept {
    LEAT_DCHECK(ticket - head_ < slots());
    slots_[ticket & mask_].store(unfilled(ticket + slots()), std::memory_order_release);
  }

  /// Tells producers that all tickets below `head` are done with.
  void publish_head(std::uint64_t head) noexcept {
    LEAT_DCHECK(head - head_ <= slots());  // it only grows, and nobody passes a ticket over that is not in the ring
    head_ = head;
    header_->head.store(head, std::memory_order_release);  // SYNC POINT: pairs with has_room
  }

  /// Sets a tail right that no honest producer could have left: less than before, or more than the ring ahead of the
  /// head. Producers that hold tickets from the wrong range find their swap refused and take new ones. True if the tail
  /// was wrong.
  bool repair_tail() noexcept {
    const std::uint64_t right = tail();
    std::uint64_t found = header_->tail.load(std::memory_order_relaxed);
    if (found - right <= head_ + slots() - right) return false;
    return header_->tail.compare_exchange_strong(found, right, std::memory_order_acq_rel);
  }

  /// Shows the head again if somebody has overwritten it: producers that believe a wrong head find the ring full for
  /// ever. True if the head was wrong.
  bool repair_head() noexcept {
    if (header_->head.load(std::memory_order_relaxed) == head_) return false;
    header_->head.store(head_, std::memory_order_release);
    return true;
  }

  /// First half of falling asleep; after it the caller looks once more for anything to do.
  void prepare_sleep() noexcept { header_->sleeping.store(1, std::memory_order_seq_cst); }
  [[nodiscard]] bool still_empty() const noexcept {
    return slots_[head_ & mask_].load(std::memory_order_seq_cst) == unfilled(head_);
  }
  /// Sleeps until a producer (or wake()) clears the word, or the time-out.
  void sleep(std::int64_t timeout_ns) noexcept {
    futex_wait(&header_->sleeping, 1, timeout_ns);
    cancel_sleep();
  }
  void cancel_sleep() noexcept { header_->sleeping.store(0, std::memory_order_relaxed); }

  /// From any thread of the broker: wakes the sequencer.
  void wake() noexcept {
    if (header_->sleeping.exchange(0, std::memory_order_seq_cst) != 0) futex_wake(&header_->sleeping, 1);
  }

  void set_feed_state(FeedState state) noexcept { header_->feed_state.store(state, std::memory_order_release); }

 private:
  InboundHeader* header_ = nullptr;
  Atomic<std::uint64_t>* slots_ = nullptr;
  std::uint64_t mask_ = 0;
  unsigned lap_shift_ = 0;
  std::uint64_t head_ = 0;
  std::uint64_t newest_tail_ = 0;  // as far as the tail was seen to stand; stale once the head has passed it
};

}  // namespace leat::internal
