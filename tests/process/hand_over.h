// A reader brought into each state of its switch between ring and journal, and held there, by ptrace: at a system call,
// or at its first touch of the ring's data.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mapping.h"
#include "shm/broadcast/broadcast_ring.h"
#include "journal/read/journal_files.h"
#include "support/broker_test.h"
#include "support/event_checker.h"
#include "support/tracer.h"
#include "process/helpers/hand_over_words.h"

namespace leat::test {

enum class State : std::uint8_t {
  InTheWindow,              ///< online, its place in the ring's window, about to look
  HoldingRecordsOfTheRing,  ///< has copied from the ring and not yet delivered all of it
  CopyingFromTheRing,       ///< before the first word of a copy
  LappedBeforeTheCopy,      ///< the writer has gone by, and it has not noticed
  LappedDuringTheCopy,      ///< the writer goes by in the middle of its copy
  RefreshingTheSegments,    ///< lapped, lists the journal's directory
  OpeningAnOldSegment,
  ReadingAnOldSegment,     ///< before the read
  HavingReadAnOldSegment,  ///< behind the read, before it looks whether the segment is still retained
  AtASegmentEnd,           ///< behind the last record of a segment, about to open the next
  AtTheMarginOfTheWindow,  ///< its place is in the ring again, but too near its edge
  BackInTheRing,           ///< its first copy from the ring after reading the journal
  FallingAsleep,           ///< before FUTEX_WAIT
  AsleepOnTheFutex,
  AsleepOnTheEventDescriptor,
  OfflineInTheJournal,  ///< no broker yet: before it reads a segment
  Joining,              ///< offline until now, before connect()
  MappingTheRingItJoins,
  FindingItsPlaceInTheRing,  ///< attached, before it reads the journal to find its place
  RejoiningASuccessor,       ///< its broker has been replaced, before connect()
  DurableBehindCommitted,    ///< at level durable, before FUTEX_WAIT, with committed events ahead of it
};

enum class Fault : std::uint8_t {
  BrokerKilled,
  BrokerKilledAndStartedAgain,
  SegmentRecycled,
  LappedAgain,
  StoppedWhileLappedAndContinued,
};

class HandOverTest : public BrokerTest {
 protected:
  static constexpr std::uint64_t kRingBytes = 16 * 1024;
  static constexpr std::uint64_t kSegmentBytes = 32 * 1024;
  static constexpr std::uint64_t kHistory = 30;  // events before the reader comes: less than the ring holds

  void SetUp() override;

  /// Brings the reader into the state, and asserts that it is in it.
  void reach(State state);
  /// Brings the reader behind the last event of the first segment, which ends there; it knows of nothing further.
  void reach_last_event_of_a_segment();
  /// Goes on until exactly that segment is pruned.
  void prune_first_segment();
  /// Kills the broker and starts one with a larger ring: the reader's is retired.
  void replace_ring();
  void apply(Fault fault);
  /// Lets the reader come to the feed's end, and asserts that all went well. `state`: what it must have seen.
  void finish(State state, Fault fault);
  void finish();
  /// A word that the reader writes, or reads.
  [[nodiscard]] std::uint64_t word(std::size_t index) const { return (*page_)[index].load(); }

 private:
  void publish(std::uint64_t events);
  /// Publishes until at least `bytes` have been added to the journal's string.
  void publish_bytes(std::uint64_t bytes);
  void lap() { publish_bytes(2 * kRingBytes); }
  void start_reader(std::vector<std::string> arguments = {});
  void pause_reader_at(std::uint64_t sequence);
  void run_to_pause();
  void run_to_ring_fault();
  void fall_behind();
  void reach_joining(State state);
  void reach_asleep(State state);
  void reach_margin();
  void reach_durable_behind();
  void reach_old_segment(State state);
  void stop_reader();
  void stop_and_continue();

  /// Runs the reader until it is about to make system call `number` for which `wanted` holds.
  void run_to_call(long number, const std::function<bool(const TraceStop&)>& wanted);
  /// A file in /proc of the reader.
  [[nodiscard]] std::string proc_file(const std::string& name) const;
  /// Its letter there, e.g. 'T' for stopped.
  [[nodiscard]] char process_state() const;
  /// The file behind a descriptor of the reader.
  [[nodiscard]] std::string file_of(std::uint64_t fd) const;
  [[nodiscard]] bool is_segment_read(const TraceStop& stop) const;
  [[nodiscard]] bool in_reader_ring(std::uint64_t address) const;
  [[nodiscard]] bool in_reader_file(const char* name, std::uint64_t address) const;
  std::vector<internal::SegmentName> segments();
  /// The ring as any reader sees it, mapped afresh.
  const internal::BroadcastHeader& ring();
  /// Where the event behind the reader's last one stands, or will stand.
  std::uint64_t reader_position();
  [[nodiscard]] bool in_window(std::uint64_t position, std::uint64_t margin = 0);
  void wait_for_sequence(std::uint64_t sequence);
  void start_broker();

  std::unique_ptr<Producer> producer_;
  Generated made_;
  std::uint64_t published_ = 0;
  ChildProcess reader_;
  Tracer reader_trace_;
  internal::Mapping ring_mapping_;
  bool durable_ = false;
  bool broker_runs_ = false;
};

}  // namespace leat::test
