#include "support/tracer.h"

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace leat::test {

#if defined(__x86_64__)

namespace {

constexpr unsigned long kOptions = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
constexpr int kSyscallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD

void* as_pointer(std::uint64_t value) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(value)); }

bool wait_for(pid_t tid, int& status) {
  while (::waitpid(tid, &status, __WALL) < 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

std::uint64_t peek_user(pid_t tid, std::size_t offset) {
  errno = 0;
  return static_cast<std::uint64_t>(::ptrace(PTRACE_PEEKUSER, tid, as_pointer(offset), nullptr));
}

}  // namespace

void trace_me() {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(125);
}

bool tracing_is_allowed(std::string& why) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    trace_me();
    trace_breakpoint();
    ::_exit(0);
  }
  int status = 0;
  const bool stopped = pid > 0 && wait_for(pid, status) && WIFSTOPPED(status);
  // A step is tried too: some sandboxes have ptrace without it.
  const bool stepped =
      stopped && ::ptrace(PTRACE_SINGLESTEP, pid, nullptr, nullptr) == 0 && wait_for(pid, status) && WIFSTOPPED(status);
  if (stepped) {
    ::kill(pid, SIGKILL);
    wait_for(pid, status);
    return true;
  }
  why = stopped ? "ptrace is there, but single-stepping is not" : "ptrace is forbidden here";
  if (stopped) ::kill(pid, SIGKILL);
  return false;
}

Tracer::~Tracer() { detach(); }

Tracer::Tracer(Tracer&& other) noexcept
    : tid_(std::exchange(other.tid_, -1)), in_syscall_(std::exchange(other.in_syscall_, false)) {}

Tracer& Tracer::operator=(Tracer&& other) noexcept {
  if (this != &other) {
    detach();
    tid_ = std::exchange(other.tid_, -1);
    in_syscall_ = std::exchange(other.in_syscall_, false);
  }
  return *this;
}

Tracer Tracer::of_child(pid_t pid) {
  Tracer tracer(pid);
  if (tracer.wait_stop().kind == TraceStop::Kind::ended) return {};
  ::ptrace(PTRACE_SETOPTIONS, pid, nullptr, as_pointer(kOptions));
  return tracer;
}

Tracer Tracer::of_thread(pid_t tid) {
  if (::ptrace(PTRACE_SEIZE, tid, nullptr, as_pointer(kOptions)) != 0) return {};
  return Tracer(tid);
}

TraceStop Tracer::wait_stop() {
  int status = 0;
  if (!wait_for(tid_, status) || !WIFSTOPPED(status)) {
    tid_ = -1;
    return {.kind = TraceStop::Kind::ended, .number = status};
  }
  TraceStop stop;
  const int signal_number = WSTOPSIG(status);
  if (signal_number == kSyscallStop) {
    in_syscall_ = !in_syscall_;
    stop.kind = in_syscall_ ? TraceStop::Kind::syscall_enter : TraceStop::Kind::syscall_exit;
    stop.number = static_cast<long>(peek_user(tid_, offsetof(user_regs_struct, orig_rax)));
    for (int i = 0; i < 6; ++i) stop.arguments[i] = argument(i);
    return stop;
  }
  if (status >> 16 != 0) return {.kind = TraceStop::Kind::event, .number = status >> 16};
  stop.kind = TraceStop::Kind::signal;
  stop.number = signal_number;
  siginfo_t info{};
  if (signal_number == SIGSEGV && ::ptrace(PTRACE_GETSIGINFO, tid_, nullptr, &info) == 0) {
    stop.address = reinterpret_cast<std::uintptr_t>(info.si_addr);
  }
  return stop;
}

TraceStop Tracer::resume(int request, int signal_number) {
  if (tid_ <= 0) return {};
  if (request != PTRACE_SYSCALL) in_syscall_ = false;  // the end of the call goes by unreported
  if (::ptrace(static_cast<__ptrace_request>(request), tid_, nullptr,
               as_pointer(static_cast<std::uint64_t>(signal_number))) != 0) {
    return wait_stop();  // killed meanwhile
  }
  return wait_stop();
}

bool Tracer::interrupt() {
  if (tid_ <= 0 || ::ptrace(PTRACE_INTERRUPT, tid_, nullptr, nullptr) != 0) return false;
  return wait_stop().kind != TraceStop::Kind::ended;
}

bool Tracer::step() { return resume(PTRACE_SINGLESTEP, 0).kind != TraceStop::Kind::ended; }
TraceStop Tracer::run(int signal_number) { return resume(PTRACE_CONT, signal_number); }
TraceStop Tracer::run_to_syscall(int signal_number) { return resume(PTRACE_SYSCALL, signal_number); }

