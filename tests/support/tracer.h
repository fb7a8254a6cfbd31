// One thread of another process under ptrace: stepped instruction by instruction, or stopped at chosen system calls.
// x86-64 only; elsewhere, and where ptrace is forbidden, tracing_is_allowed() says so and tests skip.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

namespace leat::test {

/// True if this process may trace its children. Otherwise `why` says what stands against it.
bool tracing_is_allowed(std::string& why);

/// How a traced thread came to a stop.
struct TraceStop {
  enum class Kind : std::uint8_t {
    signal,         ///< about to get `number`; also a breakpoint or a finished step, as SIGTRAP
    syscall_enter,  ///< about to make the system call `number`
    syscall_exit,   ///< system call `number` has returned
    event,          ///< an interrupt() has taken hold
    ended,          ///< the thread is gone, with wait status `number`
  };
  Kind kind = Kind::ended;
  long number = 0;
  std::uint64_t address = 0;        ///< signal: si_addr of a fault
  std::uint64_t arguments[6] = {};  ///< syscall_enter
};

/// Owns the trace of one thread. Whatever is still traced when this dies is let go on. Ends with the tracer
/// (PTRACE_O_EXITKILL), so nothing outlives a failed test.
class Tracer {
 public:
  Tracer() = default;
  ~Tracer();
  Tracer(Tracer&& other) noexcept;
  Tracer& operator=(Tracer&& other) noexcept;

  /// Takes over a child that has called trace_me() and returns when it stands at its first breakpoint.
  static Tracer of_child(pid_t pid);
  /// Takes over a thread that is running, and leaves it running. False from traced(): it was not allowed, or is gone.
  static Tracer of_thread(pid_t tid);
  [[nodiscard]] bool traced() const noexcept { return tid_ > 0; }

  /// Stops a running thread of of_thread(). False if it ended instead.
  bool interrupt();
  /// Executes one instruction (one turn of a repeated one, one whole system call). False if the thread ended instead.
  bool step();
  /// Lets it run until it stops by itself; `signal_number` is delivered first.
  TraceStop run(int signal_number = 0);
  /// Lets it run, signals and all, until it is about to execute the instruction at one of two addresses: breakpoints of
  /// this thread alone, no byte of the program is changed. False if it ended instead.
  bool run_to(std::uint64_t address, std::uint64_t or_address);
  /// Lets it run up to the next system call's begin or end, or a signal.
  TraceStop run_to_syscall(int signal_number = 0);
  /// Lets it run, signals and all, until it is about to make a system call that `wanted` picks. False if it ended.
  bool run_until_syscall(const std::function<bool(const TraceStop&)>& wanted);
  /// Lets go of it; `signal_number` is delivered, e.g. SIGSTOP to leave it standing.
  void detach(int signal_number = 0);
  /// Waits for the end of a thread that has been killed; only then can its process be reaped by others.
  void reap();

  [[nodiscard]] std::uint64_t instruction() const;        ///< where it stands
  [[nodiscard]] std::uint64_t argument(int index) const;  ///< of a system call: 0 is rdi
  [[nodiscard]] long system_call() const;                 ///< the one it is in, or -1
  [[nodiscard]] std::uint64_t word_at(std::uint64_t address) const;
  [[nodiscard]] std::string text_at(std::uint64_t address) const;
  [[nodiscard]] pid_t tid() const noexcept { return tid_; }

 private:
  explicit Tracer(pid_t tid) : tid_(tid) {}
  TraceStop resume(int request, int signal_number);
  TraceStop wait_stop();
  [[nodiscard]] bool set_breakpoints(std::uint64_t first, std::uint64_t second, std::uint64_t enabled) const;

  pid_t tid_ = -1;
  bool in_syscall_ = false;
};

/// In a forked child: be traced by the parent from here on.
void trace_me();
/// A breakpoint of one's own.
inline void trace_breakpoint() {
#if defined(__x86_64__)
  asm volatile("int3" ::: "memory");
#endif
}

}  // namespace leat::test
