// The broker put together: files, recovery, three threads, and the order in which they begin and end.
//
//   sequencer   sequence/    numbers, journals and publishes events
//   syncer      journal/     fdatasync, segments ahead, retention
//   control     control/     the socket, admission; runs on the thread that calls run()
#pragma once

#include <array>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>

#include <leat/feed_address.h>
#include <leat/result.h>

#include "broker/control/admission.h"
#include "broker/control/control_server.h"
#include "broker/producers/producer_registry.h"
#include "broker/feed/runtime_files.h"
#include "broker/producers/producer_table.h"
#include "broker/storage/cursor_table.h"
#include "broker/storage/handover.h"
#include "broker/storage/journal_writer.h"
#include "broker/storage/recovery.h"
#include "broker/storage/segment_pool.h"
#include "broker/storage/syncer.h"
#include "broker/host/notify.h"
#include "broker/options.h"
#include "broker/sequence/sequencer.h"
#include "broker/host/start_trace.h"

namespace leat::broker {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitAnotherBroker = 3;
/// No exit status: the names of the rings were lost, and all of the feed is journaled. Another Broker can serve it.
inline constexpr int kServeAgain = -1;

/// One feed's broker.
class Broker {
 public:
  /// `notifier`: told how the broker stands; may be null.
  explicit Broker(Options options, Notifier* notifier = nullptr) : options_(std::move(options)), notifier_(notifier) {}
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  /// Locks, recovers, maps and creates everything. A standby waits for the locks first, until a byte is readable on
  /// `stop_fd`. Errors: busy (another broker), closed (a standby was told to stop), corrupt, no_space, ...
  Result<void> open(int stop_fd = -1);
  /// Serves until a byte is readable on `stop_fd`, then stops cleanly. Returns the exit status, or kServeAgain.
  int run(int stop_fd);
  /// Other rules from now on. After open(); any thread.
  void set_admission(Admission admission);

 private:
  friend struct BrokerInternals;  // defined by tests that do the threads' work step by step
  Result<void> open_traced(int stop_fd);
  Result<void> check_resources();
  void mind_real_time();
  void mind_parents(const std::filesystem::path& directory);
  void forget_everything();
  void restore_identity();
  enum class Modes : bool { leave, set };
  Result<void> open_directories(Modes modes);
  Result<void> become_the_broker(int stop_fd);
  Result<void> lock(internal::UniqueFd& held, const std::filesystem::path& path, int stop_fd);
  Result<void> recover();
  void drop_page_cache();
  Result<SegmentWrites> choose_segment_writes();
  Result<void> open_current_segment();
  Result<void> sync_what_was_left();
  Result<void> set_up_ring();
  Result<void> set_up_threads();
  Result<void> start_threads();
  void guard_mappings();
  void set_state(internal::FeedState state);
  void on_durable(std::uint64_t sequence);
  void on_failure(const Error& error);
  void on_held(bool held);
  enum class Names : bool { in_place, lost };
  int shut_down(Names names);
  NameWatch watched_names();
  Result<void> close_journal();

  Options options_;
  Notifier* notifier_;
  FeedPaths paths_;
  StartTrace* trace_ = nullptr;     // while open() runs
  bool journal_was_empty_ = false;  // before this start
  bool identity_stored_ = false;    // by this start
  internal::UniqueFd runtime_fd_;   // the feed's own runtime directory
  Admission admission_;
  internal::UniqueFd journal_lock_;
  internal::UniqueFd runtime_lock_;
  internal::UniqueFd journal_fd_;
  std::unique_ptr<RuntimeFiles> files_;
  Recovered recovered_;
  std::optional<internal::FeedIdentity> stored_identity_;  // as it stands on disk
  std::uint64_t broker_life_ = 0;
  std::atomic<std::uint32_t> next_producer_id_{1};
  std::array<FaultRange, 5> fault_ranges_;

  std::unique_ptr<SegmentPool> pool_;
  std::unique_ptr<CursorTable> cursors_;
  std::unique_ptr<JournalHandover> handover_;
  std::unique_ptr<JournalWriter> journal_;
  internal::InboundConsumer inbound_;
  internal::BroadcastWriter ring_;
  LaneQueues lanes_;
  ProducerTable table_;
  std::unique_ptr<ProducerRegistry> registry_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<Sequencer> sequencer_;
  std::unique_ptr<Syncer> syncer_;
};

}  // namespace leat::broker
