#include "tools/demo/producer_processes.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

namespace leat::demo {
namespace {

constexpr int kReadyTimeoutMs = 20'000;
constexpr int kInputFd = 3;  // where a child finds the snapshot of the input
constexpr std::size_t kMaxReportBytes = 256;

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

// The child's command line. The parser takes the address of the main command, wherever the subcommand stands.
std::vector<std::string> command_line(const FeedAddress& address, std::size_t index, std::size_t count) {
  std::vector<std::string> words = {"leat-demo", "--feed", address.feed};
  if (!address.runtime_dir.empty()) words.insert(words.end(), {"--runtime-dir", address.runtime_dir});
  if (!address.data_dir.empty()) words.insert(words.end(), {"--data-dir", address.data_dir});
  words.insert(words.end(), {"producer", "--index", std::to_string(index), "--count", std::to_string(count),
                             "--input-fd", std::to_string(kInputFd)});
  return words;
}

// Runs this program anew with the three descriptors as its 0, 1 and 3.
int spawn_self(const std::vector<std::string>& words, int stdin_fd, int stdout_fd, int input_fd, pid_t& pid) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  if (const int failed = posix_spawn_file_actions_init(&actions); failed != 0) return failed;
  // No source is overwritten before it is used: main() sees to it that 0, 1 and 2 are taken, and 3 comes last. A
  // duplicate onto its own number clears close-on-exec (glibc 2.29).
  int failed = posix_spawn_file_actions_adddup2(&actions, stdin_fd, STDIN_FILENO);
  if (failed == 0) failed = posix_spawn_file_actions_adddup2(&actions, stdout_fd, STDOUT_FILENO);
  if (failed == 0) failed = posix_spawn_file_actions_adddup2(&actions, input_fd, kInputFd);
  if (failed == 0) failed = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

Result<ProducerProcess> start_one(const FeedAddress& address, std::size_t index, std::size_t count, int input_fd) {
  std::array<int, 2> to_child{-1, -1};
  std::array<int, 2> from_child{-1, -1};
  if (::pipe2(to_child.data(), O_CLOEXEC) != 0) return system_error(errno, "pipe2");
  if (::pipe2(from_child.data(), O_CLOEXEC) != 0) {
    Error error = system_error(errno, "pipe2");
    for (int& fd : to_child) close_fd(fd);
    return error;
  }
  ProducerProcess process;
  const int failed = spawn_self(command_line(address, index, count), to_child[0], from_child[1], input_fd, process.pid);
  close_fd(to_child[0]);
  close_fd(from_child[1]);
  if (failed != 0) {
    close_fd(to_child[1]);
    close_fd(from_child[0]);
    return system_error(failed, "start producer " + std::to_string(index) + " (posix_spawn)");
  }
  process.to_child = to_child[1];
  process.from_child = from_child[0];
  process.running = true;
  return process;
}

// One line of a child's account, without its end; empty at the end of the pipe or when `timeout_ms` has passed.
std::string read_line(int fd, int timeout_ms) {
  std::string line;
  while (line.size() < kMaxReportBytes) {
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&readable, 1, timeout_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return {};
    char byte = 0;
    const ssize_t got = ::read(fd, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || byte == '\n') return got <= 0 ? std::string() : line;
    line.push_back(byte);
  }
  return {};
}

void read_account(ProducerProcess& process) {
  unsigned long long events = 0;
  unsigned long long sequence = 0;
  const std::string line = read_line(process.from_child, 0);
  if (std::sscanf(line.c_str(), "done %llu %llu", &events, &sequence) != 2) return;
  process.events = events;
  process.last_sequence = sequence;
  process.reported = true;
}

}  // namespace

std::string ProducerProcess::describe_end() const {
  if (running) return "still running";
  if (WIFSIGNALED(wait_status)) return "killed by signal " + std::to_string(WTERMSIG(wait_status));
  const std::string status = "exit status " + std::to_string(WEXITSTATUS(wait_status));
  return reported ? status : status + ", without an account of what it published";
}

Result<ProducerProcesses> ProducerProcesses::start(const FeedAddress& address, std::size_t count, int input_fd) {
  ProducerProcesses started;
  for (std::size_t index = 0; index < count; ++index) {
    auto process = start_one(address, index, count, input_fd);
    if (!process) return std::move(process).error();
    started.processes_.push_back(*process);
  }
  for (std::size_t index = 0; index < count; ++index) {
    ProducerProcess& process = started.processes_[index];
    const std::string line = read_line(process.from_child, kReadyTimeoutMs);
    unsigned int producer_id = 0;
    if (std::sscanf(line.c_str(), "ready %u", &producer_id) != 1) {
      return Error{ErrorCode::no_broker, "producer " + std::to_string(index) + " did not connect to the feed",
                   "its own message says why"};
    }
    process.producer_id = producer_id;
  }
  return started;
}

ProducerProcesses::~ProducerProcesses() {
  for (ProducerProcess& process : processes_) {
    if (process.running) {
      ::kill(process.pid, SIGKILL);
      while (::waitpid(process.pid, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
    close_fd(process.to_child);
    close_fd(process.from_child);
  }
}

Result<void> ProducerProcesses::release() {
  for (ProducerProcess& process : processes_) {
    ssize_t written = 0;
    do {
      written = ::write(process.to_child, "g", 1);
    } while (written < 0 && errno == EINTR);
    if (written != 1) return system_error(errno, "start producer " + std::to_string(process.producer_id));
  }
  return {};
}

bool ProducerProcesses::reap() {
  bool any_running = false;
  for (ProducerProcess& process : processes_) {
    if (!process.running) continue;
    if (::waitpid(process.pid, &process.wait_status, WNOHANG) != process.pid) {
      any_running = true;
      continue;
    }
    process.running = false;
    read_account(process);
  }
  return !any_running;
}

}  // namespace leat::demo
