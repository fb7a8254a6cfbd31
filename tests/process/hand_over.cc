#include "process/hand_over.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "shm/journal/locate.h"

namespace leat::test {

namespace {

constexpr std::uint64_t kFutexWait = 0;

std::string proc_file(pid_t pid, const std::string& name) {
  return read_file("/proc/" + std::to_string(pid) + "/" + name);
}

// The letter in /proc/pid/stat, behind the name in parentheses.
char process_state(pid_t pid) {
  const std::string stat = proc_file(pid, "stat");
  const std::size_t name_end = stat.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= stat.size() ? 'X' : stat[name_end + 2];
}

void nap() { std::this_thread::sleep_for(milliseconds(1)); }

}  // namespace

void HandOverTest::SetUp() {
  std::string why;
  if (sanitized()) GTEST_SKIP() << "a sanitizer's run time has fault handlers and system calls of its own";
  if (!tracing_is_allowed(why)) GTEST_SKIP() << why;
  BrokerTest::SetUp();
  broker_->set("--ring-bytes", kRingBytes);
  broker_->set("--segment-bytes", kSegmentBytes);
  broker_->set("--max-event-bytes", "2K");
  broker_->set("--retain-bytes", "256K");
}

void HandOverTest::start_broker() {
  start();
  broker_runs_ = true;
  if (!producer_) producer_ = std::make_unique<Producer>(connect_producer());
}

void HandOverTest::publish(std::uint64_t events) {
  Receipt last;
  for (std::uint64_t i = 0; i < events; ++i) {
    auto sent = producer_->publish(made_.make(test_seed(), 0, published_, {.max_bytes = 512}));
    ASSERT_TRUE(sent.ok()) << sent.error().message;
    last = *sent;
    ++published_;
  }
  auto sequence = producer_->wait(last, Ack::committed, kPatience);
  ASSERT_TRUE(sequence.ok()) << sequence.error().message;
  ASSERT_EQ(*sequence, published_);
}

void HandOverTest::publish_bytes(std::uint64_t bytes) {
  const std::uint64_t until = ring().committed.load() + bytes;
  while (ring().committed.load() < until && !HasFatalFailure()) publish(5);
}

const shm::BroadcastHeader& HandOverTest::ring() {
  const shm::UniqueFd fd(::open((broker_->runtime() / "shm" / "broadcast").c_str(), O_RDONLY | O_CLOEXEC));
  auto mapped = shm::Mapping::map(fd.get(), shm::Access::read_only, 0, shm::kPageBytes);
  if (!mapped) throw std::runtime_error(mapped.error().message);
  ring_mapping_ = std::move(*mapped);
  return *reinterpret_cast<const shm::BroadcastHeader*>(ring_mapping_.data());
}

bool HandOverTest::in_window(std::uint64_t position, std::uint64_t margin) {
  return shm::BroadcastReader(reinterpret_cast<const std::byte*>(&ring()), kRingBytes).in_window(position, margin);
}

std::vector<shm::SegmentName> HandOverTest::segments() {
  auto files = shm::JournalFiles::open(broker_->journal().string());
  if (!files) throw std::runtime_error(files.error().message);
  return files->segments();
}

std::uint64_t HandOverTest::reader_position() {
  const std::uint64_t next = word(kReaderSequence) + 1;
  const std::uint64_t committed = ring().committed.load();
  if (next > published_) return committed;
  auto files = shm::JournalFiles::open(broker_->journal().string());
  if (!files) throw std::runtime_error(files.error().message);
  auto located = shm::locate_sequence(*files, next, committed);
  if (!located || !located->found) throw std::runtime_error("the reader's place is not in the journal");
  return located->position;
}

void HandOverTest::start_reader(std::vector<std::string> arguments) {
  arguments.push_back("seed=" + std::to_string(test_seed()));
  pause_reader_at(~0ULL);
  reader_ = start_helper("hand_over_reader", std::move(arguments));
  page_->wait_for(kReaderReady, 1);
  reader_trace_ = Tracer::of_thread(reader_.pid());
  ASSERT_TRUE(reader_trace_.traced()) << "the reader cannot be traced";
}

void HandOverTest::pause_reader_at(std::uint64_t sequence) { (*page_)[kReaderPauseAt].store(sequence); }

void HandOverTest::run_to_pause() {
  (*page_)[kReaderGo].store(1);
  int signal_number = 0;
  for (;;) {
    const TraceStop stop = reader_trace_.run(signal_number);
    ASSERT_NE(stop.kind, TraceStop::Kind::ended) << helper_output();
    if (stop.kind == TraceStop::Kind::signal && stop.number == SIGSTOP) return;
    signal_number = stop.kind == TraceStop::Kind::signal ? static_cast<int>(stop.number) : 0;
  }
}

void HandOverTest::run_to_ring_fault() {
  const TraceStop stop = reader_trace_.run();
  ASSERT_EQ(stop.kind, TraceStop::Kind::signal) << helper_output();
  ASSERT_EQ(stop.number, SIGSEGV);
  ASSERT_TRUE(in_reader_ring(stop.address)) << "a fault that is not the tripwire's";
}

bool HandOverTest::in_reader_ring(std::uint64_t address) const {
  std::istringstream maps(proc_file(reader_.pid(), "maps"));
  for (std::string line; std::getline(maps, line);) {
    if (line.find("/broadcast") == std::string::npos) continue;
    std::istringstream fields(line);
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    char dash = 0;
    fields >> std::hex >> begin >> dash >> end;
    if (address >= begin && address < end) return true;
  }
  return false;
}

void HandOverTest::run_to_call(long number, const std::function<bool(const TraceStop&)>& wanted) {
  ASSERT_TRUE(reader_trace_.run_until_syscall(
      [&](const TraceStop& stop) { return stop.number == number && wanted(stop); }))
      << "the reader ended before it made system call " << number << ":\n" << helper_output();
}

std::string HandOverTest::file_of(std::uint64_t fd) const {
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/" + std::to_string(reader_.pid()) + "/fd/" + std::to_string(fd), failed)
      .string();
}

// Not of its header, at offset 0.
bool HandOverTest::is_segment_read(const TraceStop& stop) const {
  const std::filesystem::path file = file_of(stop.arguments[0]);
  return stop.arguments[3] > 0 && shm::SegmentName::parse(file.filename().string()).has_value();
}

void HandOverTest::wait_for_sequence(std::uint64_t sequence) {
  while (word(kReaderSequence) < sequence) {
    ASSERT_TRUE(reader_.running()) << helper_output();
    nap();
  }
}

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
    if (!shm::SegmentName::parse(name) || name == first) return false;
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
    run_to_call(SYS_getdents64, [&](const TraceStop& stop) { return file_of(stop.arguments[0]) == broker_->journal(); });
  }
}

