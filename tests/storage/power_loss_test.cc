// Power loss: the real broker runs without threads over a recorded disk, and at every call that it makes on the
// journal, and after every round, disks are built that a loss of power could leave there. Each must open to all that
// was durable, a clean cut behind it, and never a wrong record. Then one of them is the disk that the next broker
// starts on.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <unordered_set>

#include "record/record.h"
#include "broker/log.h"
#include "tests/storage/broker_steps.h"
#include "tests/storage/campaign.h"
#include "tests/storage/crash_states.h"
#include "tests/storage/oracle.h"
#include "tests/unit/fixtures/temp_directory.h"

namespace leat::test {
namespace {

constexpr std::uint64_t kShortDisks = 20'000;
constexpr std::uint64_t kLongDisks = 1'000'000;
constexpr std::uint64_t kAllowedFailures = 3;  // reported one by one; more of them tell nothing new

struct Counts {
  std::uint64_t disks = 0;
  std::uint64_t repeated = 0;
  std::uint64_t moments = 0;
  std::uint64_t calls = 0;
  std::uint64_t sectors = 0;
  std::uint64_t starts = 0;
  std::uint64_t power_losses = 0;
  std::uint64_t kills = 0;
  std::uint64_t closes = 0;
  std::uint64_t recycled = 0;
  std::uint64_t events = 0;
  std::uint64_t tails_lost = 0;
  std::uint64_t failures = 0;
};

std::uint64_t hash_of(const Image& image, const Told& told) {
  std::uint64_t hash = told.durable_sequence * 31 + told.visible_sequence;
  for (const auto& [name, bytes] : image) {
    hash = internal::checksum_bytes(name.data(), name.size(), hash);
    hash = internal::checksum_bytes(bytes.data(), bytes.size(), hash);
  }
  return hash;
}

// A feed through some lives of its broker, each ended by a loss of power, a kill, or a clean stop.
class Story {
 public:
  Story(std::uint64_t seed, Counts& counts, std::unordered_set<std::uint64_t>& known)
      : seed_(seed), random_(seed), counts_(counts), known_(known) {
    options_ = OneFeed::small_options();
    options_.feed = "feed";
    options_.runtime_dir = (directory_.path() / "run").string();
    options_.data_dir = (directory_.path() / "data").string();
    options_.cursor_hold_bytes = 0;
    constexpr broker::SyncPolicy kPolicies[] = {broker::SyncPolicy::interval, broker::SyncPolicy::always,
                                                broker::SyncPolicy::none};
    options_.sync = kPolicies[below(3)];
    std::filesystem::create_directories(journal());
    std::filesystem::create_directories(options_.runtime_dir);
  }

  void play() {
    const std::size_t lives = 2 + below(3);
    begin_recording();
    for (std::size_t life = 0; life < lives && !broken_; ++life) {
      options_.retain_bytes = (2 + below(3)) * internal::kMinSegmentBytes;
      if (!open()) return;
      live();
      if (broken_) return;
      end(below(6));
    }
  }

  /// A life that retains all, and one that retains so little that many segments go, one after the other.
  void prune_many_at_once() {
    options_.retain_bytes = 0;
    begin_recording();
    disk_->moment = nullptr;  // what this life leaves on disks is play()'s matter
    if (!open()) return;
    sizes_ = 3;
    while (broker_->segments() < 6) {
      publish();
      broker_->tidy();
      broker_->sync();
      disk_->observe();
    }
    disk_->moment = [this] { moment(); };
    end(kKill);
    options_.retain_bytes = 2 * internal::kMinSegmentBytes;
    random_disks_ = 100;
    if (!open()) return;
    // One a step, with no event and no sync of a file in between.
    for (int steps = 0; broker_->segments() >= 4 && steps < 10 && !broken_; ++steps) {
      broker_->sync();
      disk_->observe();
      moment();
    }
    EXPECT_LT(broker_->segments(), 4u);
  }

 private:
  [[nodiscard]] std::filesystem::path journal() const { return directory_.path() / "data" / "feed"; }
  [[nodiscard]] std::filesystem::path scratch() const { return directory_.path() / "crashed"; }
  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }
  bool one_in(std::size_t bound) { return below(bound) == 0; }

  void begin_recording() {
    disk_.reset();
    disk_ = std::make_unique<Disk>(journal());
    disk_->moment = [this] { moment(); };
  }

  bool open() {
    ++counts_.starts;
    broker_ = std::make_unique<BrokerSteps>(options_);
    if (auto opened = broker_->open(); !opened) {
      report("the broker cannot start: " + opened.error().message, {});
      return false;
    }
    told_.feed_made = true;
    serving_ = true;
    sizes_ = below(4);
    seen_ = &told_.seen[broker_->epoch()];
    tell("begins");
    if (broker_->visible_sequence() == told_.visible_sequence) return true;
    report("the broker begins at sequence " + std::to_string(broker_->visible_sequence()) + ", visible was " +
               std::to_string(told_.visible_sequence),
           {});
    return false;
  }

