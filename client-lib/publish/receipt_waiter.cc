#include "client-lib/publish/receipt_waiter.h"

#include <algorithm>
#include <string>

#include "client-lib/connect/idle_strategy.h"
#include "client-lib/publish/outcome.h"
#include "record/record.h"

namespace leat::client {

using namespace internal;

namespace {

constexpr std::int64_t kSpinNs = 20 * kNanosPerMicro;
constexpr std::int64_t kMaxSleepNs = 20 * kNanosPerMilli;
constexpr std::uint32_t kLooksPerCheck = 64;

Error no_more_in_the_journal() {
  return {ErrorCode::closed,
          "the event is in the journal no more, or nothing proves it: the broker found less there than producers "
          "had been told, or the journal was repaired or replaced",
          "publish it again if it must not be missing (see leatd's log)"};
}

}  // namespace

ReceiptWaiter::ReceiptWaiter(BrokerLink& link, Losses& losses, Refusals& refusals, Idle idle)
    : link_(link), losses_(losses), refusals_(refusals), spinner_(strategy_of(idle), kSpinNs) {}

Error ReceiptWaiter::late_error(std::uint32_t reason) const {
  const char* const where = reason == kWaitDurable
                                ? "committed, but not durable within the time-out; see leatd's --sync"
                                : "not committed within the time-out; it is in the inbound ring and will be journaled";
  return {ErrorCode::pending,
          std::string(where) +
              (link_.broker_has_gone() ? " (the broker is away: this waits until leatd runs again)" : ""),
          "wait for it again, do not publish it again", Error::Join::colon};
}

// Sleeps until `done()` or the deadline. Errors: pending, refused, feed_failed, revoked, closed, or what bars the
// producer.
template <typename Done>
Result<void> ReceiptWaiter::sleep_until(const Receipt& receipt, std::uint32_t reason, Deadline deadline, Done done) {
  for (std::uint32_t looks = 1; !done(); ++looks) {
    const bool spinning = spinner_.keep_spinning();
    if (spinning && looks % kLooksPerCheck != 0) continue;
    if (link_.registration().is_revoked()) return error_of(Publish::revoked);
    if (link_.feed_has_failed()) return error_of(Publish::feed_failed);
    if (reason == kWaitCommitted && arena().passed_over(receipt.arena_position)) {
      return Error{ErrorCode::refused,
                   "the broker refused the event: a ticket that another process forged had been taken in its place",
                   "publish it again, and see in leatd's log who writes to the ring"};
    }
    link_.look();
    if (link_.is_barred()) return link_.barred_error();
    if (auto ours = check(receipt); !ours) return ours;
    const std::int64_t left_ns = deadline.left_ns();
    if (left_ns <= 0) {
      if (done()) break;
      return late_error(reason);
    }
    if (spinning) continue;
    const std::uint32_t seen = link_.registration().announce_wait(reason);
    if (done()) break;
    link_.registration().sleep(seen, std::min(left_ns, kMaxSleepNs));
  }
  spinner_.reset();
  return {};
}

Result<void> ReceiptWaiter::check(const Receipt& receipt) {
  const Registration& now = link_.registration();
  if (receipt.registration == now.id()) {
    const bool sound = receipt.arena_position % kEntryAlignment == 0 && receipt.arena_position < arena().tail() &&
                       receipt.events >= 1 && receipt.events <= kMaxEntryRecords;
    if (sound) return {};
    return Error{ErrorCode::invalid_argument,
                 "the receipt was altered: arena_position is " + std::to_string(receipt.arena_position) +
                     " (a multiple of " + std::to_string(kEntryAlignment) + " below " + std::to_string(arena().tail()) +
                     "), events is " + std::to_string(receipt.events) + " (1 to " + std::to_string(kMaxEntryRecords) +
                     ")",
                 "give wait() what publish() returned"};
  }
  if (losses_.is_former(receipt.registration)) {
    (void)losses_.report();  // by this error
    return Error{ErrorCode::closed, "the feed was begun anew while this event was in flight", "publish it again"};
  }
  if (receipt.registration == 0) {
    return Error{ErrorCode::invalid_argument, "an empty receipt: it names no event that was published"};
  }
  return Error{ErrorCode::invalid_argument,
               "the receipt is of another handle (its producer is " + std::to_string(receipt.producer_id) +
                   ", this one " + std::to_string(now.producer_id()) + "), or of another feed",
               "ask the handle that published the event"};
}

Result<std::uint64_t> ReceiptWaiter::await_committed(const Receipt& receipt, Deadline deadline) {
  if (!arena().held(receipt.arena_position)) {
    if (arena().lost(receipt.arena_position, ~0ULL)) return no_more_in_the_journal();
    return Error{ErrorCode::receipt_expired,
                 "the event is committed, but its sequence is no longer held: wait for it before another " +
                     std::to_string(arena().capacity()) + " bytes are published, or use a larger arena"};
  }
  std::uint64_t completion = 0;
  auto slept = sleep_until(receipt, kWaitCommitted, deadline, [&] {
    completion = arena().completion(receipt.arena_position);
    return completion_status(completion) != CompletionStatus::pending;
  });
  if (!slept) return slept.error();
  if (completion_status(completion) == CompletionStatus::refused) {
    return Refusals::error(static_cast<Refusal>(completion_value(completion)));
  }
  const std::uint64_t sequence = completion_value(completion);
  if (arena().lost(receipt.arena_position, sequence + receipt.events - 1)) return no_more_in_the_journal();
  return sequence;
}

Result<std::uint64_t> ReceiptWaiter::await_durable(const Receipt& receipt, std::uint64_t sequence, Deadline deadline) {
  const std::uint64_t last = sequence + receipt.events - 1;
  auto slept = sleep_until(receipt, kWaitDurable, deadline, [&] {
    return arena().header().durable_sequence.load(std::memory_order_acquire) >= last ||
           arena().lost(receipt.arena_position, last);
  });
  if (!slept) return slept.error();
  if (arena().lost(receipt.arena_position, last)) return no_more_in_the_journal();
  return sequence;
}

Result<std::uint64_t> ReceiptWaiter::await(const Receipt& receipt, Ack level, Deadline deadline) {
  for (;;) {
    auto sequence = await_committed(receipt, deadline);
    if (!sequence || level == Ack::committed) return sequence;
    if (auto durable = await_durable(receipt, *sequence, deadline); !durable) return durable;
    // A broker that found the event gone with the journal's end, and its entry still there, has taken it once more.
    if (arena().completion(receipt.arena_position) == pack_completion(CompletionStatus::committed, *sequence)) {
      return sequence;
    }
  }
}

bool ReceiptWaiter::was_refused(const Receipt& receipt) const noexcept {
  return receipt.registration == link_.registration().id() && arena().held(receipt.arena_position) &&
         completion_status(arena().completion(receipt.arena_position)) == CompletionStatus::refused;
}

Result<std::uint64_t> ReceiptWaiter::wait(const Receipt& receipt, Ack level, Deadline deadline) {
  if (!link_.is_ours()) return used_after_fork("producer");
  if (auto ours = check(receipt); !ours) return ours.error();
  if (level == Ack::accepted) return std::uint64_t{0};
  auto sequence = await(receipt, level, deadline);
  if (!sequence && sequence.error().code == ErrorCode::refused) {
    if (was_refused(receipt)) refusals_.note_reported(receipt);
    else refusals_.note_passed_over(receipt);
  }
  return sequence;
}

// The broker does not count such an entry, so no count says that it is missing. True once for each.
bool ReceiptWaiter::is_unreported_passing_over(const Receipt& newest) noexcept {
  if (was_refused(newest) || refusals_.is_reported(newest)) return false;
  refusals_.note_passed_over(newest);
  return true;
}

// The sequencer takes entries in order: with the newest, all of them have their outcome. A refusal of the newest is
// reported with all others that the caller has not heard of.
Result<void> ReceiptWaiter::flush(Ack level, Deadline deadline) {
  if (!link_.is_ours()) return used_after_fork("producer");
  link_.look();
  Result<void> newest;
  bool passed_over = false;
  if (link_.registration().has_published() && level != Ack::accepted) {
    auto waited = await(link_.registration().newest(), level, deadline);
    if (!waited && waited.error().code != ErrorCode::refused) return waited.error();
    passed_over = !waited && is_unreported_passing_over(link_.registration().newest());
    if (passed_over || (!waited && level == Ack::durable)) newest = waited.error();
  }
  if (losses_.report()) return losses_.error();
  if (auto refused = refusals_.report_all(link_.registration()); !refused) {
    return passed_over ? refused.error().with_advice("the newest event: " + newest.error().message) : refused.error();
  }
  return newest;
}

}  // namespace leat::client
