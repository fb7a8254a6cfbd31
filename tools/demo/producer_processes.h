// The producer processes of a run, seen from the parent.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <leat/feed_address.h>
#include <leat/result.h>

namespace leat::demo {

/// What is known of one producer process. It tells of itself through a pipe (see publish_lines.h).
struct ProducerProcess {
  pid_t pid = -1;
  int to_child = -1;
  int from_child = -1;
  bool running = false;
  int wait_status = 0;              ///< of waitpid, once it has ended
  std::uint32_t producer_id = 0;    ///< known when it is ready
  std::uint64_t events = 0;         ///< published, by its own account
  std::uint64_t last_sequence = 0;  ///< of its last event, as the broker reported it; 0 if it published nothing
  bool reported = false;            ///< the account is complete

  [[nodiscard]] bool succeeded() const noexcept { return !running && wait_status == 0 && reported; }
  /// "exit status 1", "killed by signal 9", ...
  [[nodiscard]] std::string describe_end() const;
};

/// Each child is this program anew (exec), so no handle of the parent's is used across a fork. Move-only; one thread.
class ProducerProcesses {
 public:
  /// Starts `count` children on the snapshot `input_fd` and waits until each is connected. On error the ones already
  /// started are ended.
  static Result<ProducerProcesses> start(const FeedAddress& address, std::size_t count, int input_fd);

  ProducerProcesses(ProducerProcesses&&) noexcept = default;
  ProducerProcesses& operator=(ProducerProcesses&&) = delete;
  ~ProducerProcesses();  ///< ends and reaps those that still run

  /// Lets all of them publish.
  Result<void> release();

  /// Takes note of those that have ended; never waits. True when none is left.
  bool reap();

  [[nodiscard]] const std::vector<ProducerProcess>& all() const noexcept { return processes_; }

 private:
  ProducerProcesses() = default;
  std::vector<ProducerProcess> processes_;
};

}  // namespace leat::demo
