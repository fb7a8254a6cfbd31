// The books of a run: what came in against what went out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <leat/event.h>

#include "tools/demo/producer_processes.h"

namespace leat::demo {

/// One promise and whether it was kept.
struct Check {
  std::string name;
  bool passed = false;
  std::string detail;  ///< the numbers; for a failed check the first thing that was wrong
};

/// Takes every event that the consumer receives. Bounded: one counter a producer and a topic, one flag a line.
/// `lines` and `producers` must outlive it; what the producers say of themselves is read only by checks().
class Ledger {
 public:
  Ledger(const std::vector<std::string_view>& lines, const std::vector<ProducerProcess>& producers);

  /// Returns whether the event is one of this run's producers'.
  bool record(const EventView& event);

  /// Something that the consumer itself reported: a reset or an error.
  void note_trouble(const std::string& text);

  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] std::uint64_t foreign() const noexcept { return foreign_; }
  [[nodiscard]] std::uint64_t payload_bytes() const noexcept { return payload_bytes_; }
  [[nodiscard]] const std::map<std::string, std::uint64_t, std::less<>>& topics() const noexcept { return topics_; }

  /// Call once the producers have ended. All of these must have passed.
  [[nodiscard]] std::vector<Check> checks() const;

 private:
  struct Account {
    std::uint64_t received = 0;
    std::uint64_t last_sequence = 0;
    std::size_t next_line = 0;  // the line that keeps this producer's order
  };

  void check_sequence(std::uint64_t sequence);
  void check_content(const EventView& event, std::size_t line);
  [[nodiscard]] Check check_count() const;
  [[nodiscard]] Check check_receipts() const;

  const std::vector<std::string_view>& lines_;
  const std::vector<ProducerProcess>& producers_;
  std::vector<Account> accounts_;  // by producer, in the order of producers_
  std::vector<bool> seen_;         // by line
  std::map<std::string, std::uint64_t, std::less<>> topics_;
  std::uint64_t received_ = 0;
  std::uint64_t foreign_ = 0;
  std::uint64_t payload_bytes_ = 0;
  std::uint64_t changes_ = 0;         // neighbours in the feed that come from different producers of this run
  std::uint32_t last_producer_ = 0;   // producer_id; 0: none yet
  std::uint64_t first_sequence_ = 0;  // 0: nothing received yet
  std::uint64_t last_sequence_ = 0;
  std::string count_fault_;  // the first of each kind; empty: none
  std::string sequence_fault_;
  std::string order_fault_;
  std::string content_fault_;
};

}  // namespace leat::demo
