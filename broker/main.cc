// leatd: the broker of one feed.
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "broker/broker.h"
#include "broker/journal/fault_guard.h"
#include "broker/log.h"

namespace {

using namespace leat;

int complain(const Error& error, int status) {
  spdlog::critical("{}", error.message);
  return status;
}

// A client costs a few descriptors: as many of them as the system allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run_broker(const broker::Options& options) {
  if (auto ready = broker::set_up_log(options); !ready) {
    std::fprintf(stderr, "leatd: %s\n", ready.error().message.c_str());
    return broker::kExitFailed;
  }
  raise_descriptor_limit();
  // Blocked before any thread starts, so that only the signalfd sees them.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const shm::UniqueFd stop_fd(::signalfd(-1, &stop_signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!stop_fd.valid()) return complain(system_error(errno, "signalfd"), broker::kExitFailed);
  broker::install_fault_guard();

  for (const std::string& remark : broker::remarks(options)) spdlog::warn("{}", remark);

  broker::Broker broker(options);
  if (auto opened = broker.open(stop_fd.get()); !opened) {
    switch (opened.error().code) {
      case ErrorCode::closed: spdlog::info("{}", opened.error().message); return broker::kExitOk;
      case ErrorCode::busy: return complain(opened.error(), broker::kExitAnotherBroker);
      case ErrorCode::invalid_argument: return complain(opened.error(), broker::kExitUsage);
      default: return complain(opened.error(), broker::kExitFailed);
    }
  }
  return broker.run(stop_fd.get());
}

int run(int argc, char** argv) {
  ::umask(077);  // whatever we were started with: who may have more is told so file by file
  const broker::ParsedOptions parsed = broker::parse_options(argc, argv);
  if (parsed.exit_now) {
    std::fprintf(parsed.status == 0 ? stdout : stderr, "%s%s", parsed.text.c_str(),
                 parsed.text.ends_with('\n') ? "" : "\n");
    return parsed.status;
  }
  return run_broker(parsed.options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {  // the standard library's own: no memory, mostly
    std::fprintf(stderr, "leatd: [critical] %s; free some memory, then start leatd again\n", error.what());
    return broker::kExitFailed;
  }
}
