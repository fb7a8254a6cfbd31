// leatd killed after any instruction of its sequencer: from the wake-up by a producer, through a round (tickets,
// copies, checks, the journal's append, the commit, the completions), to the next sleep; with a roll, and without. And
// killed before any system call of its start.
//
// After each kill producers go on, leatd is started again, and everything accepted is there in the order in which it
// was published, with a receipt that says so.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "process/kill/scenarios.h"
#include "shm/base/mapping.h"
#include "shm/broadcast/broadcast_ring.h"
#include "shm/journal/tail_scan.h"
#include "support/tracer.h"

namespace leat::test {

namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::uint64_t kFutexWait = 0;
// What leatd waits in when it is ready.
#ifdef SYS_epoll_wait
constexpr long kEpollCall = SYS_epoll_wait;
#else
constexpr long kEpollCall = SYS_epoll_pwait;
#endif

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> tids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    tids.push_back(std::stoi(entry.path().filename().string()));
  }
  std::ranges::sort(tids);
  return tids;
}

// The threads of leatd are, in the order in which they are made: control (main), sequencer, syncer.
pid_t sequencer_of(pid_t pid) {
  for (;;) {
    const auto tids = threads_of(pid);
    if (tids.size() == 3) return tids[1];
    if (tids.size() > 3) throw Broken("leatd has more threads than this test knows");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// The sequencer of a running leatd, stopped in its sleep.
class SteppedSequencer {
 public:
  explicit SteppedSequencer(pid_t pid) : tracer_(Tracer::of_thread(sequencer_of(pid))) {
    while (tracer_.traced()) {
      if (!tracer_.interrupt()) throw Broken("leatd's sequencer has ended");
      if (tracer_.system_call() == SYS_futex && tracer_.argument(1) == kFutexWait) {
        sleep_at_ = tracer_.instruction() - kSyscallBytes;  // it stands behind the instruction that makes the call
        word_ = tracer_.argument(0);
        return;
      }
      tracer_.detach();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      tracer_ = Tracer::of_thread(sequencer_of(pid));
    }
    throw Broken("leatd's sequencer cannot be traced");
  }
  /// Executes up to `instructions`. False: it sleeps again.
  bool step(std::uint64_t instructions) {
    for (std::uint64_t done = 0; done < instructions; ++done) {
      if (!tracer_.step()) throw Broken("leatd's sequencer has died by itself");
      // The first step ends the sleep it was stopped in, and that stands at the same place.
      if (done > 1 && tracer_.instruction() == sleep_at_ && tracer_.argument(1) == kFutexWait &&
          tracer_.argument(0) == word_) {
        return false;
      }
    }
    return true;
  }
  void reap() { tracer_.reap(); }

 private:
  static constexpr std::uint64_t kSyscallBytes = 2;

  Tracer tracer_;
  std::uint64_t sleep_at_ = 0;
  std::uint64_t word_ = 0;
};

// Starts leatd and kills it before the n-th system call of its main thread. False: it was ready before that.
bool start_and_kill(const BrokerProcess& broker, std::uint64_t calls) {
  std::vector<std::string> words = broker.command();
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string log = (broker.scratch() / "leatd.log").string();
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (output < 0 || ::dup2(output, STDERR_FILENO) < 0) ::_exit(125);
    trace_me();
    ::execv(arguments[0], arguments.data());
    ::_exit(126);
  }
  Tracer tracer = Tracer::of_child(pid);
  bool ready = false;
  for (std::uint64_t done = 0; done < calls && !ready;) {
    const TraceStop stop = tracer.run_to_syscall();
    if (stop.kind == TraceStop::Kind::ended) throw Broken("leatd ended by itself in its start:\n" + broker.log());
    if (stop.kind != TraceStop::Kind::syscall_enter) continue;
    ++done;
    ready = stop.number == kEpollCall;
  }
  ::kill(pid, SIGKILL);
  tracer.reap();
  return !ready;
}

// Two producers of this process besides the neighbour: all publish from this thread, so the order of publishing is the
// order that must come out.
class BrokerAttack {
 public:
  BrokerAttack(AttackedFeed& feed, bool roll) : feed_(feed), roll_(roll) {
    for (std::uint32_t i = 0; i < 2; ++i) {
      clients_.push_back({.index = i + 1,
                          .producer = need(Producer::connect({.address = feed.broker().address(), .name = "client"}),
                                           "a client")});
    }
  }

  Attack operator()(std::uint64_t instruction) {
    if (roll_) fill_segment();
    bool cut_short = false;
    bool committed = false;
    {
      SteppedSequencer sequencer(feed_.broker().pid());
      publish(0, 1);
      publish(1, 3);
      publish(0, 1);
      cut_short = sequencer.step(instruction);
      committed = committed_sequence() >= next_sequence_ - 1;
      if (roll_ && !cut_short) expect_roll();
      ::kill(feed_.broker().pid(), SIGKILL);
      sequencer.reap();
    }
    feed_.broker().kill9();
    publish(1, 2);  // nobody is there, and they are accepted all the same
    publish(0, 1);
    restart_and_check();
    if (!cut_short) return Attack::too_far;
    return committed ? Attack::done_past : Attack::done;
  }

  /// Kills leatd, and its successor before the n-th system call of its start.
  Attack in_the_start(std::uint64_t calls) {
    publish(0, 1);
    publish(1, 3);
    feed_.broker().kill9();
    publish(0, 2);
    const bool cut_short = start_and_kill(feed_.broker(), calls);
    publish(1, 1);
    restart_and_check();
    return cut_short ? Attack::done : Attack::too_far;
  }

 private:
  struct Client {
    std::uint32_t index;
    Producer producer;
    std::uint64_t published = 0;
  };
  struct Sent {
    std::size_t client;
    Receipt receipt;
    std::uint64_t sequence;  ///< that its first event must get
  };

  void restart_and_check() {
    feed_.restart();
    for (const Sent& sent : sent_) {
      const std::uint64_t sequence =
          need(clients_[sent.client].producer.wait(sent.receipt, Ack::committed, kPatience), "a receipt");
      if (sequence != sent.sequence) {
        throw Broken("a receipt says sequence " + std::to_string(sequence) + ", published was it as " +
                     std::to_string(sent.sequence));
      }
    }
    sent_.clear();
    feed_.check_up_to(next_sequence_ - 1);
    (void)feed_.go_on(1);
    ++next_sequence_;
    for (const Client& client : clients_) {
      if (feed_.delivered(client.index) != client.published) throw Broken("a client's events were not all delivered");
    }
  }

  // One event, or one batch.
  void publish(std::size_t which, std::uint64_t events) {
    Client& client = clients_[which];
    std::vector<Generated> made(events);
    std::vector<Event> batch;
    for (Generated& generated : made) {
      batch.push_back(generated.make(feed_.seed(), client.index, client.published++, kSmallEvents));
    }
    sent_.push_back({.client = which,
                     .receipt = need(client.producer.publish_batch(batch), "publishing"),
                     .sequence = next_sequence_});
    next_sequence_ += events;
  }

  // Goes on until the next round is too much for the current segment.
  void fill_segment() {
    constexpr std::uint64_t kLeastOfRound = 5 * 72;
    for (;;) {
      auto files = need(shm::JournalFiles::open(feed_.broker().journal().string()), "the journal");
      current_ = files.segments().back();
      const auto scan = need(shm::scan_segment(files, current_), "the journal's end");
      if (scan.end_position - current_.first_position + kLeastOfRound > files.data_bytes()) break;
      (void)feed_.go_on(1);
      ++next_sequence_;
    }
    // Rolling needs a segment made ahead; while there is none, leatd stalls, and that is not what is attacked here.
    while (!has_prepared_segment()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  std::uint64_t committed_sequence() {
    const shm::UniqueFd fd(::open((feed_.broker().runtime() / "shm" / "broadcast").c_str(), O_RDONLY | O_CLOEXEC));
    const auto ring = need(shm::Mapping::map(fd.get(), shm::Access::read_only, 0, shm::kPageBytes), "the ring");
    return shm::BroadcastReader(ring.data(), AttackedFeed::kRingBytes).read_latest().sequence;
  }
  void expect_roll() {
    const auto files = need(shm::JournalFiles::open(feed_.broker().journal().string()), "the journal");
    if (files.segments().back() == current_) throw std::logic_error("the attacked round did not roll");
  }
  bool has_prepared_segment() {
    for (const auto& entry : std::filesystem::directory_iterator(feed_.broker().journal())) {
      if (entry.path().filename().string().starts_with("prepared-")) return true;
    }
    return false;
  }

  AttackedFeed& feed_;
  bool roll_;
  shm::SegmentName current_;
  std::vector<Client> clients_;
  std::vector<Sent> sent_;
  std::uint64_t next_sequence_ = feed_.checked() + 1;
};

}  // namespace

bool attack_broker(const CampaignOptions& options) {
  struct Way {
    const char* name;
    const char* what;
    const char* sync;
    bool roll;
    std::uint64_t dense_before;  ///< the journal's append comes before the commit
  };
  constexpr Way kWays[] = {
      {"sequencer-round", "leatd's sequencer, from wake-up to sleep, killed", "none", false, 240},
      {"sequencer-marks", "leatd's sequencer, with marks (--sync always), killed", "always", false, 0},
      {"sequencer-roll", "leatd's sequencer, with a roll, killed", "none", true, 0},
      {"start", "leatd in its start, killed", "none", false, 0},
  };
  for (const Way& way : kWays) {
    if (!options.only.empty() && options.only != way.name) continue;
    const bool start = way.name == std::string("start");
    AttackedFeed feed(std::string("kill-") + way.name, options.seed, shm::kMinSegmentBytes);
    feed.broker().set("--idle", "block");
    feed.broker().set("--sync", way.sync);
    feed.start();
    BrokerAttack attack(feed, way.roll);
    const Scenario scenario{
        .name = way.name,
        .what = way.what,
        .unit = start ? "system calls" : "instructions",
        .cases = 24,
        .dense_before = way.dense_before,
        .dense_stride = 12,
        .attack = [&](std::uint64_t count) { return start ? attack.in_the_start(count) : attack(count); }};
    if (!run_scenario(options, scenario)) return false;
    feed.finish();
  }
  return true;
}

}  // namespace leat::test
