// The sequencer thread of a running leatd, stepped by us from its sleep on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>

#include "process/kill/path.h"
#include "support/tracer.h"

namespace leat::test {

class SteppedSequencer {
 public:
  /// Stops it in its sleep. It goes on when this dies.
  explicit SteppedSequencer(pid_t leatd);

  /// Executes the first `count` instructions from the wake-up on; the end is where it sleeps and `has_ended` agrees.
  Path::Reached advance(Path& path, std::uint64_t count, const std::function<bool()>& has_ended);
  /// After leatd was killed.
  void reap() { tracer_.reap(); }

 private:
  Tracer tracer_;
  std::uint64_t sleep_at_ = 0;
  std::uint64_t word_ = 0;
};

}  // namespace leat::test
