// leatd's sequencer, giving up the ticket of a producer that has taken it and not filled it: stopped after any
// instruction, while that producer goes on and fills it; then the sequencer goes on, or is killed. Either it has filled
// its ticket, or it finds it gone and takes another one: its event comes once (I4).
#include <csignal>

#include "process/kill/scenarios.h"
#include "process/kill/stepped_sequencer.h"
#include "process/kill/victim.h"

namespace leat::test {

namespace {

constexpr VictimCall kPublish{"publish", 1, [](Producer& producer, std::span<const Event> events) {
                                return producer.try_publish(events[0]);
                              }};

Attack attack_skip(AttackedFeed& feed, bool kill, Path& path, std::uint64_t count) {
  const std::uint32_t index = next_victim_index();
  SteppedCall victim([&](ChildReport& report) { return make_victim(feed, index, kPublish, report); });
  const std::uint64_t visible = feed.go_on(1);
  Path::Reached reached{};
  bool skipped = false;
  {
    SteppedSequencer sequencer(feed.broker().pid());
    const std::uint64_t ticket = feed.inbound_tail();
    victim.step_until([&] { return feed.inbound_tail() != ticket; });
    (void)feed.publish_only();  // behind it
    reached = sequencer.advance(path, count, [&] { return feed.committed() > visible; });
    skipped = feed.inbound_head() > ticket;
    victim.let_finish();
    if (kill) {
      ::kill(feed.broker().pid(), SIGKILL);
      sequencer.reap();
    }
  }
  if (kill) {
    feed.broker().kill9();
    feed.restart();
  }
  (void)feed.go_on(1);
  feed.close_books(index, kVictimBefore + kPublish.events);
  switch (reached) {
    case Path::Reached::lost: return Attack::lost;
    case Path::Reached::ended: return Attack::too_far;
    case Path::Reached::there: break;
  }
  return skipped ? Attack::done_past : Attack::done;
}

}  // namespace

bool attack_skips(const CampaignOptions& options) {
  for (const bool kill : {false, true}) {
    const std::string name = std::string("skip-") + (kill ? "killed" : "stopped");
    if (!options.only.empty() && options.only != name) continue;
    AttackedFeed feed("kill-" + name, options.seed, 1 << 20);
    feed.broker().set("--idle", "block");
    feed.broker().set("--skip-wait-us", 2000);
    feed.start();
    const Scenario scenario{.name = name,
                            .what = std::string("leatd's sequencer, giving up a ticket that is filled meanwhile, ") +
                                    (kill ? "killed" : "stopped and continued"),
                            .cases = 24,
                            .dense_before = 48,  // between looking at the slot and swapping it
                            .attack = [&](Path& path, std::uint64_t count) {
                              return attack_skip(feed, kill, path, count);
                            }};
    if (!run_scenario(options, scenario)) return false;
    feed.finish();
  }
  return true;
}

}  // namespace leat::test
