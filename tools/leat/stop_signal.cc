#include "tools/leat/stop_signal.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>

#include "tools/leat/exit_code.h"

namespace leat::tool {
namespace {

volatile std::sig_atomic_t noted_signal = 0;

extern "C" void note_signal(int signal) { noted_signal = signal; }

}  // namespace

void watch_stop_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction old {};
    if (::sigaction(signal, nullptr, &old) != 0 || old.sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = note_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = static_cast<int>(SA_RESETHAND);  // no SA_RESTART: a blocked read or write must return
    ::sigaction(signal, &action, nullptr);
  }
}

int stop_signal() noexcept { return noted_signal; }

int stopped_status() noexcept { return kExitSignalBase + stop_signal(); }

void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  ::raise(signal);
  ::_exit(kExitSignalBase + signal);  // the signal is blocked: say the same in numbers
}

bool sleep_unless_stopped(std::chrono::nanoseconds duration) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + duration;
  while (stop_signal() == 0) {
    const auto left = std::min<std::chrono::nanoseconds>(end - Clock::now(), kStopSlice);
    if (left.count() <= 0) return true;
    const timespec slice{.tv_sec = 0, .tv_nsec = static_cast<long>(left.count())};
    ::nanosleep(&slice, nullptr);
  }
  return false;
}

}  // namespace leat::tool
