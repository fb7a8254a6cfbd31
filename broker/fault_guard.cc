#include "broker/fault_guard.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/check.h"
#include "base/words.h"
#include "shm/ingest/inbound_layout.h"

namespace leat::broker {
namespace {

struct WatchedRange {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};
  std::atomic<FaultKind> kind{FaultKind::none};
  std::atomic<int> fd{-1};
};

// One per arena, the other files of the runtime directory, and a few segments; found by the handler without locks.
constexpr int kMaxRanges = static_cast<int>(internal::kMaxProducerSlots) + 64;
WatchedRange g_ranges[kMaxRanges];
internal::AtomicEnum<internal::FeedState>* g_state_words[2] = {nullptr, nullptr};

const WatchedRange* range_at(std::uintptr_t address) noexcept {
  for (const WatchedRange& range : g_ranges) {
    const FaultKind kind = range.kind.load(std::memory_order_acquire);
    if (kind != FaultKind::none && address >= range.begin.load(std::memory_order_relaxed) &&
        address < range.end.load(std::memory_order_relaxed)) {
      return &range;
    }
  }
  return nullptr;
}

// Faults in files that were as long as they should be, since one was last made whole: another thread may have done that
// between our fault and our look, but if it goes on, there is no memory.
std::atomic<int> g_faults_when_whole{0};
constexpr int kMaxFaultsWhenWhole = 256;

// False if the memory cannot be had for another reason than that the file is too short. fstat and ftruncate are safe in
// a signal handler.
bool make_whole(const WatchedRange& range) noexcept {
  const auto bytes =
      static_cast<off_t>(range.end.load(std::memory_order_relaxed) - range.begin.load(std::memory_order_relaxed));
  const int fd = range.fd.load(std::memory_order_relaxed);
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  if (status.st_size >= bytes) return g_faults_when_whole.fetch_add(1, std::memory_order_relaxed) < kMaxFaultsWhenWhole;
  g_faults_when_whole.store(0, std::memory_order_relaxed);
  return ::ftruncate(fd, bytes) == 0;
}

// A pipe that nobody reads must not hold up the end. poll(2), write(2) and _exit(2) are safe here.
void say(const char* message) noexcept {
  constexpr int kPatienceMs = 1000;
  pollfd writable{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (::poll(&writable, 1, kPatienceMs) <= 0) return;
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, message, std::strlen(message));
}

[[noreturn]] void fail_stop(const char* message) noexcept {
  say(message);
  // The words themselves may lie in what was cut: then their store brings us here again.
  static std::atomic<bool> stopping{false};
  if (stopping.exchange(true)) ::_exit(kExitIoError);
  for (auto* word : g_state_words) {
    if (word != nullptr) word->store(internal::FeedState::failed, std::memory_order_release);
  }
  ::_exit(kExitIoError);
}

std::atomic<bool> g_no_more_waiting{false};
constexpr long kRoomLookNs = 50'000'000;
// How often a store may find no room where a write did, at one place: first fast, as somebody may just have made some.
constexpr int kFastTries = 100;
constexpr int kMostTries = 2400;

// True if any of them was as expected.
bool set_states(internal::FeedState from, internal::FeedState to) noexcept {
  bool changed = false;
  for (auto* word : g_state_words) {
    internal::FeedState expected = from;
    changed |= word != nullptr && word->compare_exchange_strong(expected, to);
  }
  return changed;
}

void nap(long for_ns) noexcept {
  const timespec time{.tv_sec = 0, .tv_nsec = for_ns};
  ::nanosleep(&time, nullptr);
}

// A store into the journal that found no room: a segment's room was had when it was made, but a clone (cp makes one by
// itself where it can) or a snapshot has taken it since. The kernel does not say why; a write of the same bytes in the
// same place does. True: the store is to be tried again. pread, pwrite, fstat and nanosleep are safe in a signal
// handler; the one thread that writes there is this one.
bool wait_for_room(const WatchedRange& range, std::uintptr_t address) noexcept {
  const std::uintptr_t begin = range.begin.load(std::memory_order_relaxed);
  const int fd = range.fd.load(std::memory_order_relaxed);
  struct stat status {};
  if (fd < 0 || ::fstat(fd, &status) != 0 ||
      status.st_size < static_cast<off_t>(range.end.load(std::memory_order_relaxed) - begin)) {
    return false;
  }
  std::uint64_t word = 0;
  const auto at = static_cast<off_t>((address - begin) & ~(sizeof word - 1));
  bool reported = false;
  bool stalled = false;  // by us: the sequencer may have held its producers back before
  for (;;) {
    if (::pread(fd, &word, sizeof word, at) != static_cast<ssize_t>(sizeof word)) return false;
    const ssize_t put = ::pwrite(fd, &word, sizeof word, at);
    if (put == static_cast<ssize_t>(sizeof word)) break;
    if (put < 0 && errno != ENOSPC && errno != EDQUOT && errno != EINTR) return false;
    if (g_no_more_waiting.load(std::memory_order_relaxed)) {
      say("leatd: [critical] no room for a store into the journal, and leatd is to stop: it ends here; what was "
          "accepted waits in the runtime directory for its next start: free some space first\n");
      ::_exit(kExitIoError);
    }
    if (!reported) {
      say("leatd: [error] no room for a store into the journal (its bytes are shared with a copy or a snapshot); the "
          "feed holds its producers back until there is some: free some space\n");
    }
    reported = true;
    stalled |= set_states(internal::FeedState::running, internal::FeedState::stalled);
    nap(kRoomLookNs);
  }
  if (stalled) set_states(internal::FeedState::stalled, internal::FeedState::running);
  // The store finds the room, or brings us here again.
  static std::uintptr_t last_address = 0;  // one thread writes the journal
  static int tries = 0;
  tries = address == last_address ? tries + 1 : 0;
  last_address = address;
  if (tries > 0) nap(tries < kFastTries ? kRoomLookNs / 50 : kRoomLookNs);
  return tries <= kMostTries;
}

void on_sigbus(int signal_number, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const WatchedRange* const range = range_at(address);
  switch (range == nullptr ? FaultKind::none : range->kind.load(std::memory_order_relaxed)) {
    case FaultKind::journal: {
      const int interrupted = errno;
      const bool again = wait_for_room(*range, address);
      errno = interrupted;
      if (again) return;
      fail_stop(
          "leatd: [critical] SIGBUS in the journal's mapping: I/O error, or the segment was truncated under the "
          "broker; the feed stops here and recovers from what the disk holds at its next start: check the disk "
          "(dmesg)\n");
    }
    case FaultKind::shared:
      if (make_whole(*range)) return;
      fail_stop(
          "leatd: [critical] SIGBUS in shared memory: no room for a page of the inbound ring or the doorbell; the feed "
          "stops here; give the file system of --runtime-dir more room, then restart leatd\n");
    case FaultKind::own:
      fail_stop(
          "leatd: [critical] SIGBUS in a file of the runtime directory that only the broker writes: somebody "
          "truncated it; the feed stops here; restart leatd, and keep others out of that directory\n");
    case FaultKind::arena: {
      void* const page = reinterpret_cast<void*>(address & ~(internal::kPageBytes - 1));
      if (::mmap(page, internal::kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
          MAP_FAILED) {
        return;
      }
      break;
    }
    case FaultKind::none: break;
  }
  ::signal(signal_number, SIG_DFL);  // returns to the faulting instruction, which now ends the process
}

}  // namespace

void install_fault_guard() {
  struct sigaction action {};
  action.sa_sigaction = on_sigbus;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, nullptr);
}

