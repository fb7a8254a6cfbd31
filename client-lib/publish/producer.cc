#include <leat/producer.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include <leat/topic_filter.h>

#include "client-lib/connect/idle_strategy.h"
#include "client-lib/publish/outcome.h"
#include "client-lib/publish/producer_impl.h"

namespace leat {

using namespace internal;

namespace {

constexpr std::int64_t kSpinNs = 20 * kNanosPerMicro;

std::uint64_t record_bytes_of(const Event& event) {
  return padded_record_bytes(
      record_length(event.topic.size(), event.key.size(), event.message_id.size(), event.payload.size()));
}

// Which of the bounds binds, and what raises that one: an advice that names another is worse than none.
Error too_large_error(const std::string& what, std::uint64_t bytes, std::uint64_t feed_bound, std::uint64_t arena_bytes,
                      const char* feed_option) {
  const std::string text = "too large: " + what + " takes " + std::to_string(bytes) + " bytes, ";
  if (feed_bound <= max_entry_record_bytes(arena_bytes)) {
    return {ErrorCode::too_large, text + "the feed takes up to " + std::to_string(feed_bound),
            std::string("send less, or raise leatd's ") + feed_option};
  }
  return {ErrorCode::too_large,
          text + "this producer's arena of " + std::to_string(arena_bytes) + " up to " +
              std::to_string(max_entry_record_bytes(arena_bytes)) + " (half of it, less a header)",
          "send less, connect with a larger ProducerOptions::arena_bytes, or raise leatd's --arena-bytes"};
}

}  // namespace

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&&) noexcept = default;
Producer::~Producer() = default;

namespace {

Result<void> check_options(const ProducerOptions& options) {
  if (auto done = client::check_name(options.name); !done) return done;
  if (auto done = client::check_timeout("publish_timeout", options.publish_timeout); !done) return done;
  if (auto done = client::check_timeout("connect_timeout", options.connect_timeout); !done) return done;
  if (options.arena_bytes == 0) return {};
  if (options.arena_bytes >= kMinArenaBytes && options.arena_bytes <= kMaxArenaBytes) return {};
  return Error{ErrorCode::invalid_argument, "an arena of " + std::to_string(options.arena_bytes) +
                                                " bytes (arena_bytes) is out of bounds (" +
                                                std::to_string(kMinArenaBytes) + " to " +
                                                std::to_string(kMaxArenaBytes) + ", or 0 for leatd's default)"};
}

}  // namespace

Result<Producer> Producer::connect(ProducerOptions options) {
  if (auto done = check_options(options); !done) return done.error();
  try {
    auto impl = std::make_unique<Impl>();
    impl->options = std::move(options);
    impl->spinner = IdleSpinner(client::strategy_of(impl->options.idle), kSpinNs);
    if (impl->options.name.empty()) impl->options.name = client::program_name();
    auto endpoint = client::Endpoint::resolve(impl->options.address);
    if (!endpoint) return endpoint.error();
    impl->endpoint = std::move(*endpoint);
    auto done = impl->register_anew(client::to_timeout_ms(impl->options.connect_timeout));
    if (!done) return done.error();
    return Producer(std::move(impl));
  } catch (const std::bad_alloc&) {
    return system_error(ENOMEM, "connecting a producer");
  }
}

Publish Producer::try_publish(const Event& event, Receipt* receipt) noexcept {
  Impl& p = *impl_;
  std::size_t padded = 0;
  if (const Publish fault = p.check(event, event.payload.size(), padded); fault != Publish::ok) return p.refused(fault);
  std::byte* const room = p.reserve(padded);
  if (room == nullptr) return p.refused(p.no_room_because);
  p.inbound.prefetch_next();
  encode_event(room, event, event.payload.size(), p.next_producer_sequence, 0);
  return p.publish_entry(static_cast<std::uint32_t>(padded), 1, receipt);
}

Publish Producer::try_publish_batch(std::span<const Event> events, Receipt* receipt) noexcept {
  Impl& p = *impl_;
  if (events.empty() || events.size() > kMaxBatchEvents) return p.refused(p.fault(Publish::bad_field));
  std::uint64_t bytes = 0;
  std::size_t padded = 0;
  for (const Event& event : events) {
    if (const Publish fault = p.check(event, event.payload.size(), padded); fault != Publish::ok) {
      return p.refused(fault);
    }
    bytes += padded;
  }
  if (bytes > p.max_batch_bytes) return p.refused(Publish::too_large);
  std::byte* to = p.reserve(bytes);
  if (to == nullptr) return p.refused(p.no_room_because);
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
  return impl_->claim(event, payload_bytes, payload);
}
Publish Producer::commit(Receipt* receipt) noexcept { return impl_->commit(receipt); }
void Producer::abandon() noexcept { impl_->abandon(); }

