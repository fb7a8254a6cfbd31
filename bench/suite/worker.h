// The processes of one measurement: forked by the harness, started together, their results in shared memory.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "histogram.h"

namespace leat::bench {

/// One worker's page, in memory that parent and child share.
struct WorkerPage {
  std::atomic<std::uint32_t> ready;
  std::atomic<std::uint32_t> done;
  std::int64_t begin_ns;
  std::int64_t end_ns;
  std::uint64_t events;
  std::uint64_t lost;  ///< messages that never came, or came out of order
  char error[256];     ///< empty: none
  Histogram latency;
};

/// What a worker sees of its crew.
class Worker {
 public:
  Worker(WorkerPage& page, const std::atomic<std::uint32_t>& go) : page_(page), go_(go) {}
  /// Says that this worker is set up, waits until all are, and stamps the beginning.
  void start();
  /// Stamps the end.
  void finish(std::uint64_t events);
  [[nodiscard]] Histogram& latency() noexcept { return page_.latency; }
  void lose(std::uint64_t events) noexcept { page_.lost += events; }

 private:
  WorkerPage& page_;
  const std::atomic<std::uint32_t>& go_;
};

/// Add workers, run them, look at their pages. An exception in a worker is its error.
class Crew {
 public:
  explicit Crew(std::size_t capacity);
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew();

  /// Forks it. Add receivers, await_ready(), add senders: so receivers stand before anything is sent.
  void add(std::function<void(Worker&)> work);
  /// As add(), for one that is ended by force when all others are done (an echo).
  void add_servant(std::function<void(Worker&)> work);
  /// Until all that were added are set up. Throws std::runtime_error if one fails before.
  void await_ready();
  /// Throws std::runtime_error with the first worker's error, or if they are not done in time.
  void run();

  [[nodiscard]] const WorkerPage& page(std::size_t index) const { return pages_[index]; }
  [[nodiscard]] std::size_t size() const noexcept { return pids_.size(); }
  /// From the first begin to the last end, over all workers that are not servants.
  [[nodiscard]] std::int64_t elapsed_ns() const;

 private:
  void launch(std::function<void(Worker&)>& work, bool servant);
  void reap(bool force);

  std::size_t capacity_;
  WorkerPage* pages_;
  std::atomic<std::uint32_t>* go_;
  std::vector<pid_t> pids_;
  std::vector<bool> servants_;
};

}  // namespace leat::bench