void set_fault_state_words(internal::AtomicEnum<internal::FeedState>* first,
                           internal::AtomicEnum<internal::FeedState>* second) noexcept {
  g_state_words[0] = first;
  g_state_words[1] = second;
}

void stop_waiting_for_room() noexcept { g_no_more_waiting.store(true, std::memory_order_relaxed); }

FaultRange::FaultRange(const void* base, std::size_t bytes, FaultKind kind, int fd) noexcept {
  for (int i = 0; i < kMaxRanges; ++i) {
    std::uintptr_t unused = 0;
    const auto begin = reinterpret_cast<std::uintptr_t>(base);
    if (!g_ranges[i].begin.compare_exchange_strong(unused, begin)) continue;
    g_ranges[i].end.store(begin + bytes, std::memory_order_relaxed);
    g_ranges[i].fd.store(fd, std::memory_order_relaxed);
    g_ranges[i].kind.store(kind, std::memory_order_release);
    index_ = i;
    return;
  }
  LEAT_ASSERT(false && "more mappings than fault ranges");
}

FaultRange& FaultRange::operator=(FaultRange&& other) noexcept {
  if (this != &other) {
    release();
    index_ = std::exchange(other.index_, -1);
  }
  return *this;
}

void FaultRange::release() noexcept {
  if (index_ < 0) return;
  g_ranges[index_].kind.store(FaultKind::none, std::memory_order_release);
  g_ranges[index_].begin.store(0, std::memory_order_release);
  index_ = -1;
}

}  // namespace leat::broker