  // With LEAT_TELL_STORY in the environment: what happens, for whoever looks into a failure.
  void tell(const char* what) const {
    if (std::getenv("LEAT_TELL_STORY") == nullptr) return;
    std::printf(
        "  a life %s: policy %d, %zu events in line, visible %llu, durable %llu, retained from %llu, stalled %d\n",
        what, static_cast<int>(options_.sync), told_.line.size(),
        static_cast<unsigned long long>(told_.visible_sequence),
        static_cast<unsigned long long>(told_.durable_sequence),
        static_cast<unsigned long long>(told_.earliest_sequence), broker_->stalled() ? 1 : 0);
  }

  void listen() {
    if (!serving_) return;
    told_.visible_sequence = broker_->visible_sequence();
    told_.durable_sequence = std::max(told_.durable_sequence, broker_->durable_sequence());
    told_.durable_position = std::max(told_.durable_position, broker_->durable_position());
    told_.earliest_sequence = std::max(told_.earliest_sequence, broker_->earliest_sequence());
    for (std::uint64_t s = seen_->size() + 1; s <= told_.visible_sequence; ++s) seen_->push_back(told_.line[s - 1]);
  }

  void live() {
    const std::size_t steps = 30 + below(60);
    for (std::size_t i = 0; i < steps && !broken_; ++i) {
      switch (below(10)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4: publish(); break;
        case 5:
        case 6: broker_->tidy(); break;
        case 7:
        case 8: broker_->sync(); break;
        default: one_in(3) ? save_cursor() : publish(); break;
      }
      disk_->observe();
      moment();
    }
  }

  // Sizes are multiples of a mark's, so that records of one life often begin where those of another did.
  std::string next_payload() {
    static constexpr std::size_t kMultiples[4][4] = {{1, 1, 2, 1}, {2, 3, 1, 7}, {10, 2, 12, 1}, {12, 12, 12, 5}};
    const std::size_t record = internal::kMarkRecordBytes * kMultiples[sizes_][below(4)];
    std::string payload = std::to_string(++next_event_) + ".";
    payload.resize(record - internal::kRecordHeaderBytes - 1, static_cast<char>('a' + next_event_ % 26));
    return payload;
  }

  void publish() {
    const std::size_t most = sizes_ < 2 ? 3 : 2;  // an entry takes at most half the arena
    const std::size_t count = one_in(4) ? 2 + below(most - 1) : 1;
    std::vector<std::string> payloads;
    std::vector<Event> events;
    for (std::size_t i = 0; i < count; ++i) payloads.push_back(next_payload());
    for (const std::string& payload : payloads) events.push_back({.topic = "u", .payload = payload});
    const std::size_t before = told_.line.size();
    for (std::size_t i = 0; i < count; ++i) told_.line.push_back(next_event_ - count + 1 + i);
    if (!broker_->publish(events)) {
      told_.line.resize(before);
      return;
    }
    counts_.events += count;
  }

  void save_cursor() {
    told_.cursor_saved = std::max(told_.cursor_saved, told_.visible_sequence);
    const std::uint64_t saved = told_.cursor_saved;
    if (auto done = broker_->save_cursor(kCursorName, saved); !done) report(done.error().message, {});
    told_.cursor_durable = saved;
  }

  // 0: a clean stop; 1, 2: a kill; 3 and more: a loss of power.
  static constexpr std::size_t kKill = 1;
  void end(std::size_t how) {
    if (how == 0) {
      broker_->sync();
      broker_->sync();
      if (auto closed = broker_->close(); !closed) return report("no clean stop: " + closed.error().message, {});
      ++counts_.closes;
    }
    disk_->observe();
    moment();
    if (how == 0 && told_.durable_sequence != told_.visible_sequence) report("a clean stop left events behind", {});
    counts_.recycled += broker_->recycled();
    serving_ = false;
    tell(how == 0 ? "ends by a clean stop" : how >= 3 ? "ends by a loss of power" : "ends by a kill");
    if (how >= 3) return lose_power();
    if (how != 0) ++counts_.kills;
    broker_.reset();
    if (how == 2 || one_in(2)) {
      std::filesystem::remove_all(options_.runtime_dir);
      std::filesystem::create_directories(options_.runtime_dir);
      told_.line.resize(told_.visible_sequence);  // what waited for its turn went with its arena
    }
  }

