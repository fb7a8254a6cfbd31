// Judges a history: does what consumers received agree with what was reported to producers?
//
// Facts come in the order of their times (history/merge.h sees to that). One pass; what is kept is a slot of 32 bytes
// for each sequence (within the window, if there is one), and the events that are still on their way.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "history/event_table.h"
#include "history/fact.h"
#include "history/report.h"

namespace leat::history {

struct CheckerOptions {
  bool resets_allowed = true;       ///< false: any Reset is a finding
  std::uint64_t window_events = 0;  ///< compare only the newest so many sequences with each other; 0: all
  std::size_t max_findings = 100;   ///< kept in full; all are counted
};

class Checker {
 public:
  explicit Checker(CheckerOptions options = {}) : options_(options) {}

  /// The next fact. Its time must not be before that of the one before.
  void take(const Fact& fact);
  /// No more facts will come. Call once.
  const Report& finish();
  [[nodiscard]] const Report& report() const noexcept { return report_; }

 private:
  enum class Reported : std::uint8_t { nothing, accepted, committed, durable };

  /// An event that was begun, until its place in the order is known.
  struct Open {
    std::uint64_t hash = 0;
    std::int64_t begin_ns = 0;
    std::int64_t end_ns = 0;  // when its publisher knew; 0: not yet
    std::uint32_t place = 0;
    std::uint32_t batch = 1;
    Reported reported = Reported::nothing;
    bool forgivable = false;
  };
  struct Producer {
    std::string name;
    std::map<std::uint64_t, Open> open;
    std::set<std::uint64_t> refused;
    std::uint64_t next_number = 0;    // all begun ones are below
    std::uint64_t next_reported = 0;  // all that were reported accepted are below
    std::uint64_t next_ordered = 0;   // all whose place in the order is known are below
  };
  struct Consumer {
    std::string name;
    bool durable = false;
    std::uint64_t expected = 0;  // 0: whatever comes
    std::uint64_t at_most = 0;   // not 0: the first event must not lie beyond
    std::string cursor;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> gaps;  // passed over, reported
  };
  struct Batch {
    std::uint32_t producer = 0;
    std::uint64_t next_number = 0;
    std::uint32_t left = 0;
  };

  void find(Fault fault, std::uint64_t sequence, const std::string& text);
  std::uint32_t producer_of(std::string_view name);
  Consumer* consumer_of(std::string_view name);
  [[nodiscard]] std::string describe(std::uint32_t producer, std::uint64_t number) const;

  // checker_producers.cc
  void take_invoke(const Fact& fact);
  void take_accepted(const Fact& fact);
  void take_sequence(const Fact& fact, Reported level);
  void take_refused(const Fact& fact);
  bool note_reported(Producer& producer, const Fact& fact, Reported level);
  void take_broker(const Fact& fact);
  void forgive_what_is_not_durable();

  // checker_consumers.cc
  void take_start(const Fact& fact);
  void take_received(const Fact& fact);
  void take_place(Consumer& consumer, std::uint64_t sequence);
  void take_epoch(const Fact& fact);
  void take_reset(const Fact& fact);
  void take_end(const Fact& fact);
  void compare(Slot& slot, std::uint32_t producer, const Fact& fact);

  // checker_order.cc
  Slot* take_slot(std::uint64_t sequence, std::uint32_t producer, std::uint64_t number);
  void replace_lost_tail(std::uint64_t sequence);
  void order_what_is_known();
  void order(std::uint64_t sequence, const Slot& slot);
  void order_batch(std::uint64_t sequence, const Slot& slot, const Open* open);
  void order_page(std::uint64_t index);
  void keep_to_window();
  void judge_slot(std::uint64_t sequence, const Slot& slot);
  void judge_open_events(bool all_was_read);

  CheckerOptions options_;
  Report report_;
  std::int64_t now_ns_ = 0;
  std::vector<Producer> producers_;
  std::unordered_map<std::string, std::uint32_t> producer_index_;
  std::unordered_map<std::string, Consumer> consumers_;
  std::unordered_map<std::string, std::uint64_t> saved_;  // named cursor -> highest sequence that was to be saved
  std::string key_;                                       // scratch for look-ups
  EventTable table_;
  std::uint64_t next_to_order_ = 1;
  std::int64_t latest_begin_ns_ = 0;  // of the events ordered so far
  Batch batch_;
  bool ordered_gap_ = true;  // what lies before the next event to be ordered is not known
  std::uint64_t highest_seen_ = 0;
  std::set<std::uint64_t> epochs_;
  bool loss_allowed_ = false;  // power was lost, or the journal repaired
  bool end_known_ = false;
  std::uint64_t end_latest_ = 0;
};

}  // namespace leat::history
