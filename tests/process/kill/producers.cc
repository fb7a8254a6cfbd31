// A producer killed, or stopped and continued, after any instruction of publish, publish_batch, claim and commit.
//
// Killed: what it was told is accepted is delivered; its unfinished entry is delivered once and whole, or not at all;
// and which of the two it is, is settled by the kill: nothing of it comes behind what is published after that (I6).
// Stopped: the others go on, and past its ticket; once it goes on, its entry is delivered once.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "process/kill/scenarios.h"
#include "process/kill/victim.h"

namespace leat::test {

namespace {

Publish claim_and_commit(Producer& producer, std::span<const Event> events) {
  std::span<std::byte> room;
  const Event& event = events.front();
  if (const Publish claimed = producer.claim(event, event.payload.size(), room); claimed != Publish::ok) return claimed;
  std::ranges::copy(std::as_bytes(std::span(event.payload)), room.begin());
  return producer.commit();
}

constexpr VictimCall kCalls[] = {
    {"publish", 1, [](Producer& producer, std::span<const Event> events) { return producer.try_publish(events[0]); }},
    {"publish_batch", kVictimBatch,
     [](Producer& producer, std::span<const Event> events) { return producer.try_publish_batch(events); }},
    {"claim_commit", 1, &claim_and_commit},
};

class ProducerAttack {
 public:
  ProducerAttack(AttackedFeed& feed, const VictimCall& call, bool kill) : feed_(feed), call_(call), kill_(kill) {}

  Attack operator()(Path& path, std::uint64_t instruction) {
    const std::uint32_t index = next_victim_index();
    SteppedCall child([&](ChildReport& report) { return make_victim(feed_, index, call_, report); });
    const Path::Reached reached = child.advance(path, instruction);
    bool seen_before_it_went_on = false;
    if (!kill_) {
      (void)feed_.go_on(4);  // past its ticket, if it holds one
      seen_before_it_went_on = feed_.delivered(index) > kVictimBefore;
      child.let_finish();
    } else {
      child.kill();
    }
    (void)feed_.go_on(1);
    const std::uint64_t told = child.report().accepted.load();
    const std::uint64_t came = feed_.delivered(index);
    const bool whole = came == kVictimBefore + call_.events;
    if (came < told || (came != kVictimBefore && !whole)) {
      throw Broken("it was told that " + std::to_string(told) + " events were accepted, delivered were " +
                   std::to_string(came) + " of " + std::to_string(kVictimBefore + call_.events));
    }
    feed_.close_books(index, came);
    if (reached == Path::Reached::lost) return Attack::lost;
    if (reached == Path::Reached::ended) return Attack::too_far;
    const bool was_visible = kill_ ? whole : seen_before_it_went_on;
    note_visible(instruction, was_visible);
    return was_visible ? Attack::done_past : Attack::done;
  }

  [[nodiscard]] std::uint64_t first_visible() const { return first_visible_; }

 private:
  // One instruction, the swap of the slot, makes the difference. On a busy machine it comes some instructions later:
  // when the ticket is given up before, the producer takes another one; when 50 ms have passed since the last look, the
  // producer asks whether its connection is still there.
  static constexpr std::uint64_t kLongerWay = 300;
  void note_visible(std::uint64_t instruction, bool visible) {
    if (visible) first_visible_ = std::min(first_visible_, instruction);
    if (!visible) last_absent_ = std::max(last_absent_, instruction);
    if (first_visible_ != ~0ULL && last_absent_ >= first_visible_ + kLongerWay) {
      throw Broken("cut short after instruction " + std::to_string(last_absent_) + " its entry was not there, after " +
                   std::to_string(first_visible_) + " it was there already");
    }
  }

  AttackedFeed& feed_;
  const VictimCall& call_;
  bool kill_;
  std::uint64_t first_visible_ = ~0ULL;
  std::uint64_t last_absent_ = 0;
};

}  // namespace

bool attack_producers(const CampaignOptions& options) {
  AttackedFeed feed("kill-producers", options.seed, 1 << 20);
  feed.start();
  for (const VictimCall& call : kCalls) {
    for (const bool kill : {true, false}) {
      ProducerAttack attack(feed, call, kill);
      Scenario scenario{.name = std::string(call.name) + (kill ? "-killed" : "-stopped"),
                        .what =
                            std::string("a producer in ") + call.name + (kill ? ", killed" : ", stopped and continued"),
                        .cases = 24,
                        .dense_before = 32,  // between taking the ticket and filling it
                        .attack = [&](Path& path, std::uint64_t count) { return attack(path, count); }};
      if (!options.only.empty() && options.only != scenario.name) continue;
      if (!run_scenario(options, scenario)) return false;
      if (kill) {
        std::printf("        its entry is there from instruction %llu on\n",
                    static_cast<unsigned long long>(attack.first_visible()));
      }
    }
  }
  feed.finish();
  return true;
}

}  // namespace leat::test
