#include <leat/producer.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string>
#include <utility>

#include "client-lib/connect/connection.h"
#include "client-lib/publish/event_fields.h"
#include "client-lib/publish/producer_impl.h"

namespace leat {

using namespace internal;

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

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&&) noexcept = default;
Producer::~Producer() = default;

Result<Producer> Producer::connect(ProducerOptions options) {
  if (auto done = check_options(options); !done) return done.error();
  try {
    if (options.name.empty()) options.name = client::program_name();
    auto impl = std::make_unique<Impl>(std::move(options));
    if (auto done = impl->open(); !done) return done.error();
    return Producer(std::move(impl));
  } catch (const std::bad_alloc&) {
    return system_error(ENOMEM, "connecting a producer");
  }
}

Publish Producer::try_publish(const Event& event, Receipt* receipt) noexcept {
  return impl_->try_publish(event, receipt);
}
Publish Producer::try_publish_batch(std::span<const Event> events, Receipt* receipt) noexcept {
  return impl_->try_publish_batch(events, receipt);
}
Publish Producer::claim(const Event& event, std::size_t payload_bytes, std::span<std::byte>& payload) noexcept {
  return impl_->claim(event, payload_bytes, payload);
}
Publish Producer::commit(Receipt* receipt) noexcept { return impl_->commit(receipt); }
void Producer::abandon() noexcept { impl_->abandon(); }

Error Producer::error_of(Publish outcome, const Event& event) const { return impl_->error_of(outcome, event); }

Result<Receipt> Producer::publish(const Event& event) {
  Receipt receipt;
  const auto deadline = Deadline::after(impl_->options().publish_timeout);
  const Publish outcome = impl_->until(deadline, [&] { return try_publish(event, &receipt); });
  if (outcome == Publish::too_large) return impl_->bounds().too_large(event);
  return outcome == Publish::ok ? Result<Receipt>(receipt) : error_of(outcome, event);
}

Result<Receipt> Producer::publish(const Event& event, std::string_view key) {
  Event keyed = event;
  if (!key.empty()) keyed.key = key;
  return publish(keyed);
}

Result<Receipt> Producer::publish_batch(std::span<const Event> events) {
  Receipt receipt;
  const auto deadline = Deadline::after(impl_->options().publish_timeout);
  const Publish outcome = impl_->until(deadline, [&] { return try_publish_batch(events, &receipt); });
  if (outcome == Publish::ok) return receipt;
  if (outcome == Publish::too_large) return impl_->bounds().too_large(events);
  const auto bad = std::ranges::find_if(events, [&](const Event& event) {
    return outcome == Publish::bad_topic ? !topic_is_valid(event.topic) : !client::check_fields(event);
  });
  return error_of(outcome, bad == events.end() ? Event{} : *bad);
}

Result<std::uint64_t> Producer::wait(const Receipt& receipt, Ack level, Timeout timeout) {
  return impl_->receipts().wait(receipt, level, Deadline::after(timeout));
}

Result<std::uint64_t> Producer::publish_and_wait(const Event& event, Ack level, Timeout timeout, Receipt* receipt) {
  Receipt own;
  Receipt& published = receipt != nullptr ? *receipt : own;
  published = {};
  const auto deadline = Deadline::after(timeout);
  const auto for_room = Deadline::after_ns(std::min(timeout.count(), impl_->options().publish_timeout.count()));
  const Publish outcome = impl_->until(for_room, [&] { return try_publish(event, &published); });
  if (outcome != Publish::ok) return error_of(outcome, event);
  return impl_->receipts().wait(published, level, deadline);
}

Result<void> Producer::flush(Ack level, Timeout timeout) {
  return impl_->receipts().flush(level, Deadline::after(timeout));
}

std::uint32_t Producer::producer_id() const noexcept { return impl_->registration().producer_id(); }
std::uint64_t Producer::last_producer_sequence() const noexcept {
  return impl_->registration().producer_sequence() - 1;
}
std::size_t Producer::max_event_bytes() const noexcept { return impl_->max_event_bytes(); }
std::size_t Producer::arena_bytes() const noexcept { return impl_->registration().arena().capacity(); }
std::uint64_t Producer::refused_count() const noexcept { return impl_->refused_attempts(); }
std::uint64_t Producer::refused_after_accept() const noexcept { return impl_->refused_after_accept(); }
std::uint64_t Producer::lost_count() const noexcept { return impl_->losses().events(); }

}  // namespace leat
