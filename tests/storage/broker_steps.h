// The real feed without its threads: its own start, its own stop, and between them the work of sequencer and syncer
// step by step, so that every run is the same.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <leat/result.h>

#include "broker/feed/feed.h"
#include "tests/unit/fixtures/one_feed.h"

namespace leat::test {

class BrokerSteps {
 public:
  explicit BrokerSteps(const broker::Options& options);
  ~BrokerSteps();

  Result<void> open();
  /// Publishes one batch and takes it in. False: there is no room, for want of a segment, and nothing was published.
  bool publish(const std::vector<Event>& events);
  /// What the sequencer does when it has nothing to do.
  void tidy();
  /// One round of the syncer.
  void sync();
  Result<void> save_cursor(const std::string& name, std::uint64_t sequence);
  /// A clean stop.
  Result<void> close();

  [[nodiscard]] std::uint64_t visible_sequence() const;
  [[nodiscard]] std::uint64_t durable_sequence() const;
  [[nodiscard]] std::uint64_t durable_position() const;
  [[nodiscard]] std::uint64_t earliest_sequence() const;
  [[nodiscard]] std::uint64_t epoch() const;
  [[nodiscard]] std::uint64_t recycled() const;
  [[nodiscard]] std::uint64_t segments() const;
  [[nodiscard]] bool stalled() const;

 private:
  internal::UniqueFd journal_fd_;
  internal::UniqueFd lock_fd_;
  std::unique_ptr<broker::Feed> feed_;
  std::optional<FeedProducer> producer_;
};

}  // namespace leat::test
