#include "worker.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "clock.h"

namespace leat::bench {
namespace {

constexpr std::int64_t kReadyPatience_ns = 20'000'000'000;
constexpr std::int64_t kRunPatience_ns = 120'000'000'000;
constexpr useconds_t kLook_us = 200;

template <typename T>
T* share(std::size_t count) {
  void* memory = ::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("mmap of the workers' pages failed");
  return static_cast<T*>(memory);
}

}  // namespace

void Worker::start() {
  page_.ready.store(1);
  while (go_.load() == 0) ::usleep(kLook_us);
  page_.begin_ns = now_ns();
}

void Worker::finish(std::uint64_t events) {
  page_.end_ns = now_ns();
  page_.events = events;
}

Crew::Crew(std::size_t capacity)
    : capacity_(capacity), pages_(share<WorkerPage>(capacity)), go_(share<std::atomic<std::uint32_t>>(1)) {}

Crew::~Crew() {
  reap(true);
  ::munmap(pages_, capacity_ * sizeof(WorkerPage));
  ::munmap(go_, sizeof *go_);
}

void Crew::add(std::function<void(Worker&)> work) { launch(work, false); }
void Crew::add_servant(std::function<void(Worker&)> work) { launch(work, true); }

void Crew::launch(std::function<void(Worker&)>& work, bool servant) {
  if (pids_.size() == capacity_) throw std::runtime_error("more workers than the crew holds");
  WorkerPage& page = pages_[pids_.size()];
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    Worker worker(page, *go_);
    try {
      work(worker);
    } catch (const std::exception& error) {
      std::snprintf(page.error, sizeof page.error, "%s", error.what());
    }
    page.done.store(1);
    ::_exit(0);  // neither the parent's destructors nor its buffers are this process's to run
  }
  pids_.push_back(pid);
  servants_.push_back(servant);
}

void Crew::await_ready() {
  const std::int64_t deadline = now_ns() + kReadyPatience_ns;
  for (std::size_t i = 0; i < pids_.size(); ++i) {
    const WorkerPage& page = pages_[i];
    while (page.ready.load() == 0) {
      if (page.done.load() != 0)
        throw std::runtime_error(page.error[0] != '\0' ? page.error : "a worker ended at once");
      if (now_ns() > deadline) throw std::runtime_error("a worker is not ready after 20 s");
      ::usleep(kLook_us);
    }
  }
}

void Crew::run() {
  await_ready();
  go_->store(1);
  const std::int64_t deadline = now_ns() + kRunPatience_ns;
  for (std::size_t i = 0; i < pids_.size(); ++i) {
    while (!servants_[i] && pages_[i].done.load() == 0) {
      if (::waitpid(pids_[i], nullptr, WNOHANG) == pids_[i] && pages_[i].done.load() == 0) {
        pids_[i] = -1;
        throw std::runtime_error("a worker died");
      }
      if (now_ns() > deadline) throw std::runtime_error("not done after 120 s");
      ::usleep(kLook_us);
    }
  }
  reap(true);
  for (std::size_t i = 0; i < pids_.size(); ++i) {
    if (pages_[i].error[0] != '\0') throw std::runtime_error(pages_[i].error);
  }
}

void Crew::reap(bool force) {
  for (std::size_t i = 0; i < pids_.size(); ++i) {
    if (pids_[i] <= 0) continue;
    if (force && pages_[i].done.load() == 0) ::kill(pids_[i], SIGKILL);
    ::waitpid(pids_[i], nullptr, 0);
    pids_[i] = -1;
  }
}

std::int64_t Crew::elapsed_ns() const {
  std::int64_t begin = std::numeric_limits<std::int64_t>::max();
  std::int64_t end = 0;
  for (std::size_t i = 0; i < servants_.size(); ++i) {
    if (servants_[i]) continue;
    begin = std::min(begin, pages_[i].begin_ns);
    end = std::max(end, pages_[i].end_ns);
  }
  return end - begin;
}

}  // namespace leat::bench
