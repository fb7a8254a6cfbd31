// A forked child that makes one call of the client library, stepped by us instruction by instruction.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "process/kill/path.h"
#include "support/tracer.h"

namespace leat::test {

/// What a child tells us. In memory of both; written by the child, but `read_up_to`.
struct ChildReport {
  std::atomic<std::uint64_t> accepted{0};    ///< events that it was told are accepted
  std::atomic<std::uint64_t> outcome{0};     ///< whatever the stepped call returned, plus 1; 0: it did not return
  std::atomic<std::uint64_t> read_up_to{0};  ///< a consumer child ends when it has this sequence
  char error[512] = {};                      ///< why it ended with a status that is not 0
};

/// The child's part: everything up to the call; the call; what follows if it is let go on. Runs in a fork without exec:
/// the parent's handles are not usable (their mappings are not inherited) and must be left alone.
struct ChildPart {
  std::function<void()> before;
  std::function<std::uint64_t()> call;
  std::function<void()> after;
};

class SteppedCall {
 public:
  /// Forks; returns when the child stands before the call. Throws Broken if it failed before.
  explicit SteppedCall(const std::function<ChildPart(ChildReport&)>& make);
  ~SteppedCall();
  SteppedCall(const SteppedCall&) = delete;
  SteppedCall& operator=(const SteppedCall&) = delete;

  /// Executes the first `count` instructions of the call; if it ends before, the child stands behind it.
  Path::Reached advance(Path& path, std::uint64_t count);
  /// Steps on until `there`. Throws Broken if the call ends before.
  void step_until(const std::function<bool()>& there);
  void kill();
  /// Lets the child go on to its end. Throws Broken if that is not a good one.
  void let_finish();
  [[nodiscard]] ChildReport& report() { return *report_; }

 private:
  ChildReport* report_;
  pid_t pid_ = -1;
  Tracer tracer_;
};

/// In the child: notes why and ends it.
[[noreturn]] void give_up(ChildReport& report, const std::string& why);

}  // namespace leat::test
