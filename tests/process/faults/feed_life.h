// One leatd under the fault shim, its clients, and the oracle: what its producer was told and its consumer received.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "process/faults/scenario.h"

namespace leat::test {

/// The steps of a scenario. Each one brings itself to its end, whatever the fault does: it restarts leatd when it has
/// ended or the feed has failed, and tries again what was refused. What breaks a promise is a complaint; after the
/// first one all later steps do nothing.
class FeedLife {
 public:
  explicit FeedLife(const ScenarioOptions& options);
  ~FeedLife();
  FeedLife(const FeedLife&) = delete;
  FeedLife& operator=(const FeedLife&) = delete;

  void start();
  void connect();
  /// Publishes generated events, and takes what the consumer receives meanwhile.
  void publish(std::uint64_t count);
  /// The last event accepted becomes durable, under the sequence that is due.
  void wait_durable();
  /// A second consumer, with a named cursor: reads to the end, saves its place, and leaves.
  void save_cursor();
  void read_status();
  /// kill -9; what is accepted while no broker is there counts like all else.
  void kill_and_publish(std::uint64_t count);
  /// A second producer: connects, publishes, leaves.
  void visitor();
  void check_descriptors();
  void stop();

  void disarm();
  /// Publishes until the producer and the consumer have found their way back to the broker by themselves.
  void settle();
  void drain_all();
  void let_go();
  void check_journal();

  void complain(const std::string& what);
  [[nodiscard]] BrokerProcess& broker() noexcept { return broker_; }
  [[nodiscard]] Outcome& outcome() noexcept { return outcome_; }
  Outcome finish();

 private:
  [[nodiscard]] bool over() const { return !outcome_.wrong.empty(); }
  [[nodiscard]] bool hit() const { return plan_->hits.load() > 0; }
  [[nodiscard]] bool hangs();
  /// leatd has ended by itself: it must have said why. Then it is started again.
  void judge_end(int status, const char* when);
  void revive();
  [[nodiscard]] bool has_failed();
  void after_failure();
  /// Repeats `attempt` until it succeeds; an error is forgiven if the fault has struck.
  void insist(const char* what, const std::function<Result<void>()>& attempt);
  /// Checks what the consumer receives until nothing comes for `patience`.
  Result<void> read_named(Consumer& named);
  void take_events(std::chrono::milliseconds patience = {});
  std::map<std::string, int> open_descriptors() const;
  void check_content(const EventView& event, const char* who);
  void watch();

  const ScenarioOptions options_;
  BrokerProcess broker_;
  FaultPlan* plan_ = nullptr;
  std::optional<Producer> producer_;
  std::optional<Consumer> consumer_;
  std::optional<Receipt> last_receipt_;
  Generated generated_;
  SizeMix mix_{.max_bytes = 1000};
  EventChecker checker_;
  std::uint64_t accepted_ = 0;          // by all
  std::uint64_t published_ = 0;         // by the producer
  std::uint64_t saved_ = 0;             // where the named cursor was saved last
  bool named_ = false;                  // there is one
  std::vector<std::uint64_t> content_;  // by sequence: a hash of what the consumer received
  Outcome outcome_;
  std::size_t log_read_ = 0;
  std::uint64_t hits_before_ = 0;  // of earlier lives of leatd

  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::atomic<std::uint64_t> progress_{1};  // of any kind, but none that goes on for ever
  std::atomic<bool> hangs_{false};
  std::thread watchdog_;
};

}  // namespace leat::test
