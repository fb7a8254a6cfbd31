#include "client-lib/publish/bounds.h"

#include <algorithm>
#include <string>

#include "record/record.h"
#include "shm/ingest/arena_layout.h"

namespace leat::client {

using namespace internal;

void Bounds::set(const WelcomeMessage& welcome, std::uint64_t arena_bytes) noexcept {
  const std::uint64_t arena_bound = max_entry_record_bytes(arena_bytes);
  arena_bytes_ = arena_bytes;
  feed_event_bytes_ = welcome.max_record_bytes;
  feed_batch_bytes_ = welcome.max_batch_bytes;
  event_bytes_ = std::min(feed_event_bytes_, arena_bound);
  batch_bytes_ = std::min(feed_batch_bytes_, arena_bound);
  update();
}

void Bounds::close_for(Obstacle obstacle) noexcept {
  obstacles_ |= static_cast<unsigned>(obstacle);
  update();
}

void Bounds::open_again(Obstacle obstacle) noexcept {
  obstacles_ &= ~static_cast<unsigned>(obstacle);
  update();
}

// Where the kernel gives no memory that a child finds zero, no event is admitted at once: the producer asks for each of
// them in which process it is.
void Bounds::update() noexcept {
  const bool closed = obstacles_ != 0 || !admitted_.is_wiped() || !owner_.is_here();
  admitted_.set(closed ? 0 : event_bytes_);
}

// Which of the bounds binds, and what raises that one: an advice that names another is worse than none.
Error Bounds::error_of(const char* what, std::uint64_t bytes, std::uint64_t feed_bound, const char* feed_option) const {
  const std::string text = std::string("too large: ") + what + " takes " + std::to_string(bytes) + " bytes, ";
  const std::uint64_t arena_bound = max_entry_record_bytes(arena_bytes_);
  if (feed_bound <= arena_bound) {
    return {ErrorCode::too_large, text + "the feed takes up to " + std::to_string(feed_bound),
            std::string("send less, or raise leatd's ") + feed_option};
  }
  return {ErrorCode::too_large,
          text + "this producer's arena of " + std::to_string(arena_bytes_) + " up to " + std::to_string(arena_bound) +
              " (half of it, less a header)",
          "send less, connect with a larger ProducerOptions::arena_bytes, or raise leatd's --arena-bytes"};
}

Error Bounds::too_large(const Event& event) const {
  return error_of("the record (48 bytes, topic, key, message id, headers and payload)", record_bytes_of(event),
                  feed_event_bytes_, "--max-event-bytes");
}

Error Bounds::too_large(std::span<const Event> batch) const {
  std::uint64_t largest = 0;
  std::uint64_t all = 0;
  for (const Event& event : batch) {
    const std::uint64_t bytes = record_bytes_of(event);
    largest = std::max(largest, bytes);
    all += bytes;
  }
  if (largest > event_bytes_) return error_of("an event of the batch", largest, feed_event_bytes_, "--max-event-bytes");
  return error_of("the batch", all, feed_batch_bytes_,
                  "--ring-bytes (a batch is at most a quarter of it) and --segment-bytes (one must hold it)");
}

}  // namespace leat::client
