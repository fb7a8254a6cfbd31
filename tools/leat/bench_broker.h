// A broker of its own for a benchmark: started beside `leat`, in directories that are removed afterwards.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include <leat/feed_address.h>
#include <leat/result.h>

namespace leat::tool {

/// Move-only. Stops the broker and removes its directories when it dies.
class PrivateBroker {
 public:
  /// `leatd` is looked for beside this program, then in PATH. `data_parent`: where the journal's directory is made.
  /// Errors: io_error, no_broker (it did not come up; its log says why).
  static Result<PrivateBroker> start(const std::string& data_parent, const std::vector<std::string>& options);
  PrivateBroker(PrivateBroker&& other) noexcept;
  PrivateBroker& operator=(PrivateBroker&&) = delete;
  ~PrivateBroker();

  [[nodiscard]] const FeedAddress& address() const noexcept { return address_; }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Stops it, and waits until it has ended.
  void stop();
  /// Another one on the same directories, once stopped. Returns when it serves. Errors as start().
  Result<void> start_again(const std::vector<std::string>& options);

 private:
  PrivateBroker() = default;
  Result<void> launch(const std::vector<std::string>& options);
  Result<void> await();
  [[nodiscard]] std::string log_tail() const;

  pid_t pid_ = -1;
  std::filesystem::path data_root_;
  std::filesystem::path runtime_root_;
  FeedAddress address_;
};

}  // namespace leat::tool
