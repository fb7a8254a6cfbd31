#include "process/faults/scenario.h"

#include <cstring>
#include <functional>

#include "process/faults/feed_life.h"

namespace leat::test {
namespace {

constexpr std::uint64_t kRounds = 4;
constexpr std::uint64_t kEventsPerRound = 50;
constexpr std::uint64_t kEventsInTheDark = 5;
constexpr std::uint64_t kLaterEvents = 60;

std::string leftovers(FeedLife& life) {
  std::string left;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(life.broker().journal(), ignored)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("prepared-") || name.starts_with("torn-")) left += " " + name;
  }
  for (const auto& entry : std::filesystem::directory_iterator(life.broker().runtime() / "shm", ignored)) {
    const std::string name = entry.path().filename();
    if (name != "lock" && !name.ends_with(".new")) left += " " + name;
  }
  return left;
}

// Another life's fork may hold a connection of this one open while leatd stops, which then keeps its rings: so it may
// stop once more. What is leaked stays.
void check_leftovers(FeedLife& life) {
  constexpr int kStops = 4;
  std::string left;
  for (int stop = 0; !(left = leftovers(life)).empty() && stop < kStops; ++stop) {
    life.start();
    life.stop();
  }
  if (!left.empty()) life.complain("left behind:" + left);
}

// The second part of the life, after the fault.
void look_again(FeedLife& life) {
  life.disarm();
  life.start();
  life.settle();
  life.wait_durable();
  life.save_cursor();
  life.let_go();
  life.stop();
  life.check_journal();
  check_leftovers(life);
}

void live(FeedLife& life) {
  life.start();
  life.connect();
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    life.publish(kEventsPerRound);
    life.wait_durable();
  }
  life.read_status();
  life.kill_and_publish(kEventsInTheDark);
  life.start();
  life.publish(kLaterEvents);
  life.save_cursor();
  life.visitor();
  life.wait_durable();
  life.save_cursor();
  life.check_descriptors();
  life.stop();
}

}  // namespace

std::string Fault::to_string() const {
  if (call == Call::none) return "no fault";
  const std::string what = error == kShortCount ? "a short count" : ::strerrorname_np(error);
  return std::string(kCallNames[static_cast<std::size_t>(call)]) + " " + std::to_string(first) +
         (times > 1 ? " and " + std::to_string(times - 1) + " more" : "") + ": " + what;
}

Outcome run_scenario(const ScenarioOptions& options) {
  FeedLife life(options);
  for (const auto& part : {&live, &look_again}) {
    if (life.outcome().wrong.empty()) part(life);
  }
  return life.finish();
}

}  // namespace leat::test
