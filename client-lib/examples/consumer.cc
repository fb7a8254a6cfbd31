#include <leat/leat.h>
#include <iostream>

int main() {
  auto consumer = leat::Consumer::connect({.address = {.feed = "demo"}, .start = leat::Start::earliest()});
  if (!consumer) return std::cerr << consumer.error().message << '\n', 1;
  const auto print = [](const leat::EventView& event) { std::cout << event.sequence << ' ' << event.payload << '\n'; };
  for (;;) {
    const leat::Ended ended = consumer->for_each(print, std::chrono::seconds(2));
    if (ended.why == leat::Ended::Why::idle) return 0;  // caught up, and nothing new for two seconds
    std::cerr << ended.to_string() << '\n';
    if (ended.why == leat::Ended::Why::error) return 1;
    // A Reset: events are missing. Read the state anew from where it is kept; for_each() then goes on behind the hole.
  }
}