// Its place is in the window again, by less than the eighth of the ring that it asks for when it comes from the journal.
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

void HandOverTest::prune_first_segment() {
  const std::uint64_t wanted = segments()[1].first_sequence;
  while (ring().earliest_sequence.load() < wanted && !HasFatalFailure()) publish(1);
  ASSERT_EQ(ring().earliest_sequence.load(), wanted);
}

void HandOverTest::reach_asleep(State state) {
  pause_reader_at(published_);
  run_to_pause();
  if (state == State::AsleepOnTheEventDescriptor) {
    run_to_call(SYS_poll, [](const TraceStop&) { return true; });
  } else {
    run_to_call(SYS_futex, [&](const TraceStop& stop) {
      return stop.arguments[1] == kFutexWait && in_reader_ring(stop.arguments[0]);
    });
  }
  if (state == State::FallingAsleep || state == State::DurableBehindCommitted) return;
  reader_trace_.detach();
  const auto is_in = [&](long call) {
    return proc_file(reader_.pid(), "syscall").starts_with(std::to_string(call) + " ");
  };
  // Letting go of it may have interrupted the call, which then goes on under another number.
  const long call = state == State::AsleepOnTheFutex ? SYS_futex : SYS_poll;
  while (process_state(reader_.pid()) != 'S' || (!is_in(call) && !is_in(SYS_restart_syscall))) {
    ASSERT_TRUE(reader_.running()) << helper_output();
    nap();
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
  const shm::BroadcastHeader& header = ring();
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
  publish_bytes(2 * shm::kPageBytes);
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

void HandOverTest::stop_reader() {
  if (reader_trace_.traced()) {
    reader_trace_.detach(SIGSTOP);
  } else {
    reader_.send_signal(SIGSTOP);
  }
  while (process_state(reader_.pid()) != 'T') nap();
}

void HandOverTest::stop_and_continue() {
  stop_reader();
  lap();
  ASSERT_EQ(process_state(reader_.pid()), 'T');
  reader_.cont();
}

void HandOverTest::apply(Fault fault) {
  if (!broker_runs_) start_broker();
  switch (fault) {
    case Fault::BrokerKilled:
      broker_->kill9();
      broker_runs_ = false;
      break;
    case Fault::BrokerKilledAndStartedAgain:
      broker_->kill9();
      start_broker();
      publish(10);
      break;
    case Fault::SegmentRecycled: {
      const bool runs = !reader_trace_.traced();  // it would go along with us, and never be behind
      if (runs) stop_reader();
      while (ring().earliest_sequence.load() <= word(kReaderSequence) + 1 && !HasFatalFailure()) publish(50);
      if (runs) reader_.cont();
      break;
    }
    case Fault::LappedAgain: lap(); break;
    case Fault::StoppedWhileLappedAndContinued: stop_and_continue(); break;
  }
}

void HandOverTest::finish(State state, Fault fault) {
  finish();
  if (HasFatalFailure()) return;
  if (fault == Fault::SegmentRecycled) {
    EXPECT_GE(word(kReaderResets), 1U) << "what was pruned cannot have been delivered";
  } else {
    EXPECT_EQ(word(kReaderResets), 0U);
  }
  if (state == State::LappedDuringTheCopy) {
    EXPECT_GE(word(kReaderLapped), 1U);
  }
}

void HandOverTest::finish() {
  reader_trace_.detach();
  if (!broker_runs_) {
    // What is visible comes without a broker too.
    wait_for_sequence(durable_ ? ring().durable_sequence.load() : published_);
    start_broker();
  }
  if (HasFatalFailure()) return;
  constexpr std::uint64_t kLast = 5;
  (*page_)[kReaderTarget].store(published_ + kLast);
  publish(kLast);
  if (durable_) {  // a clean stop makes it so
    ASSERT_EQ(broker_->terminate(), 0);
    start_broker();
  }
  ASSERT_EQ(reader_.wait(), 0) << helper_output();
  EXPECT_EQ(word(kReaderSequence), published_);
  producer_.reset();
}

}  // namespace leat::test
