#include "tools/leat/publisher.h"

#include <algorithm>

#include "record/record.h"
#include "shm/ingest/arena_layout.h"
#include "tools/leat/stop_signal.h"

namespace leat::tool {
namespace {

using Clock = std::chrono::steady_clock;

/// How long accepted events are given to be refused, once all were handed over. A broker that is there needs
/// microseconds.
constexpr std::chrono::milliseconds kRefusalTime{1000};
/// While accepted events pile up in the arena of a broker that is away, it is asked for receipts only so often.
constexpr unsigned kPublishesPerLook = 256;
/// Once stopped by a signal, no receipt is waited for longer than this.
constexpr std::chrono::seconds kStoppedTimeout{2};

std::size_t arena_bytes_of(const Event& event) { return internal::entry_bytes(internal::record_bytes_of(event)); }

/// Published, and not seen to have come any further: nothing to be repeated.
bool is_not_yet(ErrorCode code) { return code == ErrorCode::timed_out || code == ErrorCode::pending; }

}  // namespace

EventBound event_bound(const Producer& producer) {
  const std::size_t bound = producer.max_event_bytes();
  const bool of_the_arena =
      bound < producer.arena_bytes() && bound + 2 * internal::kEntryAlignment > producer.arena_bytes() / 2;
  if (of_the_arena) {
    return {.text = std::to_string(bound) + " bytes that fit into half of a producer's arena",
            .advice = "raise leatd's --arena-bytes"};
  }
  return {.text = std::to_string(bound) + " bytes that an event may have", .advice = "raise leatd's --max-event-bytes"};
}

bool Publisher::is_about_one_event(ErrorCode code) noexcept {
  return code == ErrorCode::too_large || code == ErrorCode::bad_topic || code == ErrorCode::invalid_argument ||
         code == ErrorCode::refused;
}

Result<void> Publisher::publish(const Event& event, std::uint64_t number) {
  if (!event.durable) {
    ++totals_.ephemeral;
    return {};
  }
  const std::size_t bytes = arena_bytes_of(event);
  if (auto room = make_room(bytes); !room) return room;
  const auto deadline = Clock::now() + timeout_;
  auto receipt = producer_.publish(event);
  while (!receipt && receipt.error().code == ErrorCode::timed_out && stop_signal() == 0 && Clock::now() < deadline) {
    receipt = producer_.publish(event);
  }
  if (!receipt) {
    if (is_about_one_event(receipt.error().code)) ++totals_.refused;
    return receipt.error();
  }
  ++totals_.published;
  if (level_ == Ack::accepted) ++totals_.acknowledged;
  outstanding_.push_back({.receipt = *receipt, .number = number, .arena_bytes = bytes});
  outstanding_bytes_ += bytes;
  return {};
}

/// A receipt is held until a whole arena has been written after it; with a quarter outstanding and the next entry being
/// half an arena at most, none expires. Once full, half of the window is collected, so that one sleep serves many.
Result<void> Publisher::make_room(std::size_t arena_bytes) {
  const std::size_t most_bytes = producer_.arena_bytes() / 4;
  if (outstanding_.size() < kMaxOutstanding && outstanding_bytes_ + arena_bytes <= most_bytes) return {};
  if (level_ == Ack::accepted) {  // no wait: what the broker has not taken stays in the arena, and its receipt with it
    bytes_since_look_ += arena_bytes;
    if (++publishes_since_look_ < kPublishesPerLook && bytes_since_look_ < most_bytes / 2) return {};
    publishes_since_look_ = 0;
    bytes_since_look_ = 0;
    return collect_ready();
  }
  while (!outstanding_.empty() &&
         (outstanding_.size() > kMaxOutstanding / 2 || outstanding_bytes_ + arena_bytes > most_bytes / 2)) {
    if (auto done = collect_front(timeout_); !done) return done;
  }
  return {};
}

Result<std::uint64_t> Publisher::wait(const Receipt& receipt, Ack level, std::chrono::nanoseconds timeout) {
  const auto start = Clock::now();
  for (;;) {
    const auto limit = stop_signal() == 0 ? timeout : std::min<std::chrono::nanoseconds>(timeout, kStoppedTimeout);
    const std::chrono::nanoseconds left = start + limit - Clock::now();
    auto outcome = producer_.wait(receipt, level, std::clamp<std::chrono::nanoseconds>(left, {}, kStopSlice));
    if (outcome || !is_not_yet(outcome.error().code) || left <= kStopSlice) return outcome;
  }
}

Result<void> Publisher::collect_front(std::chrono::nanoseconds timeout) {
  // Later events have later sequences, so it is enough to wait for the last one to become durable; unless each is to be
  // told.
  const Ack level = level_ == Ack::durable && reached_ ? Ack::durable : Ack::committed;
  const auto outcome = wait(outstanding_.front().receipt, level, timeout);
  if (!outcome && is_not_yet(outcome.error().code)) return outcome.error();
  return settle(outcome);
}

Result<void> Publisher::settle(const Result<std::uint64_t>& outcome) {
  const Outstanding front = outstanding_.front();
  const bool accepted = level_ == Ack::accepted;
  if (outcome) {
    forget_front();
    last_committed_ = front.receipt;
    durable_pending_ = level_ == Ack::durable && !reached_;
    if (totals_.first_sequence == 0) totals_.first_sequence = *outcome;
    totals_.last_sequence = *outcome;
    ++committed_;
    if (!accepted && !durable_pending_) totals_.acknowledged = committed_;
    if (reached_) reached_(front.number, *outcome);
    return {};
  }
  if (accepted && outcome.error().code == ErrorCode::receipt_expired) {
    forget_front();  // committed long ago
    return {};
  }
  if (!is_about_one_event(outcome.error().code)) {
    if (accepted && !failed_)
      totals_.acknowledged -= outstanding_.size();  // what becomes of those is not known any more
    failed_ = true;
    return outcome.error();
  }
  forget_front();
  --totals_.published;
  if (accepted) --totals_.acknowledged;
  ++totals_.refused;
  refused_(front.number, outcome.error());
  // Were many refused in a row, the receipt kept for the durable level could expire.
  return wait_durable();
}

void Publisher::forget_front() {
  outstanding_bytes_ -= outstanding_.front().arena_bytes;
  outstanding_.pop_front();
}

Result<void> Publisher::wait_durable() {
  if (!durable_pending_) return {};
  if (const auto durable = wait(last_committed_, Ack::durable, timeout_); !durable) return durable.error();
  durable_pending_ = false;
  totals_.acknowledged = committed_;
  return {};
}

Result<void> Publisher::collect_ready() {
  while (!outstanding_.empty()) {
    auto done = collect_front({});
    if (!done) return is_not_yet(done.error().code) ? Result<void>() : done;
  }
  return {};
}

Result<void> Publisher::finish() {
  if (level_ == Ack::accepted) {
    const auto end = Clock::now() + std::min<std::chrono::nanoseconds>(timeout_, kRefusalTime);
    while (!outstanding_.empty()) {
      auto done = collect_front(std::max<std::chrono::nanoseconds>(end - Clock::now(), {}));
      if (!done) return is_not_yet(done.error().code) ? Result<void>() : done;
    }
    return {};
  }
  while (!outstanding_.empty()) {
    if (auto done = collect_front(timeout_); !done) return done;
  }
  return wait_durable();
}

}  // namespace leat::tool
