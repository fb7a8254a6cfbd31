// A consumer in poll, reading from the ring, from the journal, or over a segment's end, cut short after any
// instruction.
//
// Killed: nobody notices. Stopped there while the ring is lapped, or while leatd is killed and started again, and then
// continued: it delivers everything from its place on, once and in order.
#include <chrono>
#include <optional>
#include <thread>

#include "process/kill/scenarios.h"
#include "process/kill/stepped_call.h"
#include "journal/read/journal_files.h"

namespace leat::test {

namespace {

// As much as a consumer reads at once; and few of them, as listing many takes many instructions.
constexpr std::uint64_t kSegmentBytes = 256 * 1024;
// Who reads the journal reads it to its end, so it is begun anew after so many attacks.
constexpr std::uint64_t kAttacksPerFeed = 100;

enum class Fault { killed, lapped, broker_restarted };

constexpr const char* name_of(Fault fault) {
  switch (fault) {
    case Fault::killed: return "killed";
    case Fault::lapped: return "lapped";
    case Fault::broker_restarted: return "broker-restarted";
  }
  return "";
}

struct Reader {
  std::optional<Consumer> consumer;
  EventView event;
  std::uint64_t next = 0;

  // Takes what poll() found; ends the process if it is wrong.
  void take(Poll found, std::uint64_t seed, ChildReport& report) {
    if (found == Poll::empty) return;
    if (found == Poll::reset) give_up(report, consumer->last_reset().to_string());
    if (found == Poll::error) give_up(report, consumer->last_error().message);
    if (event.sequence != next) {
      give_up(report, "it got sequence " + std::to_string(event.sequence) + ", expected " + std::to_string(next));
    }
    Generated generated;
    const auto producer = static_cast<std::uint32_t>(std::stoul(std::string(event.key.substr(1))));
    const Event made = generated.make(seed, producer, std::stoull(std::string(event.message_id)), kSmallEvents);
    if (event.payload != made.payload || event.topic != made.topic) give_up(report, "it got wrong bytes");
    ++next;
  }
};

// Where a reader starts, and how many events it takes before the poll that is stepped.
struct Place {
  const char* name;
  const char* what;
  std::uint64_t taken_before;
  std::uint64_t sequence = 0;
};

ChildPart make_reader(AttackedFeed& feed, const Place& place, ChildReport& report) {
  auto reader = std::make_shared<Reader>();
  ChildPart part;
  part.before = [&feed, &place, &report, reader] {
    auto connected = Consumer::connect({.address = feed.broker().address(),
                                        .name = "reader",
                                        .start = Start::at(place.sequence),
                                        .idle = Idle::block});
    while (!connected.ok() && connected.error().code == ErrorCode::busy) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      connected = Consumer::connect({.address = feed.broker().address(), .start = Start::at(place.sequence)});
    }
    if (!connected.ok()) give_up(report, "connect: " + connected.error().message);
    reader->consumer.emplace(std::move(*connected));
    reader->next = place.sequence;
    for (std::uint64_t i = 0; i < place.taken_before; ++i) {
      reader->take(reader->consumer->poll(reader->event), feed.seed(), report);
    }
  };
  part.call = [reader] { return static_cast<std::uint64_t>(reader->consumer->poll(reader->event)); };
  part.after = [&feed, &report, reader] {
    reader->take(static_cast<Poll>(report.outcome.load() - 1), feed.seed(), report);
    while (reader->next <= report.read_up_to.load()) {
      const Poll found = reader->consumer->wait(reader->event, std::chrono::seconds(60));
      if (found == Poll::empty) give_up(report, "it waited in vain for sequence " + std::to_string(reader->next));
      reader->take(found, feed.seed(), report);
    }
  };
  return part;
}

// The last event of the first segment: its successor begins another file.
std::uint64_t last_of_first_segment(AttackedFeed& feed) {
  auto files = need(internal::JournalFiles::open(feed.broker().journal().string()), "the journal");
  if (files.segments().size() < 2) throw Broken("the journal has no second segment yet");
  return files.segments()[1].first_sequence - 1;
}

class ReaderAttack {
 public:
  ReaderAttack(const Place& place, Fault fault, std::uint64_t seed) : place_(place), fault_(fault), seed_(seed) {}

  Attack operator()(Path& path, std::uint64_t count) {
    if (made_++ % kAttacksPerFeed == 0) begin();
    if (place_.name == std::string("ring")) place_.sequence = feed_->go_on(3) - 2;
    AttackedFeed& feed = *feed_;
    SteppedCall child([&](ChildReport& report) { return make_reader(feed, place_, report); });
    const Path::Reached reached = child.advance(path, count);
    switch (fault_) {
      case Fault::killed: child.kill(); break;
      case Fault::lapped: feed.lap(); break;
      case Fault::broker_restarted:
        feed.broker().kill9();
        (void)feed.publish_only();
        feed.restart();
        break;
    }
    const std::uint64_t latest = feed.go_on(2);
    if (fault_ != Fault::killed) {
      child.report().read_up_to.store(latest);
      child.let_finish();
    }
    if (reached == Path::Reached::lost) return Attack::lost;
    return reached == Path::Reached::there ? Attack::done : Attack::too_far;
  }
  void finish() {
    if (feed_) feed_->finish();
    feed_.reset();
  }

 private:
  void begin() {
    finish();
    feed_.emplace(std::string("kill-") + place_.name, seed_, kSegmentBytes);
    feed_->start();
    (void)feed_->go_on(kSegmentBytes / 96);  // over the end of a segment, and many laps
    if (place_.name == std::string("journal")) place_.sequence = 20;
    if (place_.name == std::string("segment-end")) place_.sequence = last_of_first_segment(*feed_);
  }

  Place place_;
  Fault fault_;
  std::uint64_t seed_;
  std::uint64_t made_ = 0;
  std::optional<AttackedFeed> feed_;
};

}  // namespace

bool attack_consumers(const CampaignOptions& options) {
  constexpr Place kPlaces[] = {{"ring", "reading the ring", 0},
                               {"journal", "reading the journal", 0},
                               {"segment-end", "going over a segment's end", 1}};
  for (const Fault fault : {Fault::killed, Fault::lapped, Fault::broker_restarted}) {
    for (const Place& place : kPlaces) {
      const std::string name = std::string("poll-") + place.name + "-" + name_of(fault);
      if (!options.only.empty() && options.only != name) continue;
      ReaderAttack attack(place, fault, options.seed);
      const Scenario scenario{.name = name,
                              .what = std::string("a consumer in poll, ") + place.what + ", " + name_of(fault),
                              .cases = fault == Fault::broker_restarted ? 8UL : 22UL,
                              .attack = [&](Path& path, std::uint64_t count) { return attack(path, count); }};
      if (!run_scenario(options, scenario)) return false;
      attack.finish();
    }
  }
  return true;
}

}  // namespace leat::test
