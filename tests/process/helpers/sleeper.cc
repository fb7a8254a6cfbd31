// A helper with a named cursor: takes it, says how it is met, and leaves without having moved it.
#include <chrono>
#include <cstdio>
#include <string>

#include <leat/leat.h>

#include "support/helper_main.h"

namespace leat::test {
namespace {

// cursor: its name. look: 1 to take one event, or whatever else comes first
int run_sleeper(const HelperArguments& arguments) {
  auto consumer = Consumer::connect(
      {.address = arguments.address(), .start = Start::earliest(), .cursor_name = arguments.text("cursor")});
  if (!consumer) {
    std::fprintf(stderr, "%s\n", consumer.error().message.c_str());
    return 1;
  }
  if (arguments.number("look") == 0) return 0;
  EventView event;
  switch (consumer->wait(event, std::chrono::seconds(30))) {
    case Poll::event: std::fprintf(stderr, "event %llu\n", static_cast<unsigned long long>(event.sequence)); return 0;
    case Poll::reset:
      std::fprintf(stderr, "%s, wanted %llu\n",
                   consumer->last_reset().reason == Reset::Reason::expired ? "expired" : "another reset",
                   static_cast<unsigned long long>(consumer->last_reset().wanted_sequence));
      return 0;
    default: return 1;
  }
}

const HelperRegistration kSleeper("sleeper", &run_sleeper);

}  // namespace
}  // namespace leat::test
