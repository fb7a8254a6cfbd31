#include "process/kill/stepped_sequencer.h"

#include <sys/syscall.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include "process/kill/attacked_feed.h"

namespace leat::test {

namespace {

constexpr std::uint64_t kFutexWait = 0;
constexpr std::uint64_t kSyscallBytes = 2;

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> tids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    tids.push_back(std::stoi(entry.path().filename().string()));
  }
  std::ranges::sort(tids);
  return tids;
}

// The threads of leatd are, in the order in which they are made: control (main), sequencer, syncer.
pid_t sequencer_of(pid_t pid) {
  for (;;) {
    const auto tids = threads_of(pid);
    if (tids.size() == 3) return tids[1];
    if (tids.size() > 3) throw Broken("leatd has more threads than this test knows");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

SteppedSequencer::SteppedSequencer(pid_t leatd) : tracer_(Tracer::of_thread(sequencer_of(leatd))) {
  while (tracer_.traced()) {
    if (!tracer_.interrupt()) throw Broken("leatd's sequencer has ended");
    if (tracer_.system_call() == SYS_futex && tracer_.argument(1) == kFutexWait) {
      sleep_at_ = tracer_.instruction() - kSyscallBytes;  // it stands behind the instruction that makes the call
      word_ = tracer_.argument(0);
      return;
    }
    tracer_.detach();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    tracer_ = Tracer::of_thread(sequencer_of(leatd));
  }
  throw Broken("leatd's sequencer cannot be traced");
}

Path::Reached SteppedSequencer::advance(Path& path, std::uint64_t count, const std::function<bool()>& has_ended) {
  return path.advance(tracer_, count, sleep_at_, [&] {
    return tracer_.argument(1) == kFutexWait && tracer_.argument(0) == word_ && has_ended();
  });
}

}  // namespace leat::test
