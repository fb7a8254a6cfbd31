// Runs the parts of a protocol as fibers of one thread and decides, by a seed, after which of its atomic operations
// each gives way to which other. The futex calls of base/futex.h are its own here: it knows who sleeps, and why.
//
// A fiber may be stopped for good (killed), or until the others have come to rest (SIGSTOP, SIGCONT). At rest, nobody
// who sleeps may have anything to do: such a one has lost its wake-up.
#pragma once

#include <ucontext.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/interleave/memory_model.h"
#include "tests/interleave/random_source.h"

namespace leat::sim {

struct FiberPlan {
  std::string name;
  std::function<void()> body;
  std::uint64_t weight = 1;   ///< how often it is chosen, against the others
  std::uint64_t stop_at = 0;  ///< stopped before its operation of this number; 0: never
  bool killed = false;        ///< if stopped, then for good
  /// Asked while it sleeps and nobody can run: is there anything that it should have been woken for?
  std::function<bool()> has_work = [] { return false; };
  /// Whether that is forgiven: somebody was stopped or killed between publishing and waking.
  std::function<bool()> excused = [] { return false; };
};

class Scheduler {
 public:
  static constexpr std::uint64_t kMaxSteps = 400'000;
  /// Sleeps of up to this long are polls; longer ones are there in case a wake-up was lost.
  static constexpr std::int64_t kLongestPollNs = 2'000'000;

  explicit Scheduler(Memory& memory) : memory_(memory) {}
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Begins a run: no fibers. One in `switch_one_in` operations is followed by a choice of who goes on.
  void reset(Random& random, std::uint64_t switch_one_in);
  int add(FiberPlan plan);
  /// Until all have ended, are dead, or sleep with nothing to do. What of them is left over is forgotten, stack and
  /// all.
  void run();

  /// From a fiber or a callback: the run has failed and ends. Keeps the first reason.
  void fail(std::string what);
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

  enum class State : std::uint8_t { ready, asleep, stopped, dead, ended };
  [[nodiscard]] State state(int fiber) const { return fibers_[static_cast<std::size_t>(fiber)]->state; }
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
  [[nodiscard]] std::uint64_t switches() const noexcept { return switches_; }
  [[nodiscard]] std::uint64_t sleeps() const noexcept { return sleeps_; }
  [[nodiscard]] std::uint64_t stops() const noexcept { return stops_; }
  [[nodiscard]] std::uint64_t long_timeouts() const noexcept { return long_timeouts_; }

  // Called by the operations of simulated_atomic.h and the futex calls.
  static Scheduler* current() noexcept;
  void step();
  [[nodiscard]] int self() const noexcept { return running_; }
  [[nodiscard]] Memory& memory() noexcept { return memory_; }
  [[nodiscard]] Random& random() noexcept { return *random_; }
  void sleep(const void* word, std::uint32_t expected, std::int64_t timeout_ns);
  int wake(const void* word, int count);

  /// Each operation is printed to standard error.
  bool trace = false;
  void trace_operation(const char* what, const void* at, std::uint64_t value) const;

 private:
  static constexpr std::size_t kStackBytes = 256 * 1024;

  struct Fiber {
    FiberPlan plan;
    ucontext_t context{};
    std::unique_ptr<std::byte[]> stack;
    State state = State::ready;
    const void* word = nullptr;  // sleeps on this one
    bool polls = false;
    std::int64_t wakes_at_ns = 0;
    std::uint64_t steps = 0;
  };

  static void enter();
  void give_way();
  void switch_to(int next);
  int choose_ready();
  int rest();
  int wake_earliest();

  Memory& memory_;
  Random* random_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<std::unique_ptr<Fiber>> spare_;  // their stacks are used again
  ucontext_t outside_{};
  int running_ = -1;
  std::uint64_t switch_one_in_ = 1;
  std::int64_t now_ns_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t switches_ = 0;
  std::uint64_t sleeps_ = 0;
  std::uint64_t stops_ = 0;
  std::uint64_t long_timeouts_ = 0;
  std::string failure_;
};

}  // namespace leat::sim
