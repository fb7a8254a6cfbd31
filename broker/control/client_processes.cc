#include "broker/control/client_processes.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "broker/log.h"

namespace leat::broker {

using namespace internal;

namespace {

constexpr int kLooksPerTick = 64;  // into /proc
constexpr std::int64_t kLookPeriodNs = 200 * kNanosPerMilli;

}  // namespace

void ClientProcesses::add(ClientId client, pid_t pid, std::uint64_t start_time) {
  LEAT_ASSERT((client & kProcessBit) == 0);
  const bool added = processes_.try_emplace(client, Process{.pid = pid, .start_time = start_time, .pidfd = {}}).second;
  LEAT_ASSERT(added);
}

void ClientProcesses::remove(ClientId client) { processes_.erase(client); }

bool ClientProcesses::is_watched(ClientId client) const { return processes_.at(client).pidfd.valid(); }

Life ClientProcesses::watch(ClientId client) { return watch(processes_.at(client), client); }

Life ClientProcesses::watch(Process& process, ClientId client) {
  if (process.pid <= 0) return Life::unknown;
  const Life life = watch_by(process, client, open_process(process.pid));
  if (life != Life::alive) return life;
  // The number may be another process's by now.
  const std::uint64_t started = process_start_time(process.pid);
  const bool other = started != 0 && process.start_time != 0 && started != process.start_time;
  return other ? Life::gone : Life::alive;
}

void ClientProcesses::watch_peer(ClientId client, int socket) {
  Process& process = processes_.at(client);
  process.start_time = process_start_time(process.pid);
  ProcessHandle handle = open_peer_process(socket);
  if (handle.fd.valid()) (void)watch_by(process, client, std::move(handle));
  else (void)watch(process, client);
}

Life ClientProcesses::watch_by(Process& process, ClientId client, ProcessHandle handle) {
  LEAT_ASSERT(handle.fd.valid() == (handle.error == 0));
  if (handle.error == ESRCH) {
    ++unwatched_;  // whoever does not drop it now finds it with the next tick
    return Life::gone;
  }
  if (handle.fd.valid()) {
    process.pidfd = std::move(handle.fd);
    if (epoll_.watch(process.pidfd.get(), client | kProcessBit).ok()) return Life::alive;
    process.pidfd.reset();
  } else if (handle.unsupported() && !said_no_pidfd_) {
    said_no_pidfd_ = true;
    log::warn(
        "pidfd_open: {} (errno {}): the end of a process is looked for in /proc instead, a little later; an older "
        "kernel, or a seccomp profile that should allow it",
        std::strerror(handle.error), handle.error);
  }
  ++unwatched_;  // the call is not to be had, or no descriptor, or no memory: /proc is looked at with the ticks
  return look_at_process(process.pid, process.start_time);
}

// A pidfd is tried again with each look, as it may have been for want of descriptors.
std::vector<ClientId> ClientProcesses::find_gone() {
  const std::int64_t now = monotonic_ns();
  if (unwatched_ == 0 || now < next_look_ns_) return {};
  next_look_ns_ = now + kLookPeriodNs;
  std::vector<ClientId> gone;
  auto at = processes_.lower_bound(next_unwatched_);
  std::size_t seen = 0;
  std::size_t left = processes_.size();
  for (; left > 0 && seen < kLooksPerTick; --left, ++at) {
    if (at == processes_.end()) at = processes_.begin();
    auto& [client, process] = *at;
    if (process.pidfd.valid() || process.pid <= 0) continue;
    ++seen;
    const Life life = said_no_pidfd_ ? look_at_process(process.pid, process.start_time) : watch(process, client);
    if (life == Life::gone) gone.push_back(client);
  }
  next_unwatched_ = at == processes_.end() ? 0 : at->first;
  if (left == 0 && seen == 0) unwatched_ = 0;
  LEAT_ASSERT(gone.size() <= kLooksPerTick);
  return gone;
}

}  // namespace leat::broker
