#include <leat/consumer.h>

#include <string>
#include <utility>

#include "client-lib/consume/consumer_impl.h"
#include "client-lib/consume/consumer_options.h"

namespace leat {

Consumer::Consumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;
Consumer::~Consumer() = default;

Result<Consumer> Consumer::connect(ConsumerOptions options) {
  if (auto checked = client::check_options(options); !checked) return checked.error();
  if (options.name.empty()) options.name = client::program_name();
  auto impl = std::make_unique<Impl>(std::move(options));
  if (auto done = impl->open(); !done) return done.error();
  return Consumer(std::move(impl));
}

Poll Consumer::poll(EventView& out) { return impl_->poll(out); }
Poll Consumer::wait(EventView& out, Timeout timeout) { return impl_->wait(out, timeout.count()); }
const Reset& Consumer::last_reset() const noexcept { return impl_->reader().last_reset(); }
const Error& Consumer::last_error() const noexcept { return impl_->reader().last_error(); }
Cursor Consumer::cursor() const noexcept { return impl_->reader().cursor(); }
bool Consumer::online() const noexcept { return impl_->is_online(); }
Result<int> Consumer::event_fd() { return impl_->event_fd(); }

Result<void> Consumer::save_cursor() { return impl_->save_cursor(); }

Result<void> Consumer::save_cursor(const Cursor& place) {
  const Cursor here = cursor();
  if (place.sequence > here.sequence) {
    return Error{ErrorCode::invalid_argument,
                 "a cursor cannot be saved at " + place.to_string() + ": this consumer has come to " +
                     here.to_string() + " only",
                 "save the cursor of an event that it handed out"};
  }
  if (!impl_->reader().is_of_this_feed(place)) {
    return Error{ErrorCode::invalid_argument,
                 "a cursor cannot be saved at " + place.to_string() +
                     ": its epoch is not of this feed, or was lost there",
                 "save the cursor of an event that it handed out"};
  }
  return impl_->save_cursor(place);
}

Result<void> Consumer::drop_cursor() { return impl_->drop_cursor(); }

ConsumerStats Consumer::stats() const noexcept {
  client::EventReader& reader = impl_->reader();
  if (reader.is_ours()) reader.report_place();
  return reader.stats();
}

std::uint64_t Consumer::latest_sequence() const noexcept { return impl_->latest_sequence(); }
std::uint64_t Consumer::earliest_sequence() const noexcept { return impl_->earliest_sequence(); }

const Ended& Consumer::ended() const noexcept { return impl_->reader().ended(); }
const Ended& Consumer::end_at(Poll found) { return impl_->reader().end_at(found); }

Consumer::Iterator& Consumer::Iterator::operator++() {
  const Poll found = consumer_->wait(event_, std::chrono::nanoseconds::max());
  if (found != Poll::event) {
    (void)consumer_->end_at(found);
    consumer_ = nullptr;
  }
  return *this;
}

}  // namespace leat