  // The next broker finds one of the disks that could be there now, on a host that has booted anew.
  void lose_power() {
    ++counts_.power_losses;
    disk_->moment = nullptr;
    const CrashStates states(*disk_);
    const Image image = one_in(4) ? states.systematic(below(states.systematic_count())) : states.random(random_);
    disk_.reset();
    broker_.reset();
    materialize(image, scratch());
    const Verdict verdict = judge_disk(scratch(), told_, false);
    if (!verdict.broken.empty()) return report(verdict.broken, image);
    counts_.tails_lost += verdict.last_sequence < told_.visible_sequence ? 1 : 0;
    told_.line.resize(verdict.last_sequence);
    told_.visible_sequence = told_.durable_sequence = verdict.last_sequence;
    told_.durable_position = 0;  // known again when the broker has started
    std::filesystem::remove_all(options_.runtime_dir);
    std::filesystem::create_directories(options_.runtime_dir);
    materialize(image, journal());
    begin_recording();
  }

  void moment() {
    if (broken_) return;
    listen();
    ++counts_.moments;
    const CrashStates states(*disk_);
    const std::size_t systematic = states.systematic_count();
    constexpr std::size_t kSystematic = 5;
    for (std::size_t i = 0; i < 4 && !broken_; ++i) try_disk(states.systematic(i));
    for (std::size_t i = 0; i < kSystematic && !broken_; ++i) try_disk(states.systematic(below(systematic)));
    for (std::size_t i = 0; i < random_disks_ && !broken_; ++i) try_disk(states.random(random_));
  }

  void try_disk(const Image& image) {
    if (!known_.insert(hash_of(image, told_)).second) {
      ++counts_.repeated;
      return;
    }
    ++counts_.disks;
    materialize(image, scratch());
    const Verdict verdict = judge_disk(scratch(), told_, counts_.disks % 4 == 0);
    if (!verdict.broken.empty()) report(verdict.broken, image);
  }

  void report(const std::string& what, const Image& image) {
    broken_ = true;
    ++counts_.failures;
    std::string kept;
    if (const char* const where = std::getenv("LEAT_KEEP_DISKS"); where != nullptr && !image.empty()) {
      const auto path = std::filesystem::path(where) / ("disk-" + std::to_string(seed_));
      materialize(image, path);
      kept = "; kept in " + path.string();
    }
    ADD_FAILURE() << what << "\n  after " << counts_.disks << " disks, in the story of seed " << seed_
                  << " (repeat: LEAT_TEST_SEED=" << seed_ << "; with LEAT_KEEP_DISKS=<directory> the disk is kept)"
                  << kept;
  }

  std::uint64_t seed_;
  std::mt19937_64 random_;
  Counts& counts_;
  std::unordered_set<std::uint64_t>& known_;
  TempDirectory directory_;
  broker::Options options_;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<BrokerSteps> broker_;
  Told told_;
  std::vector<std::uint64_t>* seen_ = nullptr;
  bool serving_ = false;
  bool broken_ = false;
  std::size_t sizes_ = 0;
  std::size_t random_disks_ = 5;  // at each moment
  std::uint64_t next_event_ = 0;
};

TEST(PowerLoss, LeavesAllThatWasDurableAndACleanCut) {
  broker::Log::set_level("off");
  const std::uint64_t target = is_long() ? kLongDisks : kShortDisks;
  std::uint64_t seed = test_seed();
  Counts counts;
  std::uint64_t stories = 0;
  std::unordered_set<std::uint64_t> known;
  for (; counts.disks < target && counts.failures < kAllowedFailures; ++stories) {
    Story(seed++, counts, known).play();
  }
  std::printf(
      "power loss: %llu disks judged (%llu repeated ones left out) at %llu moments of %llu stories: %llu starts, "
      "%llu losses of power (%llu of them lost a visible tail), %llu kills, %llu clean stops, %llu events, "
      "%llu segments recycled\n",
      static_cast<unsigned long long>(counts.disks), static_cast<unsigned long long>(counts.repeated),
      static_cast<unsigned long long>(counts.moments), static_cast<unsigned long long>(stories),
      static_cast<unsigned long long>(counts.starts), static_cast<unsigned long long>(counts.power_losses),
      static_cast<unsigned long long>(counts.tails_lost), static_cast<unsigned long long>(counts.kills),
      static_cast<unsigned long long>(counts.closes), static_cast<unsigned long long>(counts.events),
      static_cast<unsigned long long>(counts.recycled));
  EXPECT_GT(counts.tails_lost, 0u);
  EXPECT_GT(counts.recycled, 0u);
}

TEST(PowerLoss, LeavesNoHoleWhereManySegmentsGo) {
  broker::Log::set_level("off");
  const std::uint64_t target = is_long() ? 20'000 : 2'000;
  std::uint64_t seed = test_seed();
  Counts counts;
  std::unordered_set<std::uint64_t> known;
  while (counts.disks < target && counts.failures == 0) Story(seed++, counts, known).prune_many_at_once();
  std::printf("power loss while many segments go: %llu disks\n", static_cast<unsigned long long>(counts.disks));
}

}  // namespace
}  // namespace leat::test
