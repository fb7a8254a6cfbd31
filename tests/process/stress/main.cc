// leat-stress: many producer and consumer processes on one feed; every consumer must get every event once, in order,
// byte for byte.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "process/stress/command_line.h"
#include "support/broker_process.h"
#include "support/child_process.h"
#include "support/environment.h"
#include "support/shared_page.h"

namespace {

using namespace leat;
using stress::Command;
using stress::Plan;
using Clock = std::chrono::steady_clock;

test::ChildProcess spawn(const Plan& plan, const char* role, std::uint32_t index) {
  const auto text = [](std::uint64_t value) { return std::to_string(value); };
  return test::ChildProcess({.arguments = {test::own_executable(),
                                           "--role",
                                           role,
                                           "--index",
                                           text(index),
                                           "--page",
                                           plan.page,
                                           "--producers",
                                           text(plan.producers),
                                           "--events",
                                           text(plan.events),
                                           "--consumers",
                                           text(plan.consumers),
                                           "--slow-consumers",
                                           text(plan.slow_consumers),
                                           "--ring-bytes",
                                           text(plan.ring_bytes),
                                           "--max-payload-bytes",
                                           text(plan.max_payload_bytes),
                                           "--seed",
                                           text(plan.seed),
                                           "--feed",
                                           plan.address.feed,
                                           "--runtime-dir",
                                           plan.address.runtime_dir,
                                           "--data-dir",
                                           plan.address.data_dir},
                             .environment = {},
                             .output = {},
                             .user = std::nullopt});
}

std::uint64_t sum(const test::SharedPage& page, std::size_t first, std::uint32_t count) {
  std::uint64_t total = 0;
  for (std::uint32_t i = 0; i < count; ++i) total += page[first + i].load();
  return total;
}

void show_progress(const Plan& plan, const test::SharedPage& page) {
  if (::isatty(STDERR_FILENO) == 0) return;
  const double total = static_cast<double>(plan.events * plan.producers);
  std::fprintf(stderr, "\rpublished %5.1f %%, delivered",
               100.0 * static_cast<double>(sum(page, 0, plan.producers)) / total);
  for (std::uint32_t i = 0; i < plan.consumers; ++i) {
    const auto delivered = page[stress::consumer_word(i, stress::kDelivered)].load();
    std::fprintf(stderr, " %5.1f %%", 100.0 * static_cast<double>(delivered) / total);
  }
}

// Waits for all; when one fails, the others are ended, for they would wait for ever.
bool wait_for_all(std::vector<test::ChildProcess>& children, const Plan& plan, const test::SharedPage& page) {
  constexpr auto kLook = std::chrono::milliseconds(20);
  for (bool some = true; some; std::this_thread::sleep_for(kLook)) {
    some = false;
    for (test::ChildProcess& child : children) {
      if (child.running()) {
        some = true;
      } else if (child.wait() != 0) {
        return false;
      }
    }
    show_progress(plan, page);
  }
  return true;
}

void print_summary(const Plan& plan, const test::SharedPage& page, double elapsed_s) {
  const double events = static_cast<double>(sum(page, stress::kProducedWord, plan.producers));
  const double bytes = static_cast<double>(sum(page, stress::kBytesWord, plan.producers));
  std::printf("%u producers, %.0f events, %.1f MB of payload in %.1f s: %.0f events/s, %.1f MB/s\n", plan.producers,
              events, bytes / 1e6, elapsed_s, events / elapsed_s, bytes / 1e6 / elapsed_s);
  for (std::uint32_t i = 0; i < plan.consumers; ++i) {
    const auto word = [&](stress::ConsumerWord which) {
      return static_cast<unsigned long long>(page[stress::consumer_word(i, which)].load());
    };
    std::printf(
        "consumer %u%s: %llu events, %llu MB from the ring, %llu MB from the journal, lapped in a copy %llu "
        "times, fell behind on purpose %llu times\n",
        i, i < plan.slow_consumers ? " (slow)" : "", word(stress::kDelivered), word(stress::kRingBytes) / 1000000,
        word(stress::kJournalBytes) / 1000000, word(stress::kLapped), word(stress::kFellBehind));
  }
}

bool slow_ones_were_lapped(const Plan& plan, const test::SharedPage& page) {
  const std::uint64_t laps = plan.events * plan.producers / (2 * plan.ring_bytes / 512);
  for (std::uint32_t i = 0; laps > 16 && i < plan.slow_consumers; ++i) {
    if (page[stress::consumer_word(i, stress::kFellBehind)].load() < 2 ||
        page[stress::consumer_word(i, stress::kJournalBytes)].load() == 0) {
      std::printf("consumer %u was not lapped: the run proves less than it should\n", i);
      return false;
    }
  }
  return true;
}

bool run(Command& command, test::BrokerProcess& broker) {
  Plan& plan = command.plan;
  plan.page = (broker.scratch() / "page").string();
  const test::SharedPage page(plan.page);
  std::vector<test::ChildProcess> children;
  const auto started = Clock::now();
  for (std::uint32_t i = 0; i < plan.consumers; ++i) children.push_back(spawn(plan, "consumer", i));
  for (std::uint32_t i = 0; i < plan.producers; ++i) children.push_back(spawn(plan, "producer", i));
  bool good = wait_for_all(children, plan, page);
  children.clear();
  if (::isatty(STDERR_FILENO) != 0) std::fputc('\n', stderr);
  print_summary(plan, page, std::chrono::duration<double>(Clock::now() - started).count());
  good = good && slow_ones_were_lapped(plan, page);
  if (command.external_broker) return good;
  if (const int status = broker.terminate(); status != 0) {
    std::printf("leatd ended with status %d\n", status);
    good = false;
  }
  for (const std::string& line : broker.unexpected_log_lines()) {
    std::printf("leatd said: %s\n", line.c_str());
    good = false;
  }
  return good;
}

bool set_up_broker(Command& command, test::BrokerProcess& broker) {
  if (!command.runtime_dir.empty()) broker.set_runtime_dir(command.runtime_dir);
  if (!command.data_dir.empty()) broker.set_data_dir(command.data_dir);
  const std::string feed = command.plan.address.feed;
  command.plan.address = broker.address();
  if (command.external_broker) {
    command.plan.address.feed = feed;
    return true;
  }
  broker.set("--ring-bytes", command.plan.ring_bytes);
  broker.set("--max-event-bytes", command.plan.max_payload_bytes + 1024);
  broker.set("--arena-bytes", "1M");
  broker.set("--segment-bytes", "64M");
  broker.set("--max-producers", "64");
  broker.set("--sync-interval-ms", "50");
  const auto started = broker.start();
  if (!started) std::fprintf(stderr, "leat-stress: %s\n", started.error().message.c_str());
  return started.ok();
}

}  // namespace

int main(int argc, char** argv) {
  Command command;
  command.plan.seed = 0;
  command.plan.address.feed = "test";
  cmdline::Command app{
      "leat-stress: many producers and consumers on one feed; every consumer must get every event once, in "
      "order, byte for byte. Exit status: 0 PASS, 1 FAIL, 2 bad option."};
  stress::declare_options(app, command);
  try {
    cmdline::parse(app, argc, argv);
  } catch (const cmdline::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (command.role == "producer" || command.role == "consumer") {
    command.plan.address.runtime_dir = command.runtime_dir;
    command.plan.address.data_dir = command.data_dir;
    return command.role == "producer" ? stress::run_producer(command.plan, command.index)
                                      : stress::run_consumer(command.plan, command.index);
  }
  if (command.plan.seed == 0) command.plan.seed = test::test_seed();
  std::printf("seed %llu\n", static_cast<unsigned long long>(command.plan.seed));
  test::BrokerProcess broker("stress");
  const bool good = set_up_broker(command, broker) && run(command, broker);
  if (!good || command.keep) {
    broker.keep_files();
    std::printf("kept: %s\n", broker.where().c_str());
  }
  std::printf("%s\n", good ? "PASS" : "FAIL");
  return good ? 0 : 1;
}
