// Checks a stream of generated events: sequences without gap, each producer's order, every byte.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <leat/event.h>

#include "support/payload.h"

namespace leat::test {

/// What generated events look like: topic "stress.p<producer>", key "p<producer>", message id the number in decimal.
struct Generated {
  std::string topic;
  std::string key;
  std::string message_id;
  std::string buffer;

  /// Fills in the event `number` (0, 1, ...) of `producer`. Valid until the next call.
  Event make(std::uint64_t seed, std::uint32_t producer, std::uint64_t number, const SizeMix& mix);
};

/// Feed it every event in the order in which they are delivered.
class EventChecker {
 public:
  EventChecker(std::uint64_t seed, SizeMix mix) : seed_(seed), mix_(mix) {}

  /// False on the first thing that is wrong; error() then says what. Later calls keep saying false.
  bool take(const EventView& event);

  /// The next sequence that must come; 0 (the start) takes any.
  void expect_sequence(std::uint64_t sequence) { next_sequence_ = sequence; }
  /// The stream begins anywhere: with any sequence, and each producer's events with any number.
  void start_anywhere() {
    anywhere_ = true;
    next_sequence_ = 0;
  }
  [[nodiscard]] std::uint64_t next_sequence() const noexcept { return next_sequence_; }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t count_of(std::uint32_t producer) const;
  [[nodiscard]] const std::string& error() const noexcept { return error_; }

 private:
  bool fail(const EventView& event, const std::string& what);

  std::uint64_t seed_;
  SizeMix mix_;
  std::uint64_t next_sequence_ = 0;
  bool anywhere_ = false;
  std::int64_t last_timestamp_ns_ = 0;
  std::uint64_t count_ = 0;
  std::map<std::uint32_t, std::uint64_t> next_number_;
  Generated expected_;
  std::string error_;
};

}  // namespace leat::test
