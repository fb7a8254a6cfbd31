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
#include <functional>
#include <optional>
#include <thread>

#include "process/kill/scenarios.h"
#include "process/kill/stepped_sequencer.h"
#include "journal/read/journal_end.h"
#include "journal/read/tail_scan.h"
#include "support/environment.h"
#include "support/tracer.h"

namespace leat::test {

namespace {

constexpr std::chrono::seconds kPatience{60};
// What leatd waits in when it is ready.
#ifdef SYS_epoll_wait
constexpr long kEpollCall = SYS_epoll_wait;
#else
constexpr long kEpollCall = SYS_epoll_pwait;
#endif

// Starts leatd and kills it before the n-th system call of its main thread, or where it is ready. Returns how many it
// has made.
std::uint64_t start_and_kill(const BrokerProcess& broker, std::uint64_t calls, bool& ready) {
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
  std::uint64_t done = 0;
  for (ready = false; done < calls && !ready;) {
    const TraceStop stop = tracer.run_to_syscall();
    if (stop.kind == TraceStop::Kind::ended) throw Broken("leatd ended by itself in its start:\n" + broker.log());
    if (stop.kind != TraceStop::Kind::syscall_enter) continue;
    ++done;
    ready = stop.number == kEpollCall;
  }
  ::kill(pid, SIGKILL);
  tracer.reap();
  return done;
}

// Two producers of this process besides the neighbour: all publish from this thread, so the order of publishing is the
// order that must come out.
class BrokerAttack {
 public:
  enum class Way : std::uint8_t { plain, marks, roll };

  BrokerAttack(AttackedFeed& feed, Way way) : feed_(feed), way_(way) {
    for (std::uint32_t i = 0; i < 2; ++i) {
      clients_.push_back(
          {.index = i + 1,
           .producer = need(Producer::connect({.address = feed.broker().address(), .name = "client"}), "a client")});
    }
  }

  Attack operator()(Path& path, std::uint64_t instruction) {
    if (way_ == Way::roll) fill_segment();
    Path::Reached reached{};
    pauses_ = 0;
    {
      SteppedSequencer sequencer(feed_.broker().pid());
      publish(0, 1);
      publish(1, 3);
      publish(0, 1);
      // It may sleep in between: for the segment that is made ahead, or for the sync that a mark tells of.
      reached = sequencer.advance(path, instruction, [&] { return has_done_all(); });
      ::kill(feed_.broker().pid(), SIGKILL);
      sequencer.reap();
    }
    feed_.broker().kill9();
    const std::uint64_t committed = feed_.committed();
    const bool past = committed >= next_sequence_ - 1;
    check_what_was_told(committed);
    publish(1, 2);  // nobody is there, and they are accepted all the same
    publish(0, 1);
    restart_and_check();
    if (reached == Path::Reached::lost) return Attack::lost;
    if (reached == Path::Reached::ended) return Attack::too_far;
    return past ? Attack::done_past : Attack::done;
  }

  /// Kills leatd, and its successor before the n-th system call of its start.
  Attack in_the_start(Path& path, std::uint64_t calls) {
    publish(0, 1);
    publish(1, 3);
    feed_.broker().kill9();
    publish(0, 2);
    bool ready = false;
    const std::uint64_t made = start_and_kill(feed_.broker(), calls, ready);
    if (calls == Path::kWhole) path.set_length(made);
    publish(1, 1);
    restart_and_check();
    return ready ? Attack::too_far : Attack::done;
  }

 private:
  static constexpr std::uint32_t kMaxPauses = 200;

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

  // While nobody has repaired anything: what leatd had shown or told was in the journal. A record is there whole or not
  // at all.
  void check_what_was_told(std::uint64_t committed) {
    auto files = need(internal::JournalFiles::open(feed_.broker().journal().string()), "the journal");
    const auto end = need(internal::find_journal_end(files), "the journal's end");
    if (end.scan.verdict == internal::TailVerdict::corrupt) throw Broken(internal::corruption_error(end).message);
    if (!end.scan.sealed && !end.scan.zero_checksum) throw Broken("the journal ends in half a record");
    if (committed > end.scan.end_sequence) {
      throw Broken("committed was sequence " + std::to_string(committed) + ", in the journal are those up to " +
                   std::to_string(end.scan.end_sequence));
    }
    for (const Sent& sent : sent_) {
      const auto told = clients_[sent.client].producer.wait(sent.receipt, Ack::committed, std::chrono::seconds(0));
      if (told && *told > end.scan.end_sequence) {
        throw Broken("a receipt says sequence " + std::to_string(*told) + ", in the journal are those up to " +
                     std::to_string(end.scan.end_sequence));
      }
    }
  }

