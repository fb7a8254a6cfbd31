#include "broker/sequence/sequencer.h"

#include <sys/prctl.h>

#include <utility>

#include "base/clock.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr std::uint32_t kLooksPerTailCheck = 64;
constexpr std::uint32_t kRoundsPerCheck = 64;
constexpr std::int64_t kMaxSleepNs = 100 * kNanosPerMilli;

}  // namespace

Sequencer::Sequencer(const Options& options, SequencerParts parts, SequencerStart start)
    : options_(options),
      inbound_(*parts.inbound),
      handover_(*parts.handover),
      counters_(*parts.counters),
      condition_(*parts.handover, *parts.inbound, *parts.ring, *parts.counters, std::move(parts.failed)),
      lanes_(*parts.lanes, *parts.inbound, parts.producer_slots, parts.wake_control),
      log_(options,
           {.ring = *parts.ring,
            .journal = *parts.journal,
            .handover = *parts.handover,
            .registry = *parts.registry,
            .counters = *parts.counters,
            .next_producer_id = *parts.next_producer_id},
           {.position = start.position,
            .sequence = start.sequence,
            .last_timestamp_ns = start.last_timestamp_ns,
            .feed_seed = start.feed_seed},
           condition_),
      round_(options,
             {.inbound = *parts.inbound,
              .doorbell = *parts.doorbell,
              .handover = *parts.handover,
              .registry = *parts.registry,
              .counters = *parts.counters,
              .lanes = lanes_,
              .log = log_,
              .condition = condition_,
              .wake_control = parts.wake_control},
             start.feed_seed, std::move(start.tail)),
      repair_(options, *parts.inbound, *parts.counters, lanes_, round_, condition_) {}

Sequencer::~Sequencer() {
  if (thread_.joinable()) stop();
}

void Sequencer::start() {
  LEAT_ASSERT(!thread_.joinable());
  thread_ = std::thread([this] { run(); });
}

void Sequencer::stop() {
  stopping_.store(true, std::memory_order_release);
  inbound_.wake();
  thread_.join();
}

void Sequencer::run() {
  ::prctl(PR_SET_NAME, "sequencer");  // as `top -H` and a debugger show it
  IdleSpinner spinner(options_.idle, options_.idle_spin_us * kNanosPerMicro);
  while (!stopping_.load(std::memory_order_acquire)) {
    if (!step()) {
      idle(spinner);
      continue;
    }
    spinner.reset();
    empty_looks_ = 0;
    if (++rounds_ % kRoundsPerCheck == 0) {  // a feed that is never idle gets its chores done too
      do_chores();
      look_around();
    }
  }
  drain();
}

// What was published up to now is served; producers that go on meanwhile are the next broker's.
void Sequencer::drain() {
  const std::uint64_t until = inbound_.tail();
  const std::int64_t give_up_ns = monotonic_ns() + kNanosPerSecond;
  while (static_cast<std::int64_t>(until - inbound_.head()) > 0 && monotonic_ns() < give_up_ns) {
    if (!step() && !try_skip()) take_commands();
  }
  (void)take_lost_tickets();  // notices them
  while (take_lost_tickets()) {
  }
  round_.wake_all();
  take_commands();  // whoever has left until now is let go
}

void Sequencer::do_chores() {
  take_commands();
  write_pending_mark();
}

bool Sequencer::look_around() {
  if (!repair_.is_due()) return false;
  log_.look_at_clock();
  return repair_.repair();
}

void Sequencer::idle(IdleSpinner& spinner) {
  if (++empty_looks_ % kLooksPerTailCheck == 0) {
    do_chores();
    if (try_skip() || look_around()) return;
  }
  // Tickets that cannot be taken are nothing to look for: whatever the strategy, there is nothing to do until somebody
  // wakes us.
  const bool closed = condition_.is_closed();
  const bool held_back = condition_.is_stalled() || closed;
  if (!held_back && spinner.keep_spinning()) return;
  do_chores();
  if (try_skip() || look_around()) return;
  inbound_.prepare_sleep();
  const bool empty = inbound_.still_empty();
  if (!(empty || held_back) || has_other_work(closed)) {
    inbound_.cancel_sleep();
    return;
  }
  bump(counters_.sleeps);
  // While a ticket is taken but not filled, sleep no longer than it may stay so: its producer needs the core. Looked at
  // after prepare_sleep(): a producer behind that ticket which saw no need to wake us has taken its own before, so we
  // see both as taken, and nobody waits out our sleep because somebody else has died (I5).
  const bool ticket_open = empty && inbound_.taken(inbound_.head());
  inbound_.sleep(ticket_open ? options_.skip_wait_us * kNanosPerMicro : kMaxSleepNs);
}

// What another thread of the broker has asked for, or has made possible. Looked at after prepare_sleep().
bool Sequencer::has_other_work(bool closed) const {
  return lanes_.has_commands() || handover_.marks.read_available() > 0 ||
         (condition_.is_stalled() && !closed && !round_.is_held() && log_.can_roll_on()) ||
         stopping_.load(std::memory_order_seq_cst);
}

bool Sequencer::step() {
  if (!condition_.is_running() && !may_go_on()) [[unlikely]]
    return false;
  return round_.run();
}

// Called in any state but running. False: nothing may be taken.
bool Sequencer::may_go_on() {
  if (condition_.is_closed()) {
    round_.wake_deferred();
    return false;
  }
  return !round_.is_held() || round_.finish_held(false);
}

void Sequencer::write_pending_mark() {
  if (!log_.take_mark_requests() || round_.is_held() || condition_.is_failed()) return;
  round_.settle_journaled();
  if (!log_.write_owed_mark()) round_.hold(inbound_.head());
}

Result<std::uint64_t> Sequencer::append_clean_mark() {
  LEAT_ASSERT(!thread_.joinable());
  if (round_.is_held() && !round_.finish_held(true)) return log_.append_error();
  return log_.append_clean_mark();
}

}  // namespace leat::broker
