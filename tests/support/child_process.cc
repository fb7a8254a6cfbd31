#include "support/child_process.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

namespace leat::test {
namespace {

std::mutex g_mutex;
std::vector<pid_t> g_children;  // not reaped yet, so none of these ids can have become somebody else's

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec: system calls only, as other threads of the parent may have held any lock.
[[noreturn]] void become(const SpawnOptions& options, char* const* arguments, char* const* environment, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(125);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!options.output.empty()) {
    const int output = ::open(options.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (output < 0 || ::dup2(output, STDOUT_FILENO) < 0 || ::dup2(output, STDERR_FILENO) < 0) ::_exit(125);
  }
  // What another thread of the parent has open just now (a log that it reads) is none of the child's.
  if (::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0) ::_exit(125);
  if (options.user) {
    const uid_t user = *options.user;
    if (::setgroups(0, nullptr) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0) ::_exit(125);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of user clears it
  }
  ::execve(arguments[0], arguments, environment);
  ::_exit(126);
}

}  // namespace

ChildProcess::ChildProcess(const SpawnOptions& options) {
  std::vector<std::string> argument_strings = options.arguments;
  std::vector<std::string> environment_strings;
  for (char** entry = ::environ; *entry != nullptr; ++entry) environment_strings.emplace_back(*entry);
  for (const std::string& entry : options.environment) {
    const std::string name = entry.substr(0, entry.find('=') + 1);
    std::erase_if(environment_strings, [&](const std::string& old) { return old.starts_with(name); });
    environment_strings.push_back(entry);
  }
  const auto arguments = pointers_to(argument_strings);
  const auto environment = pointers_to(environment_strings);
  const pid_t parent = ::getpid();
  const std::lock_guard lock(g_mutex);
  pid_ = ::fork();
  if (pid_ == 0) become(options, arguments.data(), environment.data(), parent);
  if (pid_ < 0) {
    std::perror("fork");
    std::abort();
  }
  g_children.push_back(pid_);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), status_(std::exchange(other.status_, std::nullopt)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    kill9();
    pid_ = std::exchange(other.pid_, -1);
    status_ = std::exchange(other.status_, std::nullopt);
  }
  return *this;
}

ChildProcess::~ChildProcess() { kill9(); }

void ChildProcess::forget() {
  const std::lock_guard lock(g_mutex);
  std::erase(g_children, pid_);
}

void ChildProcess::take_status(int status) {
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool ChildProcess::running() {
  if (pid_ < 0 || status_) return false;
  int status = 0;
  const std::lock_guard lock(g_mutex);  // reaping and forgetting are one step for kill_all_children
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  std::erase(g_children, pid_);
  take_status(status);
  return false;
}

void ChildProcess::send_signal(int signal_number) const {
  if (pid_ > 0 && !status_) ::kill(pid_, signal_number);
}

void ChildProcess::kill9() {
  if (pid_ < 0 || status_) return;
  ::kill(pid_, SIGKILL);
  (void)wait();
}

void ChildProcess::stop() {
  send_signal(SIGSTOP);
  (void)wait_stopped();
}

void ChildProcess::cont() const { send_signal(SIGCONT); }

bool ChildProcess::wait_stopped() {
  if (pid_ < 0 || status_) return false;
  int status = 0;
  while (::waitpid(pid_, &status, WUNTRACED) < 0 && errno == EINTR) {
  }
  if (WIFSTOPPED(status)) return true;
  forget();
  take_status(status);
  return false;
}

int ChildProcess::wait() {
  if (status_) return *status_;
  if (pid_ < 0) return -1;
  // Look without reaping first: the id stays ours until it is forgotten.
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  forget();
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  take_status(status);
  return *status_;
}

void kill_all_children() {
  const std::lock_guard lock(g_mutex);
  for (const pid_t pid : g_children) ::kill(pid, SIGKILL);
}

}  // namespace leat::test
