// How large the events and batches of a producer may be, and whether the producer takes any event at all.
#pragma once

#include <cstdint>
#include <span>

#include <leat/event.h>
#include <leat/result.h>

#include "base/process_mark.h"
#include "shm/control/control_layout.h"

namespace leat::client {

/// The least of what feed and arena allow. The hot path compares each event with one word. In a fork's child, and while
/// an obstacle stands, that word is 0 and admits no event. One thread.
class Bounds {
 public:
  /// What keeps out all events, whatever their size.
  enum class Obstacle : std::uint8_t {
    open_claim = 1,       ///< the arena's next room is given away
    unreported_loss = 2,  ///< the caller hears of it before anything else is published
    barred = 4,           ///< the ring is served no more, and the broker does not let this producer into the new one
  };

  [[nodiscard]] bool admits(std::uint64_t padded_bytes) const noexcept { return padded_bytes <= admitted_.get(); }
  [[nodiscard]] bool admits_batch(std::uint64_t bytes) const noexcept { return bytes <= batch_bytes_; }

  /// What a broker allows to a producer whose arena has `arena_bytes`.
  void set(const internal::WelcomeMessage& welcome, std::uint64_t arena_bytes) noexcept;
  void close_for(Obstacle obstacle) noexcept;
  void open_again(Obstacle obstacle) noexcept;

  /// Of a record, padded; also while no event is admitted.
  [[nodiscard]] std::uint64_t event_bytes() const noexcept { return event_bytes_; }
  [[nodiscard]] std::uint64_t batch_bytes() const noexcept { return batch_bytes_; }

  /// Which bound the event, or the batch or one of its events, is over, and what raises that bound.
  [[nodiscard]] Error too_large(const Event& event) const;
  [[nodiscard]] Error too_large(std::span<const Event> batch) const;

 private:
  void update() noexcept;
  [[nodiscard]] Error error_of(const char* what, std::uint64_t bytes, std::uint64_t feed_bound,
                               const char* feed_option) const;

  internal::WipedWord admitted_;  // event_bytes_, or 0
  std::uint64_t event_bytes_ = 0;
  std::uint64_t batch_bytes_ = 0;
  std::uint64_t feed_event_bytes_ = 0;  // what the feed alone would allow
  std::uint64_t feed_batch_bytes_ = 0;
  std::uint64_t arena_bytes_ = 0;
  unsigned obstacles_ = 0;
  internal::ProcessOwner owner_;
};

}  // namespace leat::client
