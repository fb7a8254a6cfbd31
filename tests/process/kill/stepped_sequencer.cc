#include "process/kill/stepped_sequencer.h"

#include <sys/syscall.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "process/kill/attacked_feed.h"

namespace leat::test {

namespace {

constexpr std::uint64_t kFutexWait = 0;
constexpr std::uint64_t kSyscallBytes = 2;

// leatd names its threads.
pid_t sequencer_of(pid_t pid) {
  for (;;) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
      std::string name;
      std::getline(std::ifstream(entry.path() / "comm"), name);
      if (name == "sequencer") return std::stoi(entry.path().filename().string());
    }
    if (::kill(pid, 0) != 0) throw Broken("leatd has ended");
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
  return path.advance(tracer_, count, sleep_at_,
                      [&] { return tracer_.argument(1) == kFutexWait && tracer_.argument(0) == word_ && has_ended(); });
}

}  // namespace leat::test