  // Goes on until one more event has room in the current segment: the next round begins in it and ends in another.
  void fill_segment() {
    constexpr std::uint64_t kEventBytes = 128;
    constexpr std::uint64_t kReserve = internal::kMarkRecordBytes + internal::kSegmentReserveBytes;
    for (;;) {
      auto files = need(internal::JournalFiles::open(feed_.broker().journal().string()), "the journal");
      current_ = files.segments().back();
      const auto scan = need(internal::scan_segment(files, current_), "the journal's end");
      const std::uint64_t used = scan.end_position - current_.first_position + kReserve;
      const std::uint64_t fit = used < files.data_bytes() ? (files.data_bytes() - used) / kEventBytes : 0;
      if (fit == 1) break;
      const std::uint64_t events = std::max<std::uint64_t>(1, fit / 2);
      (void)feed_.go_on(events);
      next_sequence_ += events;
    }
    // The next segment is at hand, or nearly: else the sequencer stalls, and that is another way.
    const std::string maps = "/proc/" + std::to_string(feed_.broker().pid()) + "/maps";
    while (read_file(maps).find("/prepared-") == std::string::npos) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  // What this way is about.
  bool has_done_all() {
    if (++pauses_ > kMaxPauses) throw Broken("leatd's sequencer does not come to its commit, mark, or roll");
    if (way_ == Way::plain) return feed_.committed() >= next_sequence_ - 1;
    auto files = need(internal::JournalFiles::open(feed_.broker().journal().string()), "the journal");
    const internal::SegmentName last = files.segments().back();
    if (way_ == Way::roll) return last != current_;
    return need(internal::scan_segment(files, last), "the journal's end").durable_sequence >= next_sequence_ - 1;
  }

  AttackedFeed& feed_;
  Way way_;
  internal::SegmentName current_;
  std::vector<Client> clients_;
  std::vector<Sent> sent_;
  std::uint64_t next_sequence_ = feed_.checked() + 1;
  std::uint32_t pauses_ = 0;  // sleeps before the end
};

// A new feed every few hundred attacks: with every segment a start takes longer.
class BrokerAttacks {
 public:
  BrokerAttacks(std::string name, BrokerAttack::Way way, std::uint64_t seed)
      : name_(std::move(name)), way_(way), seed_(seed) {}

  BrokerAttack& next() {
    constexpr std::uint64_t kAttacksPerFeed = 250;
    constexpr std::uint64_t kLargeSegmentBytes = 1 << 20;
    if (made_++ % kAttacksPerFeed == 0) {
      finish();
      // At the end of a segment a mark waits for the next one; so no roll comes in between unless it is asked for. Then
      // segments are recycled: behind what is written there stand old records, and not zeroes.
      const bool roll = way_ == BrokerAttack::Way::roll;
      feed_.emplace("kill-" + name_, seed_, roll ? internal::kMinSegmentBytes : kLargeSegmentBytes);
      if (roll) feed_->broker().set("--retain-bytes", 4 * internal::kMinSegmentBytes);
      feed_->broker().set("--idle", "block");
      feed_->broker().set("--sync", way_ == BrokerAttack::Way::marks ? "always" : "none");
      feed_->start();
      attack_.emplace(*feed_, way_);
    }
    return *attack_;
  }
  void finish() {
    if (!feed_) return;
    feed_->finish();
    attack_.reset();
    feed_.reset();
  }

 private:
  std::string name_;
  BrokerAttack::Way way_;
  std::uint64_t seed_;
  std::uint64_t made_ = 0;
  std::optional<AttackedFeed> feed_;
  std::optional<BrokerAttack> attack_;
};

}  // namespace

bool attack_broker(const CampaignOptions& options) {
  struct Target {
    const char* name;
    const char* what;
    BrokerAttack::Way way;
  };
  constexpr Target kTargets[] = {
      {"sequencer-round", "leatd's sequencer, from wake-up to sleep, killed", BrokerAttack::Way::plain},
      {"sequencer-marks", "leatd's sequencer, with marks (--sync always), killed", BrokerAttack::Way::marks},
      {"sequencer-roll", "leatd's sequencer, with a roll, killed", BrokerAttack::Way::roll},
      {"start", "leatd in its start, killed", BrokerAttack::Way::plain},
  };
  for (const Target& target : kTargets) {
    if (!options.only.empty() && options.only != target.name) continue;
    const bool start = target.name == std::string("start");
    BrokerAttacks attacks(target.name, target.way, options.seed);
    const Scenario scenario{.name = target.name,
                            .what = target.what,
                            .unit = start ? "system calls" : "instructions",
                            .cases = 24,
                            .dense_before = 240,  // the journal's append comes before the commit
                            .dense_stride = 6,
                            .attack = [&](Path& path, std::uint64_t count) {
                              BrokerAttack& attack = attacks.next();
                              return start ? attack.in_the_start(path, count) : attack(path, count);
                            }};
    if (!run_scenario(options, scenario)) return false;
    attacks.finish();
  }
  return true;
}

}  // namespace leat::test
