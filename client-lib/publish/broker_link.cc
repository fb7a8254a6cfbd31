#include "client-lib/publish/broker_link.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/deadline.h"

namespace leat::client {

using namespace internal;

namespace {

constexpr std::int64_t kResumeRetryNs = 100 * kNanosPerMilli;
constexpr std::int64_t kAnswerPatienceNs = 10 * kNanosPerMilli;  // of a broker that was just reached
constexpr std::int64_t kBoundsPatienceNs = kNanosPerSecond;      // of the same: one that is silent for longer hangs
constexpr std::int64_t kAttemptNs = 5 * kNanosPerSecond;
constexpr std::int64_t kConnectionLookNs = 50 * kNanosPerMilli;
// The smallest entry takes 128 bytes: no more than 64 calls between two looks.
constexpr std::uint64_t kMostStrideBytes = 8192;
constexpr std::uint64_t kLeastStrideBytes = 512;

void say_leave(const Connection& connection) noexcept {
  if (!connection.socket.valid()) return;
  const BareMessage leave{.header = make_header(MessageType::leave, sizeof(BareMessage))};
  (void)send_message(connection.socket.get(), &leave, sizeof leave, Deadline::after_ns(0)).ok();
}

}  // namespace

BrokerLink::BrokerLink(const ProducerOptions& options, const Dependents& dependents)
    : options_(options), dependents_(dependents) {}

// A connection that just ends might have been lost. A fork's child has the parent's connection too, and must not speak
// on it.
BrokerLink::~BrokerLink() {
  if (owner_.is_here()) say_leave(connection_);
}

Result<void> BrokerLink::open() {
  auto resolved = Endpoint::resolve(options_.address);
  if (!resolved) return resolved.error();
  endpoint_ = std::move(*resolved);
  auto connected = connect_to_broker({.endpoint = &endpoint_,
                                      .role = Role::producer,
                                      .name = options_.name,
                                      .arena_bytes = options_.arena_bytes,
                                      .timeout_ms = to_timeout_ms(options_.connect_timeout)});
  if (!connected) return connected.error();
  return take_registration(std::move(*connected));
}

// Upon an error the producer has what it had. What the old registration's brokers have not answered for is lost.
Result<void> BrokerLink::take_registration(Connection connected) {
  auto fresh = Registration::map(connected);
  if (!fresh) {
    say_leave(connected);  // so that the slot is free at once
    return fresh.error();
  }
  connected.fds.clear();  // the mappings stay; nobody can get at the files through this process
  Registration former = std::exchange(registration_, std::move(*fresh));
  if (former.is_mapped()) {
    dependents_.losses.give_up(former);
    dependents_.refusals.give_up(former);
    dependents_.claim.keep(former.take_arena());
  }
  dependents_.bounds.set(connected.welcome, registration_.arena().capacity());
  connection_ = std::move(connected);
  last_failure_.reset();
  bar({});
  return {};
}

void BrokerLink::look() noexcept {
  const std::int64_t now = monotonic_ns();
  const bool quiet = now - last_look_ns_ > quiet_ns_;
  last_look_ns_ = now;
  stride_bytes_ = quiet ? 0 : std::clamp(2 * stride_bytes_, kLeastStrideBytes, kMostStrideBytes);
  if (registration_.shows_other_broker() || registration_.inbound().retired() || attempt_) return meet_successor(now);
  if (now < next_connection_look_ns_) return;
  next_connection_look_ns_ = now + kConnectionLookNs;
  if (broker_has_gone()) meet_successor(now);
}

// Waits kAnswerPatienceNs for the answer of a broker that was reached just now, never for anything else.
void BrokerLink::meet_successor(std::int64_t now_ns) noexcept {
  try {
    if (attempt_) return continue_attempt(now_ns, 0);
    // An incarnation that was not seen before is a broker that can be reached: no time is to be lost before its bounds
    // are known.
    const std::uint64_t incarnation = registration_.inbound().broker_life();
    if ((now_ns < next_resume_ns_ && incarnation == attempted_incarnation_) || !broker_has_gone()) return;
    next_resume_ns_ = now_ns + kResumeRetryNs;
    attempted_incarnation_ = incarnation;
    // Retired rings are gone for good (another feed, or a feed begun anew): what was in flight was never taken.
    begin_attempt(now_ns, !registration_.inbound().retired());
    if (attempt_) continue_attempt(now_ns, kAnswerPatienceNs);
  } catch (const std::bad_alloc&) {
    attempt_.reset();  // tried again a little later
  }
}

void BrokerLink::begin_attempt(std::int64_t now_ns, bool resumes) {
  auto begun = Connecting::begin({.endpoint = &endpoint_,
                                  .role = Role::producer,
                                  .name = options_.name,
                                  .arena_bytes = options_.arena_bytes,
                                  .resume_slot = resumes ? registration_.slot() : 0,
                                  .resume_token = resumes ? connection_.welcome.token : 0},
                                 Deadline::after_ns(0));
  if (!begun) {
    last_failure_ = begun.error();
    return bar({});  // the broker that refused this producer is gone
  }
  attempt_ = Attempt{.connecting = std::move(*begun), .resumes = resumes, .deadline_ns = now_ns + kAttemptNs};
}

void BrokerLink::continue_attempt(std::int64_t now_ns, std::int64_t patience_ns) {
  auto answer = attempt_->connecting.finish(Deadline::after_ns(patience_ns));
  if (answer && !*answer) {
    if (now_ns < attempt_->deadline_ns) return;
    answer =
        Error{ErrorCode::timed_out, "the broker of feed '" + endpoint_.feed + "' does not answer", "is it stopped?"};
  }
  const bool resumed = attempt_->resumes;
  attempt_.reset();
  take_answer(now_ns, patience_ns, resumed, std::move(answer));
}

void BrokerLink::take_answer(std::int64_t now_ns, std::int64_t patience_ns, bool resumed,
                             Result<std::optional<Connection>> answer) {
  if (answer) {
    if (resumed) return take_resumed(std::move(**answer));
    if (auto taken = take_registration(std::move(**answer)); !taken) last_failure_ = taken.error();
    return;
  }
  if (!resumed) return note_refusal(answer.error());
  if (answer.error().code != ErrorCode::refused) {
    last_failure_ = answer.error();
    return;
  }
  // This broker has lost what the last one knew of the producer (somebody removed the files): nobody looks into this
  // arena any more. Receipts of what is in flight say so (`closed`), and what comes next goes into a new arena.
  begin_attempt(now_ns, false);
  if (attempt_) continue_attempt(now_ns, patience_ns);
}

void BrokerLink::take_resumed(Connection connected) {
  if (connected.welcome.resumed != 1) return;
  registration_.go_on_under(connected.welcome.broker_life);
  dependents_.bounds.set(connected.welcome, registration_.arena().capacity());
  connection_ = std::move(connected);
  last_failure_.reset();
}

// A broker that grants no arena of this size will not grant one a moment later either: nothing more is accepted into a
// ring that nobody serves, and all calls that wait say so.
void BrokerLink::note_refusal(const Error& refusal) {
  last_failure_ = refusal;
  std::optional<Error> why;
  if (refusal.code == ErrorCode::invalid_argument) why = refusal;
  bar(std::move(why));
}

// Nothing: lets the producer publish again.
void BrokerLink::bar(std::optional<Error> why) {
  barred_ = std::move(why);
  if (barred_) dependents_.bounds.close_for(Bounds::Obstacle::barred);
  else dependents_.bounds.open_again(Bounds::Obstacle::barred);
}

bool BrokerLink::bounds_are_coming(std::int64_t now_ns) const noexcept {
  return attempt_ && now_ns < attempt_->deadline_ns - kAttemptNs + kBoundsPatienceNs;
}

// Any producer can write the ring's word; into this arena only the broker writes. A broker that died of a disk error
// had no time to write that into each arena, but then its connection is gone.
bool BrokerLink::failure_is_real() const noexcept { return registration_.has_failed() || broker_has_gone(); }

std::string BrokerLink::broker_is_away() const {
  if (!broker_has_gone()) return {};
  // What its successor, or whoever stands in its place, has answered says more.
  const bool answered = last_failure_ && last_failure_->code != ErrorCode::no_broker;
  return "the broker is away: " + (answered ? last_failure_->message : std::string("restart leatd"));
}

Error BrokerLink::barred_error() const {
  return barred_->in("the feed was begun anew, and its broker does not let this producer in again")
      .with_advice(
          "until then nothing is published, and what no broker had answered for waits where nobody serves it (see "
          "lost_count)");
}

Error BrokerLink::full_error() const {
  if (barred_) return barred_error();
  const std::string away = broker_is_away();
  return {ErrorCode::timed_out,
          std::string("no room for the event within publish_timeout, and it was not published: the arena (") +
              std::to_string(registration_.arena().capacity()) + " bytes) or the inbound ring is full",
          (away.empty() ? "the broker is behind: see leat stat, or raise arena_bytes" : away)};
}

}  // namespace leat::client
