#include "process/stress/command_line.h"

#include "shm/broadcast/broadcast_layout.h"

namespace leat::stress {

using cmdline::QuantityRule;

void declare_options(cmdline::Command& app, Command& command) {
  Plan& plan = command.plan;
  const auto most_events = std::uint64_t{1} << 40;
  cmdline::add_number(app, "--producers", plan.producers, QuantityRule::count(1, kMaxProducers), "Producer processes");
  cmdline::add_number(app, "--events", plan.events, QuantityRule::count(1, most_events), "Events of each producer");
  cmdline::add_number(app, "--consumers", plan.consumers, QuantityRule::count(1, kMaxConsumers), "Consumer processes");
  cmdline::add_number(app, "--slow-consumers", plan.slow_consumers, QuantityRule::count(0, kMaxConsumers),
                      "So many of them let themselves be lapped over and over");
  cmdline::add_number(app, "--ring-bytes", plan.ring_bytes,
                      QuantityRule::bytes(internal::kMinRingBytes, internal::kMaxRingBytes), "Broadcast ring");
  cmdline::add_number(app, "--max-payload-bytes", plan.max_payload_bytes,
                      QuantityRule::bytes(1, internal::kMaxRingBytes), "Largest payload; most are far smaller");
  cmdline::add_number(app, "--seed", plan.seed, QuantityRule::count(0, UINT64_MAX), "Of sizes and contents",
                      "0, random, printed");
  app.add_option("--feed", plan.address.feed, "With --external-broker: the feed, which must be new")
      ->capture_default_str();
  app.add_option("--runtime-dir", command.runtime_dir, "Of leatd; default: one of its own in /dev/shm");
  app.add_option("--data-dir", command.data_dir, "Of leatd; default: one of its own in $TMPDIR");
  app.add_flag("--external-broker", command.external_broker, "Use the leatd that runs there; do not start one");
  app.add_flag("--keep", command.keep, "Keep journal and log in any case");
  app.add_option("--role", command.role)->group("");
  cmdline::add_number(app, "--index", command.index, QuantityRule::count(0, kMaxProducers), "")->group("");
  app.add_option("--page", plan.page)->group("");
}

}  // namespace leat::stress
