#include "process/hand_over.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "journal/read/locate.h"

namespace leat::test {

namespace {

void nap() { std::this_thread::sleep_for(milliseconds(1)); }

}  // namespace

void HandOverTest::SetUp() {
  BrokerTest::SetUp();
  std::string why;
  if (sanitized()) GTEST_SKIP() << "a sanitizer's run time has fault handlers and system calls of its own";
  if (!tracing_is_allowed(why)) GTEST_SKIP() << why;
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

const internal::BroadcastHeader& HandOverTest::ring() {
  ring_mapping_ = broker_->map("broadcast", internal::Access::read_only);
  return *reinterpret_cast<const internal::BroadcastHeader*>(ring_mapping_.data());
}

bool HandOverTest::in_window(std::uint64_t position, std::uint64_t margin) {
  return internal::BroadcastReader(reinterpret_cast<const std::byte*>(&ring()), kRingBytes).in_window(position, margin);
}

std::vector<internal::SegmentName> HandOverTest::segments() {
  auto files = internal::JournalFiles::open(broker_->journal().string());
  if (!files) throw std::runtime_error(files.error().message);
  return files->segments();
}

std::uint64_t HandOverTest::reader_position() {
  const std::uint64_t next = word(kReaderSequence) + 1;
  const std::uint64_t committed = ring().committed.load();
  if (next > published_) return committed;
  auto files = internal::JournalFiles::open(broker_->journal().string());
  if (!files) throw std::runtime_error(files.error().message);
  auto located = internal::locate_sequence(*files, next, committed);
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

bool HandOverTest::in_reader_ring(std::uint64_t address) const { return in_reader_file("/broadcast", address); }

bool HandOverTest::in_reader_file(const char* name, std::uint64_t address) const {
  std::istringstream maps(proc_file("maps"));
  for (std::string line; std::getline(maps, line);) {
    if (line.find(name) == std::string::npos) continue;
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
  ASSERT_TRUE(reader_trace_.run_until_syscall([&](const TraceStop& stop) {
    return stop.number == number && wanted(stop);
  })) << "the reader ended before it made system call "
      << number << ":\n"
      << helper_output();
}

std::string HandOverTest::proc_file(const std::string& name) const {
  return read_file("/proc/" + std::to_string(reader_.pid()) + "/" + name);
}

char HandOverTest::process_state() const {
  const std::string stat = proc_file("stat");
  const std::size_t name_end = stat.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= stat.size() ? 'X' : stat[name_end + 2];
}

std::string HandOverTest::file_of(std::uint64_t fd) const {
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/" + std::to_string(reader_.pid()) + "/fd/" + std::to_string(fd), failed)
      .string();
}

// Not of its header, at offset 0.
bool HandOverTest::is_segment_read(const TraceStop& stop) const {
  const std::filesystem::path file = file_of(stop.arguments[0]);
  return stop.arguments[3] > 0 && internal::SegmentName::parse(file.filename().string()).has_value();
}

void HandOverTest::wait_for_sequence(std::uint64_t sequence) {
  while (word(kReaderSequence) < sequence) {
    ASSERT_TRUE(reader_.running()) << helper_output();
    nap();
  }
}

void HandOverTest::stop_reader() {
  if (reader_trace_.traced()) {
    reader_trace_.detach(SIGSTOP);
  } else {
    reader_.send_signal(SIGSTOP);
  }
  while (process_state() != 'T') nap();
}

void HandOverTest::stop_and_continue() {
  stop_reader();
  lap();
  ASSERT_EQ(process_state(), 'T');
  reader_.cont();
}

void HandOverTest::prune_first_segment() {
  const std::uint64_t wanted = segments()[1].first_sequence;
  constexpr int kLooks = 200;
  while (ring().earliest_sequence.load() < wanted && !HasFatalFailure()) {
    const std::size_t before = segments().back().first_sequence;
    publish(1);
    if (segments().back().first_sequence == before) continue;
    // A segment was begun: the syncer has its time, or it would find two that are due, and prune both.
    for (int look = 0; look < kLooks && ring().earliest_sequence.load() < wanted; ++look) nap();
  }
  ASSERT_EQ(ring().earliest_sequence.load(), wanted);
}

void HandOverTest::replace_ring() {
  broker_->kill9();
  broker_->set("--ring-bytes", 2 * kRingBytes);
  start_broker();
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
    // Without a broker it may read a file to its end that it holds open and that has been removed: nothing is missing.
    if (state != State::OfflineInTheJournal) {
      EXPECT_GE(word(kReaderResets), 1U) << "what was pruned cannot have been delivered";
    }
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
