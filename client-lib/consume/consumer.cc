#include <leat/consumer.h>

#include "client-lib/consume/consumer_impl.h"

namespace leat {

Consumer::Consumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;
Consumer::~Consumer() = default;

Result<Consumer> Consumer::connect(ConsumerOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  if (auto checked = impl->check_options(); !checked) return checked.error();
  if (impl->options.name.empty()) impl->options.name = client::program_name();
  if (auto done = impl->open(); !done) return done.error();
  return Consumer(std::move(impl));
}

Poll Consumer::poll(EventView& out) { return impl_->poll(out); }
Poll Consumer::wait(EventView& out, Timeout timeout) { return impl_->wait(out, timeout.count()); }
const Reset& Consumer::last_reset() const noexcept { return impl_->reset; }
const Error& Consumer::last_error() const noexcept { return impl_->error; }
Cursor Consumer::cursor() const noexcept { return impl_->cursor(); }
bool Consumer::online() const noexcept { return impl_->is_online(); }
Result<int> Consumer::event_fd() { return impl_->event_fd(); }

Result<void> Consumer::save_cursor() {
  auto saved = impl_->ask_cursor(internal::MessageType::save_cursor);
  return saved ? Result<void>{} : Result<void>(saved.error());
}

Result<void> Consumer::save_cursor(const Cursor& place) {
  const Cursor here = cursor();
  if (place.sequence > here.sequence) {
    return Error{ErrorCode::invalid_argument, "a cursor cannot be saved at " + place.to_string() +
                                                  ": this consumer has come to " + here.to_string() +
                                                  " only; save the cursor of an event that it handed out"};
  }
  if (!impl_->is_of_this_feed(place)) {
    return Error{ErrorCode::invalid_argument,
                 "a cursor cannot be saved at " + place.to_string() +
                     ": its epoch is not of this "
                     "feed, or was lost there; save the cursor of an event that it handed out"};
  }
  auto saved = impl_->ask_cursor(internal::MessageType::save_cursor, place);
  return saved ? Result<void>{} : Result<void>(saved.error());
}

Result<void> Consumer::drop_cursor() {
  auto dropped = impl_->ask_cursor(internal::MessageType::drop_cursor);
  return dropped ? Result<void>{} : Result<void>(dropped.error());
}

ConsumerStats Consumer::stats() const noexcept {
  if (impl_->owner.is_here()) impl_->report_place();
  return impl_->stats;
}

std::uint64_t Consumer::latest_sequence() const noexcept { return impl_->latest_sequence(); }
std::uint64_t Consumer::earliest_sequence() const noexcept { return impl_->earliest_sequence(); }

const Ended& Consumer::ended() const noexcept { return impl_->ended; }
const Ended& Consumer::end_at(Poll found) { return impl_->end_at(found); }

Consumer::Iterator& Consumer::Iterator::operator++() {
  const Poll found = consumer_->wait(event_, std::chrono::nanoseconds::max());
  if (found != Poll::event) {
    (void)consumer_->end_at(found);
    consumer_ = nullptr;
  }
  return *this;
}

std::string Ended::to_string() const {
  switch (why) {
    case Why::stopped: break;
    case Why::reset: return reset.to_string();
    case Why::error: return error.message;
    case Why::idle: return "nothing came for as long as was to be waited";
  }
  return "stopped by the callback";
}

}  // namespace leat
