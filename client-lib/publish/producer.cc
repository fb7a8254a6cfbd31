#include <leat/producer.h>

#include <algorithm>

#include "publish/producer_impl.h"

namespace leat {

using namespace shm;

std::string_view to_string(Publish outcome) noexcept {
  switch (outcome) {
    case Publish::ok: return "published";
    case Publish::would_block: return "would block: arena or inbound ring full; try again, or wait with publish()";
    case Publish::too_large: return "too large: over the feed's max_event_bytes, or over half the arena";
    case Publish::bad_topic: return "bad topic: 1 to 255 printable bytes in non-empty tokens separated by dots";
    case Publish::bad_field: return "bad field: key or message id over 255 bytes, a bad batch size, or an open claim";
    case Publish::ephemeral: return "ephemeral: durable=false events never enter a feed";
    case Publish::feed_failed: return "the feed has failed and takes nothing any more; see the broker's log";
    case Publish::revoked: return "the broker has revoked this producer; see the broker's log";
    case Publish::used_after_fork: return "used after fork: this producer belongs to the parent process; connect anew here";
  }
  return "unknown outcome";
}

namespace {

constexpr std::int64_t kSpinNs = 20 * kNanosPerMicro;

ErrorCode code_of(Publish outcome) {
  switch (outcome) {
    case Publish::ok: return ErrorCode::ok;
    case Publish::would_block: return ErrorCode::would_block;
    case Publish::too_large: return ErrorCode::too_large;
    case Publish::bad_topic: return ErrorCode::bad_topic;
    case Publish::bad_field: return ErrorCode::invalid_argument;
    case Publish::ephemeral: return ErrorCode::ephemeral;
    case Publish::feed_failed: return ErrorCode::feed_failed;
    case Publish::revoked: return ErrorCode::revoked;
    case Publish::used_after_fork: return ErrorCode::used_after_fork;
  }
  return ErrorCode::invalid_argument;
}

Error error_of(Publish outcome, const Event& event) {
  if (outcome == Publish::bad_topic) return check_topic(event.topic).error();
  return {code_of(outcome), std::string(to_string(outcome))};
}

}  // namespace

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&&) noexcept = default;
Producer::~Producer() = default;

Result<Producer> Producer::connect(ProducerOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  impl->spinner = IdleSpinner(client::strategy_of(impl->options.idle), kSpinNs);
  if (impl->options.name.empty()) impl->options.name = client::program_name();
  if (auto done = impl->register_anew(client::to_timeout_ms(impl->options.connect_timeout)); !done) return done.error();
  return Producer(std::move(impl));
}

Publish Producer::try_publish(const Event& event, Receipt* receipt) noexcept {
  Impl& p = *impl_;
  std::size_t padded = 0;
  if (const Publish fault = p.check(event, event.payload.size(), padded); fault != Publish::ok) return p.refused(fault);
  std::byte* const room = p.arena.reserve(padded);
  if (room == nullptr) return p.refused(p.no_room());
  p.inbound.prefetch_next();
  encode_event(room, event, event.payload.size(), p.next_producer_sequence, 0);
  return p.publish_entry(static_cast<std::uint32_t>(padded), 1, receipt);
}

Publish Producer::try_publish_batch(std::span<const Event> events, Receipt* receipt) noexcept {
  Impl& p = *impl_;
  if (events.empty() || events.size() > kMaxBatchEvents) return p.refused(Publish::bad_field);
  std::uint64_t bytes = 0;
  std::size_t padded = 0;
  for (const Event& event : events) {
    if (const Publish fault = p.check(event, event.payload.size(), padded); fault != Publish::ok) {
      return p.refused(fault);
    }
    bytes += padded;
  }
  if (bytes > p.max_batch_bytes) return p.refused(Publish::too_large);
  std::byte* to = p.arena.reserve(bytes);
  if (to == nullptr) return p.refused(p.no_room());
  for (std::size_t i = 0; i < events.size(); ++i) {
    const Event& event = events[i];
    const bool last = i + 1 == events.size();
    encode_event(to, event, event.payload.size(), p.next_producer_sequence + i,
                 static_cast<std::uint16_t>(last ? 0 : kFlagMoreInBatch));
    to += padded_record_bytes(
        record_length(event.topic.size(), event.key.size(), event.message_id.size(), event.payload.size()));
  }
  return p.publish_entry(static_cast<std::uint32_t>(bytes), static_cast<std::uint32_t>(events.size()), receipt);
}

