// A helper that tries what it is allowed to, as whatever user it was started.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include <leat/leat.h>

#include "support/helper_main.h"
#include "process/helpers/words.h"

namespace leat::test {
namespace {

// Writes "<what>: <error name or ok>: <message>" lines to standard error, for the test to read in helpers.log.
template <typename T>
void tell(const char* what, const Result<T>& result) {
  if (result.ok()) {
    std::fprintf(stderr, "%s: ok\n", what);
  } else {
    std::fprintf(stderr, "%s: %s: %s\n", what, std::string(error_name(result.error().code)).c_str(),
                 result.error().message.c_str());
  }
}

void tell_open(const char* what, const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::fprintf(stderr, "%s: %s\n", what, fd >= 0 ? "opened" : "closed to us");
  if (fd >= 0) ::close(fd);
}

// events: how many a consumer must get, from the first on (0: none is asked for)
int run_outsider(const HelperArguments& arguments) {
  tell("publish", Producer::connect({.address = arguments.address()}));
  auto consumer = Consumer::connect({.address = arguments.address(), .start = Start::earliest()});
  tell("subscribe", consumer);
  tell("observe", FeedObserver::connect(arguments.address()));
  const std::string runtime = arguments.text("runtime") + "/" + arguments.text("feed");
  const std::string journal = arguments.text("data") + "/" + arguments.text("feed");
  tell_open("rings", runtime + "/shm");
  tell_open("inbound", runtime + "/shm/inbound");
  tell_open("broadcast", runtime + "/shm/broadcast");
  tell_open("registry", runtime + "/shm/registry");
  tell_open("identity", journal + "/feed");
  const std::uint64_t events = arguments.number("events");
  std::uint64_t taken = 0;
  EventView event;
  while (consumer.ok() && taken < events) {
    const Poll found = consumer->wait(event, std::chrono::seconds(30));
    if (found != Poll::event) {
      std::fprintf(stderr, "consume: stopped at %llu: %s\n", static_cast<unsigned long long>(taken),
                   consumer->last_error().message.c_str());
      return 1;
    }
    ++taken;
  }
  std::fprintf(stderr, "consumed: %llu\n", static_cast<unsigned long long>(taken));
  return 0;
}
const HelperRegistration kOutsider("outsider", &run_outsider);

}  // namespace
}  // namespace leat::test
