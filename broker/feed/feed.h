// One feed, put together: its rings and arenas, its journal, and the stages that an event goes through. It has no
// thread until start(), and never a socket: leatd gives it that (broker/host/broker.h). Tests and benchmarks step it.
//
//   sequencer   sequence/    numbers, journals and publishes events
//   syncer      storage/     fdatasync, segments ahead, retention
//   producers   producers/   their slots, arenas and places
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <leat/result.h>

#include "broker/fault_guard.h"
#include "broker/rings/runtime_files.h"
#include "broker/feed/stages.h"
#include "broker/options.h"
#include "broker/producers/producer_registry.h"
#include "broker/producers/producer_table.h"
#include "broker/storage/cursor_table.h"
#include "broker/storage/recovery.h"
#include "broker/storage/segment_pool.h"
#include "broker/storage/syncer.h"

namespace leat::broker {

/// Where a feed lies. Whoever opens it holds its locks.
struct FeedPlaces {
  internal::JournalDirectory journal;
  std::filesystem::path rings;  ///< the directory of rings and arenas, on a tmpfs
  int journal_lock_fd = -1;     ///< holds the journal's lock; -1: nobody looks after names
};

/// Not thread-safe but for what says so. One feed at a time in a process: the handler of SIGBUS knows those of one
/// (fault_guard.h).
class Feed {
 public:
  Feed(Options options, FeedPlaces places, StageHooks hooks = {});
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  /// Recovers the journal, adopts the rings of the last broker or makes new ones, and takes its producers over. After
  /// an error: take_back(). Errors: corrupt, no_space, io_error, ...
  Result<void> open();
  /// Undoes what open() did, as far as it came: rings that it made go, the journal says again what it said before.
  void take_back();

  /// One round of the sequencer, for whoever has started no threads. False: there was nothing to do.
  bool step() { return stages_->sequencer.step(); }
  /// Tells the syncer what the journal holds, for whoever steps it.
  void begin_syncer();

  /// From here on events are taken: sequencer and syncer run in threads of their own. Error: no thread can be had.
  Result<void> start();
  /// Takes what has been published so far, then ends both threads.
  void stop();
  /// After stop(), or without threads: makes all durable and says in the journal that it was closed. Errors: no_space
  /// (nothing is lost: what was accepted waits for the next broker), io_error.
  Result<void> close();

  /// The state that all headers show to clients. Any thread.
  void set_state(internal::FeedState state);
  [[nodiscard]] bool has_failed() const { return stages_->handover.state.load() == internal::FeedState::failed; }
  [[nodiscard]] bool is_held() const { return stages_->handover.held.load(); }

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const FeedPlaces& places() const { return places_; }
  [[nodiscard]] const Recovered& recovered() const { return recovered_; }
  [[nodiscard]] std::uint64_t broker_life() const { return broker_life_; }
  /// Slots of the last broker's producers that open() took over.
  [[nodiscard]] const std::vector<std::uint32_t>& adopted() const { return adopted_; }
  [[nodiscard]] RuntimeFiles& files() { return *files_; }
  [[nodiscard]] ProducerTable& table() { return table_; }
  [[nodiscard]] ProducerRegistry& registry() { return *registry_; }
  [[nodiscard]] CursorTable& cursors() { return *cursors_; }
  [[nodiscard]] SegmentPool& pool() { return *pool_; }
  [[nodiscard]] Syncer& syncer() { return *syncer_; }
  [[nodiscard]] Sequencer& sequencer() { return stages_->sequencer; }
  [[nodiscard]] Stages& stages() { return *stages_; }

 private:
  [[nodiscard]] Result<void> check_place_of_rings() const;
  Result<void> recover();
  void drop_page_cache();
  void guard_mappings();
  Result<SegmentWrites> choose_segment_writes();
  Result<void> open_journal();
  Result<void> open_current_segment();
  Result<void> sync_what_was_left();
  Result<void> set_up_ring();
  Result<void> fill_ring(std::uint64_t from, std::uint64_t end);
  Result<void> set_up_stages();
  void restore_identity();
  void on_durable(std::uint64_t sequence);
  void on_failure(const Error& error);
  [[nodiscard]] Error error_at_journal(const std::string& what) const;

  Options options_;
  FeedPlaces places_;
  StageHooks hooks_;
  bool journal_was_empty_ = false;                         // before open()
  bool identity_stored_ = false;                           // by open()
  std::optional<internal::FeedIdentity> stored_identity_;  // as it stood on disk before
  Recovered recovered_;
  std::uint64_t broker_life_ = 0;
  std::vector<std::uint32_t> adopted_;
  std::unique_ptr<RuntimeFiles> files_;
  std::array<FaultRange, 5> fault_ranges_;
  std::unique_ptr<SegmentPool> pool_;
  std::unique_ptr<CursorTable> cursors_;
  std::unique_ptr<JournalWriter> journal_;  // until the stages have it
  internal::BroadcastWriter ring_;          // the same
  ProducerTable table_;
  std::unique_ptr<Stages> stages_;
  std::unique_ptr<ProducerRegistry> registry_;
  std::unique_ptr<Syncer> syncer_;
};

}  // namespace leat::broker
