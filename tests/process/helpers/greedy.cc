// A helper that takes as much of a feed as it is given.
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <leat/leat.h>

#include "support/helper_main.h"

namespace leat::test {
namespace {

template <typename Handle, typename Connect>
void take_all(const char* what, std::vector<Handle>& taken, Connect connect) {
  for (int i = 0; i < 4096; ++i) {
    auto handle = connect(i);
    if (!handle) {
      std::fprintf(stderr, "%s: %zu, then %s: %s\n", what, taken.size(),
                   std::string(error_name(handle.error().code)).c_str(), handle.error().message.c_str());
      return;
    }
    taken.push_back(std::move(*handle));
  }
}

// Each of them is closed before the next one: only the cursors stay.
int take_cursors(const FeedAddress& address) {
  for (int saved = 0;;) {
    auto consumer =
        Consumer::connect({.address = address, .start = Start::earliest(), .cursor_name = "c" + std::to_string(saved)});
    if (!consumer && consumer.error().message.find("consumer slots") != std::string::npos)
      continue;  // free in a moment
    EventView event;
    Result<void> done = consumer ? Result<void>() : Result<void>(consumer.error());
    if (done && consumer->wait(event, std::chrono::seconds(30)) != Poll::event) return 1;
    if (done) done = consumer->save_cursor(consumer->cursor());
    if (!done) {
      std::fprintf(stderr, "cursors: %d, then %s: %s\n", saved, std::string(error_name(done.error().code)).c_str(),
                   done.error().message.c_str());
      return 0;
    }
    ++saved;
  }
}

// large: the bytes of the arenas that are asked for first; cursors: 1 if named cursors are all that is to be taken
int run_greedy(const HelperArguments& arguments) {
  if (arguments.number("cursors") != 0) return take_cursors(arguments.address());
  std::vector<Producer> producers;
  std::vector<Producer> large;
  std::vector<Consumer> consumers;
  take_all("large", large, [&](int) {
    return Producer::connect({.address = arguments.address(), .arena_bytes = arguments.number("large")});
  });
  take_all("producers", producers, [&](int) { return Producer::connect({.address = arguments.address()}); });
  take_all("consumers", consumers, [&](int) { return Consumer::connect({.address = arguments.address()}); });
  return 0;
}

const HelperRegistration kGreedy("greedy", &run_greedy);

}  // namespace
}  // namespace leat::test
