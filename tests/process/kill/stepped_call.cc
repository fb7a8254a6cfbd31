#include "process/kill/stepped_call.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>

#include "process/kill/attacked_feed.h"

namespace leat::test {

namespace {

// Where stepping ends: no exec, so this has the same address in parent and child.
[[gnu::noinline]] void behind_the_call() { asm volatile("" ::: "memory"); }

std::uint64_t address_of(void (*function)()) { return reinterpret_cast<std::uintptr_t>(function); }

[[noreturn]] void run_child(const std::function<ChildPart(ChildReport&)>& make, ChildReport& report, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(125);
  const ChildPart part = make(report);
  part.before();
  trace_me();
  trace_breakpoint();
  const std::uint64_t outcome = part.call();
  behind_the_call();
  report.outcome.store(outcome + 1);
  part.after();
  ::_exit(0);
}

}  // namespace

void give_up(ChildReport& report, const std::string& why) {
  why.copy(report.error, sizeof report.error - 1);
  ::_exit(1);
}

SteppedCall::SteppedCall(const std::function<ChildPart(ChildReport&)>& make) {
  void* const page = ::mmap(nullptr, sizeof(ChildReport), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::bad_alloc();
  report_ = new (page) ChildReport;
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) run_child(make, *report_, parent);
  tracer_ = Tracer::of_child(pid_);
  if (!tracer_.traced()) {
    pid_ = -1;  // reaped
    throw Broken(std::string("the child did not come to its call: ") + report_->error);
  }
}

SteppedCall::~SteppedCall() {
  if (pid_ > 0) kill();
  ::munmap(report_, sizeof(ChildReport));
}

Path::Reached SteppedCall::advance(Path& path, std::uint64_t count) {
  return path.advance(tracer_, count, address_of(&behind_the_call), [] { return true; });
}

void SteppedCall::step_until(const std::function<bool()>& there) {
  while (!there()) {
    if (!tracer_.step()) throw Broken("the child died in its call");
    if (tracer_.instruction() == address_of(&behind_the_call)) throw Broken("the call has ended too soon");
  }
}

void SteppedCall::kill() {
  ::kill(pid_, SIGKILL);
  tracer_.reap();
  pid_ = -1;
}

void SteppedCall::let_finish() {
  tracer_.detach();
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (status != 0) throw Broken(std::string("the child: ") + (*report_->error != '\0' ? report_->error : "killed"));
}

}  // namespace leat::test