Error Producer::error_of(Publish outcome, const Event& event) const {
  if (outcome == Publish::would_block) return impl_->full_error();
  if (outcome == Publish::earlier_lost) return impl_->lost_error();
  if (outcome == Publish::used_after_fork) return client::used_after_fork("producer");
  if (outcome == Publish::bad_topic) return check_topic(event.topic).error();
  return client::error_of(outcome);
}

Result<Receipt> Producer::publish(const Event& event) {
  Receipt receipt;
  const auto deadline = Deadline::after(impl_->options.publish_timeout);
  const Publish outcome = impl_->until(deadline, [&] { return try_publish(event, &receipt); });
  if (outcome == Publish::too_large) {
    return too_large_error("the record (48 bytes, topic, key, message id and payload)", record_bytes_of(event),
                           impl_->max_record_bytes, impl_->arena.capacity(), "--max-event-bytes");
  }
  return outcome == Publish::ok ? Result<Receipt>(receipt) : error_of(outcome, event);
}

Result<Receipt> Producer::publish(const Event& event, std::string_view key) {
  Event keyed = event;
  if (!key.empty()) keyed.key = key;
  return publish(keyed);
}

Result<Receipt> Producer::publish_batch(std::span<const Event> events) {
  Receipt receipt;
  const auto deadline = Deadline::after(impl_->options.publish_timeout);
  const Publish outcome = impl_->until(deadline, [&] { return try_publish_batch(events, &receipt); });
  if (outcome == Publish::ok) return receipt;
  if (outcome == Publish::too_large) {
    const auto largest = std::ranges::max(events, {}, record_bytes_of);
    const std::uint64_t bound = std::min(impl_->max_record_bytes, max_entry_record_bytes(impl_->arena.capacity()));
    if (const std::uint64_t bytes = record_bytes_of(largest); bytes > bound) {
      return too_large_error("an event of the batch", bytes, impl_->max_record_bytes, impl_->arena.capacity(),
                             "--max-event-bytes");
    }
    std::uint64_t bytes = 0;
    for (const Event& event : events) bytes += record_bytes_of(event);
    return too_large_error("the batch", bytes, impl_->max_feed_batch_bytes, impl_->arena.capacity(),
                           "--ring-bytes (a batch is at most a quarter of it) and --segment-bytes (one must hold it)");
  }
  if (outcome != Publish::bad_topic) return error_of(outcome, {});
  const auto bad = std::ranges::find_if(events, [](const Event& event) { return !topic_is_valid(event.topic); });
  return check_topic(bad->topic).error();
}

Result<std::uint64_t> Producer::wait(const Receipt& receipt, Ack level, Timeout timeout) {
  return impl_->wait(receipt, level, Deadline::after(timeout));
}

Result<std::uint64_t> Producer::publish_and_wait(const Event& event, Ack level, Timeout timeout, Receipt* receipt) {
  Receipt own;
  Receipt& published = receipt != nullptr ? *receipt : own;
  published = {};
  const auto deadline = Deadline::after(timeout);
  const auto for_room = Deadline::after_ns(std::min(timeout.count(), impl_->options.publish_timeout.count()));
  const Publish outcome = impl_->until(for_room, [&] { return try_publish(event, &published); });
  if (outcome != Publish::ok) return error_of(outcome, event);
  return impl_->wait(published, level, deadline);
}

Result<void> Producer::flush(Ack level, Timeout timeout) { return impl_->flush(level, Deadline::after(timeout)); }

std::uint32_t Producer::producer_id() const noexcept { return impl_->producer_id; }
std::uint64_t Producer::last_producer_sequence() const noexcept { return impl_->next_producer_sequence - 1; }
std::size_t Producer::max_event_bytes() const noexcept {
  if (impl_->owner.is_here() && impl_->inbound.broker_life() != impl_->broker_life) impl_->look();
  return impl_->max_padded_bytes;
}
std::size_t Producer::arena_bytes() const noexcept { return impl_->arena.capacity(); }
std::uint64_t Producer::refused_count() const noexcept { return impl_->refused_attempts; }
std::uint64_t Producer::refused_after_accept() const noexcept {
  return impl_->owner.is_here() ? impl_->refusals() : impl_->former_refusals;
}
std::uint64_t Producer::lost_count() const noexcept { return impl_->lost_events; }

}  // namespace leat
