// A feed whose clients and broker are killed at chosen instructions: a real leatd, a neighbour that goes on publishing,
// and a consumer whose checker must stay content.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <leat/leat.h>

#include "support/broker_process.h"
#include "support/event_checker.h"

namespace leat::test {

/// A promise was broken.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Small events, so that a call has few instructions more than it must have.
inline constexpr SizeMix kSmallEvents{.max_bytes = 61, .always_max = true};

/// Throws Broken with `what` and the error's message.
template <typename T>
T need(Result<T> result, const std::string& what) {
  if (!result.ok()) throw Broken(what + ": " + result.error().message);
  return std::move(*result);
}

/// One thread. All producers publish generated events (EventChecker); producer 0 is the neighbour.
class AttackedFeed {
 public:
  static constexpr std::uint64_t kRingBytes = 4 * 1024;

  AttackedFeed(const std::string& tag, std::uint64_t seed, std::uint64_t segment_bytes);

  /// Starts leatd, connects neighbour and checker.
  void start();
  /// After a kill: starts leatd again.
  void restart();

  /// The neighbour publishes `events` and waits for the last one; the checker reads up to there. Returns its sequence.
  std::uint64_t go_on(std::uint64_t events = 1);
  /// The neighbour publishes without waiting.
  Receipt publish_only();
  /// The neighbour goes on until all that was in the ring has been written over.
  void lap() { (void)go_on(kRingBytes / 96); }
  /// The checker reads up to `sequence`.
  void check_up_to(std::uint64_t sequence);

  /// What has been delivered of a producer's events so far.
  [[nodiscard]] std::uint64_t delivered(std::uint32_t producer) const { return checker_.count_of(producer); }
  [[nodiscard]] std::uint64_t checked() const { return checker_.count(); }
  /// Notes that this is all that may ever come of `producer`.
  void close_books(std::uint32_t producer, std::uint64_t events);

  /// What the rings say, whether leatd runs or not.
  [[nodiscard]] std::uint64_t committed() const;     ///< newest sequence that is visible
  [[nodiscard]] std::uint64_t inbound_tail() const;  ///< the next ticket to take
  [[nodiscard]] std::uint64_t inbound_head() const;  ///< tickets below are done with

  /// All that is retained of the journal once more, the books, the counters and the log; then a clean stop.
  void finish();

  [[nodiscard]] FeedStatus status();
  [[nodiscard]] const std::string& seed_text() const { return seed_text_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  BrokerProcess& broker() { return broker_; }
  Producer& neighbour() { return *neighbour_; }

 private:
  std::uint64_t seed_;
  std::string seed_text_;
  BrokerProcess broker_;
  std::unique_ptr<Producer> neighbour_;
  std::unique_ptr<Consumer> consumer_;
  EventChecker checker_;
  Generated generated_;
  std::uint64_t next_number_ = 0;
  std::uint64_t epoch_ = 0;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> books_;
};

}  // namespace leat::test
