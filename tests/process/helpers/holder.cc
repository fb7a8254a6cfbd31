// A helper that dies and leaves a forked child behind, which holds all of its descriptors open.
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include <leat/leat.h>

#include "support/helper_main.h"

namespace leat::test {
namespace {

int run_holder(const HelperArguments& arguments) {
  auto producer = Producer::connect({.address = arguments.address(), .name = "holder"});
  auto consumer =
      Consumer::connect({.address = arguments.address(), .start = Start::earliest(), .cursor_name = "held"});
  auto observer = FeedObserver::connect(arguments.address());
  if (!producer || !consumer || !observer) return 1;
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, 0);  // it is to outlive us; the test ends it
    for (;;) ::pause();
  }
  std::fprintf(stderr, "child %d\n", static_cast<int>(child));
  ::raise(SIGKILL);
  return 1;
}

const HelperRegistration kHolder("holder", &run_holder);

}  // namespace
}  // namespace leat::test