Publish Producer::claim(const Event& event, std::size_t payload_bytes, std::span<std::byte>& payload) noexcept {
  Impl& p = *impl_;
  std::size_t padded = 0;
  if (const Publish fault = p.check(event, payload_bytes, padded); fault != Publish::ok) return p.refused(fault);
  std::byte* const room = p.arena.reserve(padded);
  if (room == nullptr) return p.refused(p.no_room());
  Event fields = event;
  fields.payload = {};
  payload = {encode_event(room, fields, payload_bytes, p.next_producer_sequence, 0), payload_bytes};
  p.claim_open = true;
  p.claim_bytes = static_cast<std::uint32_t>(padded);
  return Publish::ok;
}

Publish Producer::commit(Receipt* receipt) noexcept {
  Impl& p = *impl_;
  if (!p.claim_open) return p.refused(Publish::bad_field);
  const Publish outcome = p.publish_entry(p.claim_bytes, 1, receipt);
  if (outcome == Publish::ok) p.claim_open = false;
  return outcome;
}

void Producer::abandon() noexcept { impl_->claim_open = false; }

Result<Receipt> Producer::publish(const Event& event) {
  Receipt receipt;
  const Publish outcome = impl_->until_deadline([&] { return try_publish(event, &receipt); });
  if (outcome == Publish::ok) return receipt;
  if (outcome == Publish::would_block) return impl_->full_error();
  return error_of(outcome, event);
}

Result<Receipt> Producer::publish(const Event& event, std::string_view key) {
  Event keyed = event;
  if (!key.empty()) keyed.key = key;
  return publish(keyed);
}

Result<Receipt> Producer::publish_batch(std::span<const Event> events) {
  Receipt receipt;
  const Publish outcome = impl_->until_deadline([&] { return try_publish_batch(events, &receipt); });
  if (outcome == Publish::ok) return receipt;
  if (outcome == Publish::would_block) return impl_->full_error();
  if (outcome != Publish::bad_topic) return Error{code_of(outcome), std::string(to_string(outcome))};
  const auto bad = std::ranges::find_if(events, [](const Event& event) { return !topic_is_valid(event.topic); });
  return check_topic(bad->topic).error();
}

Result<std::uint64_t> Producer::wait(const Receipt& receipt, Ack level, std::chrono::nanoseconds timeout) {
  if (level == Ack::accepted) return std::uint64_t{0};
  return impl_->wait(receipt, level, timeout.count());
}

Result<std::uint64_t> Producer::publish_and_wait(const Event& event, Ack level, std::chrono::nanoseconds timeout) {
  auto receipt = publish(event);
  if (!receipt) return receipt.error();
  return wait(*receipt, level, timeout);
}

std::uint32_t Producer::producer_id() const noexcept { return impl_->producer_id; }
std::uint64_t Producer::last_producer_sequence() const noexcept { return impl_->next_producer_sequence - 1; }
std::size_t Producer::max_event_bytes() const noexcept {
  return std::min<std::size_t>(impl_->max_record_bytes, max_entry_record_bytes(impl_->arena.capacity()));
}
std::size_t Producer::arena_bytes() const noexcept { return impl_->arena.capacity(); }
std::uint64_t Producer::refused_count() const noexcept { return impl_->refused_attempts; }

}  // namespace leat