// Debug registers 0 and 1, and 7 with its bits "enabled"; zero elsewhere means: when an instruction is executed.
bool Tracer::set_breakpoints(std::uint64_t first, std::uint64_t second, std::uint64_t enabled) const {
  const auto poke = [&](int which, std::uint64_t value) {
    return ::ptrace(PTRACE_POKEUSER, tid_, as_pointer(offsetof(user, u_debugreg) + 8 * static_cast<std::size_t>(which)),
                    as_pointer(value)) == 0;
  };
  return poke(0, first) && poke(1, second) && poke(7, enabled);
}

bool Tracer::run_to(std::uint64_t address, std::uint64_t or_address) {
  constexpr std::uint64_t kBoth = 0b101;
  const auto is_there = [&] { return instruction() == address || instruction() == or_address; };
  if (!set_breakpoints(address, or_address, kBoth)) {  // some sandboxes have none: the same, slowly
    do {
      if (!step()) return false;
    } while (!is_there());
    return true;
  }
  int signal_number = 0;
  do {
    const TraceStop stop = run(signal_number);
    if (stop.kind == TraceStop::Kind::ended) return false;
    signal_number = stop.kind == TraceStop::Kind::signal && stop.number != SIGTRAP ? static_cast<int>(stop.number) : 0;
  } while (!is_there());
  return set_breakpoints(0, 0, 0);
}

bool Tracer::run_until_syscall(const std::function<bool(const TraceStop&)>& wanted) {
  int signal_number = 0;
  for (;;) {
    const TraceStop stop = run_to_syscall(signal_number);
    if (stop.kind == TraceStop::Kind::ended) return false;
    signal_number = stop.kind == TraceStop::Kind::signal ? static_cast<int>(stop.number) : 0;
    if (stop.kind == TraceStop::Kind::syscall_enter && wanted(stop)) return true;
  }
}

void Tracer::detach(int signal_number) {
  if (tid_ > 0) ::ptrace(PTRACE_DETACH, tid_, nullptr, as_pointer(static_cast<std::uint64_t>(signal_number)));
  tid_ = -1;
  in_syscall_ = false;
}

void Tracer::reap() {
  while (tid_ > 0) (void)wait_stop();
}

std::uint64_t Tracer::instruction() const { return peek_user(tid_, offsetof(user_regs_struct, rip)); }
long Tracer::system_call() const { return static_cast<long>(peek_user(tid_, offsetof(user_regs_struct, orig_rax))); }

std::uint64_t Tracer::argument(int index) const {
  constexpr std::size_t kOffsets[] = {offsetof(user_regs_struct, rdi), offsetof(user_regs_struct, rsi),
                                      offsetof(user_regs_struct, rdx), offsetof(user_regs_struct, r10),
                                      offsetof(user_regs_struct, r8),  offsetof(user_regs_struct, r9)};
  return peek_user(tid_, kOffsets[index]);
}

std::uint64_t Tracer::word_at(std::uint64_t address) const {
  errno = 0;
  return static_cast<std::uint64_t>(::ptrace(PTRACE_PEEKDATA, tid_, as_pointer(address), nullptr));
}

std::string Tracer::text_at(std::uint64_t address) const {
  std::string text;
  constexpr std::size_t kMost = 4096;
  while (text.size() < kMost) {
    const std::uint64_t word = word_at(address + text.size());
    if (errno != 0) break;
    char bytes[sizeof word];
    std::memcpy(bytes, &word, sizeof word);
    const std::size_t used = ::strnlen(bytes, sizeof bytes);
    text.append(bytes, used);
    if (used < sizeof bytes) break;
  }
  return text;
}

#else

void trace_me() { ::_exit(125); }
bool tracing_is_allowed(std::string& why) {
  why = "single-stepping is written for x86-64 only";
  return false;
}
Tracer::~Tracer() = default;
Tracer::Tracer(Tracer&&) noexcept = default;
Tracer& Tracer::operator=(Tracer&&) noexcept = default;
Tracer Tracer::of_child(pid_t) { return {}; }
Tracer Tracer::of_thread(pid_t) { return {}; }
bool Tracer::interrupt() { return false; }
bool Tracer::step() { return false; }
TraceStop Tracer::run(int) { return {}; }
TraceStop Tracer::run_to_syscall(int) { return {}; }
bool Tracer::run_to(std::uint64_t, std::uint64_t) { return false; }
bool Tracer::set_breakpoints(std::uint64_t, std::uint64_t, std::uint64_t) const { return false; }
bool Tracer::run_until_syscall(const std::function<bool(const TraceStop&)>&) { return false; }
void Tracer::detach(int) {}
void Tracer::reap() {}
std::uint64_t Tracer::instruction() const { return 0; }
std::uint64_t Tracer::argument(int) const { return 0; }
long Tracer::system_call() const { return -1; }
std::uint64_t Tracer::word_at(std::uint64_t) const { return 0; }
std::string Tracer::text_at(std::uint64_t) const { return {}; }
TraceStop Tracer::resume(int, int) { return {}; }
TraceStop Tracer::wait_stop() { return {}; }

#endif

}  // namespace leat::test
