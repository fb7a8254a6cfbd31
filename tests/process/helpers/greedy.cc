// A helper that takes as much of a feed as it is given.
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
      std::fprintf(stderr, "%s: %zu, then %s: %s\n", what, taken.size(), std::string(error_name(handle.error().code)).c_str(),
                   handle.error().message.c_str());
      return;
    }
    taken.push_back(std::move(*handle));
  }
}

int run_greedy(const HelperArguments& arguments) {
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
