#include "broker/host/signals.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <initializer_list>
#include <system_error>

#include "base/event_fd.h"

namespace leat::broker {

namespace {

// Ends our own thread; from anybody else it does nothing.
constexpr int kEndSignal = SIGUSR2;

}  // namespace

void SignalThread::block_signals() noexcept {
  sigset_t blocked;
  sigfillset(&blocked);
  // Faults must be dealt with where they happen; quitting with a core and job control stay what they are.
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGQUIT, SIGXCPU, SIGTSTP,
                           SIGTTIN, SIGTTOU, SIGCONT}) {
    sigdelset(&blocked, signal);
  }
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  std::signal(SIGHUP, SIG_DFL);  // under nohup it is ignored, and would never be seen
}

Result<std::unique_ptr<SignalThread>> SignalThread::start(std::function<void()> on_hangup) {
  internal::UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.valid()) return system_error(errno, "eventfd");
  std::unique_ptr<SignalThread> made(new SignalThread(std::move(stop), std::move(on_hangup)));
  try {
    made->thread_ = std::thread([thread = made.get()] { thread->run(); });
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "starting the thread that takes signals");
  }
  return made;
}

SignalThread::~SignalThread() {
  if (!thread_.joinable()) return;
  ending_.store(true);
  ::pthread_kill(thread_.native_handle(), kEndSignal);
  thread_.join();
}

void SignalThread::run() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, kEndSignal}) sigaddset(&wanted, signal);
  while (!ending_.load()) {
    const int signal = ::sigwaitinfo(&wanted, nullptr);
    if (signal == SIGHUP) on_hangup_();
    if (signal != SIGTERM && signal != SIGINT) continue;
    internal::make_readable(stop_.get());
  }
}

}  // namespace leat::broker
