// How the reader is brought into each of its states.
#include <sys/syscall.h>

#include <thread>

#include "process/hand_over.h"

namespace leat::test {

namespace {
constexpr std::uint64_t kFutexWait = 0;
// What poll() of the C library comes down to.
#ifdef SYS_poll
constexpr long kPollCall = SYS_poll;
#else
constexpr long kPollCall = SYS_ppoll;
#endif
}  // namespace

void HandOverTest::fall_behind() {
  pause_reader_at(published_);
  run_to_pause();
  ASSERT_EQ(word(kReaderJournalBytes), 0U);
  publish_bytes(3 * kSegmentBytes);
  ASSERT_FALSE(in_window(reader_position()));
}

void HandOverTest::reach_old_segment(State state) {
  fall_behind();
  if (HasFatalFailure()) return;
  std::string first;
  const auto is_segment = [&](const TraceStop& stop) {
    const std::string name = reader_trace_.text_at(stop.arguments[1]);
    if (!internal::SegmentName::parse(name) || name == first) return false;
    first = name;
    return true;
  };
  if (state == State::OpeningAnOldSegment || state == State::AtASegmentEnd) run_to_call(SYS_openat, is_segment);
  if (state == State::AtASegmentEnd) {
    run_to_call(SYS_openat, is_segment);
    ASSERT_GT(word(kReaderJournalBytes), 0U);
  }
  if (state == State::ReadingAnOldSegment || state == State::HavingReadAnOldSegment) {
    run_to_call(SYS_pread64, [&](const TraceStop& stop) { return is_segment_read(stop); });
  }
  if (state == State::HavingReadAnOldSegment) {
    ASSERT_EQ(reader_trace_.run_to_syscall().kind, TraceStop::Kind::syscall_exit);
  }
  if (state == State::RefreshingTheSegments) {
    run_to_call(SYS_getdents64,
                [&](const TraceStop& stop) { return file_of(stop.arguments[0]) == broker_->journal(); });
  }
}

// Its place is in the window again, by less than the eighth of the ring that it asks for coming from the journal.
void HandOverTest::reach_margin() {
  // All that it reads from the journal lies in one segment, so that it comes to the end in one go, without the ring.
  for (const auto before = segments().size(); segments().size() == before && !HasFatalFailure();) publish(1);
  pause_reader_at(published_);
  run_to_pause();
  for (const std::uint64_t left_at = reader_position(); in_window(left_at) && !HasFatalFailure();) publish(1);
  pause_reader_at(published_);
  const std::uint64_t ring_bytes_before = word(kReaderRingBytes);
  run_to_pause();
  ASSERT_EQ(word(kReaderRingBytes), ring_bytes_before) << "it did not come here by the journal alone";
  const std::uint64_t position = reader_position();
  while (in_window(position, kRingBytes / 8) && !HasFatalFailure()) publish(1);
  ASSERT_TRUE(in_window(position));
  run_to_call(SYS_pread64, [&](const TraceStop& stop) { return is_segment_read(stop); });
  ASSERT_EQ(word(kReaderRingBytes), ring_bytes_before);
}

void HandOverTest::reach_last_event_of_a_segment() {
  start_broker();
  publish(1);
  start_reader();
  while (segments().size() == 1 && !HasFatalFailure()) {
    pause_reader_at(published_);
    run_to_pause();
    publish(1);
  }
  ASSERT_EQ(segments()[1].first_sequence, word(kReaderSequence) + 1);
}

void HandOverTest::reach_asleep(State state) {
  pause_reader_at(published_);
  run_to_pause();
  if (state == State::AsleepOnTheEventDescriptor) {
    run_to_call(kPollCall, [](const TraceStop&) { return true; });
  } else {
    run_to_call(SYS_futex, [&](const TraceStop& stop) {
      return stop.arguments[1] == kFutexWait && in_reader_file("/doorbell", stop.arguments[0]);
    });
  }
  if (state == State::FallingAsleep || state == State::DurableBehindCommitted) return;
  reader_trace_.detach();
  const auto is_in = [&](long call) { return proc_file("syscall").starts_with(std::to_string(call) + " "); };
  // Letting go of it may have interrupted the call, which then goes on under another number.
  const long call = state == State::AsleepOnTheFutex ? SYS_futex : kPollCall;
  while (process_state() != 'S' || (!is_in(call) && !is_in(SYS_restart_syscall))) {
    ASSERT_TRUE(reader_.running()) << helper_output();
    std::this_thread::sleep_for(milliseconds(1));
  }
}

void HandOverTest::reach_joining(State state) {
  const auto any = [](const TraceStop&) { return true; };
  if (state == State::RejoiningASuccessor) {
    pause_reader_at(published_);
    run_to_pause();
    broker_->kill9();
    start_broker();
    run_to_call(SYS_connect, any);
    return;
  }
  const bool in_the_journal = state == State::OfflineInTheJournal;
  pause_reader_at(in_the_journal ? 0 : published_);
  run_to_pause();
  ASSERT_EQ(word(kReaderOnline), 0U);
  if (in_the_journal) {
    run_to_call(SYS_pread64, [&](const TraceStop& stop) { return is_segment_read(stop); });
    return;
  }
  start_broker();
  run_to_call(SYS_connect, any);
  if (state == State::MappingTheRingItJoins) {
    run_to_call(SYS_mmap, [&](const TraceStop& stop) { return file_of(stop.arguments[4]).ends_with("/broadcast"); });
  }
  if (state == State::FindingItsPlaceInTheRing) {
    publish(20);  // so that it has to look into the journal for the first of them
    run_to_call(SYS_pread64, [&](const TraceStop& stop) { return is_segment_read(stop); });
  }
  ASSERT_EQ(word(kReaderOnline), 0U);
}

void HandOverTest::reach_durable_behind() {
  durable_ = true;
  broker_->set("--sync", "none");
  start_broker();
  publish(kHistory);
  ASSERT_EQ(broker_->terminate(), 0);  // all of this is durable
  start_broker();
  start_reader({"level=durable"});
  reach_asleep(State::DurableBehindCommitted);
  publish(kHistory);
  const internal::BroadcastHeader& header = ring();
  ASSERT_LT(header.durable.load(), header.committed.load());
  ASSERT_EQ(word(kReaderSequence), kHistory);
}

void HandOverTest::reach(State state) {
  if (state == State::DurableBehindCommitted) return reach_durable_behind();
  start_broker();
  publish(kHistory);
  if (state >= State::OfflineInTheJournal && state <= State::FindingItsPlaceInTheRing) {
    publish_bytes(2 * kSegmentBytes);
    broker_->kill9();
    broker_runs_ = false;
  }
  start_reader(state == State::AsleepOnTheEventDescriptor ? std::vector<std::string>{"wait=event_fd"}
                                                          : std::vector<std::string>{});
  if (HasFatalFailure()) return;
  if (state >= State::OfflineInTheJournal) return reach_joining(state);
  if (state >= State::FallingAsleep) return reach_asleep(state);
  if (state == State::AtTheMarginOfTheWindow) return reach_margin();
  if (state >= State::RefreshingTheSegments && state <= State::AtASegmentEnd) return reach_old_segment(state);
  if (state == State::BackInTheRing) {
    fall_behind();
    (*page_)[kReaderTripwire].store(1);
    run_to_ring_fault();
    ASSERT_GT(word(kReaderSequence), kHistory);
    ASSERT_GT(word(kReaderJournalBytes), 0U);
    return;
  }
  pause_reader_at(state == State::HoldingRecordsOfTheRing ? kHistory / 2 : kHistory);
  run_to_pause();
  ASSERT_EQ(word(kReaderJournalBytes), 0U);
  ASSERT_GT(word(kReaderRingBytes), 0U);
  if (state == State::HoldingRecordsOfTheRing) return;
  publish_bytes(2 * internal::kPageBytes);
  ASSERT_TRUE(in_window(reader_position()));
  if (state == State::LappedBeforeTheCopy) {
    lap();
    ASSERT_FALSE(in_window(reader_position()));
  }
  if (state != State::CopyingFromTheRing && state != State::LappedDuringTheCopy) return;
  (*page_)[kReaderTripwire].store(1);
  run_to_ring_fault();
  if (state == State::CopyingFromTheRing) return;
  const TraceStop next_page = reader_trace_.run(SIGSEGV);  // the first page of the copy passes, the second faults
  ASSERT_EQ(next_page.number, SIGSEGV);
  lap();
}

}  // namespace leat::test
