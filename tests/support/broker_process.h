// A leatd of a test's own, with directories of its own, that can be killed, stopped and started again.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <leat/feed_address.h>
#include <leat/result.h>

#include "base/mapping.h"
#include "support/child_process.h"

namespace leat::test {

/// Small rings and short waits unless told otherwise: see kDefaults in broker_process.cc. No GoogleTest in here.
class BrokerProcess {
 public:
  /// `tag` goes into the names of its directories.
  explicit BrokerProcess(std::string tag);
  ~BrokerProcess();

  /// Before start(): sets (or replaces) an option. An empty value means the option is left at leatd's own default.
  void set(const std::string& option, const std::string& value) { options_[option] = value; }
  void set(const std::string& option, std::uint64_t value) { set(option, std::to_string(value)); }
  /// Before start(): adds to the environment, e.g. "LD_PRELOAD=...".
  void set_environment(const std::string& entry) { environment_.push_back(entry); }
  /// Before start(): the words before leatd's own, e.g. {"/bin/sh", "-c", "ulimit -f 8; exec \"$@\"", "sh"}. They must
  /// exec it.
  void set_prefix(std::vector<std::string> words) { prefix_ = std::move(words); }
  void set_runtime_dir(const std::filesystem::path& path) { address_.runtime_dir = path.string(); }
  void set_data_dir(const std::filesystem::path& path) { address_.data_dir = path.string(); }

  /// Starts leatd and returns when it answers. Error: its end, with what it said.
  Result<void> start();
  /// Starts leatd and waits for it to end by itself: for starts that must fail.
  int run_to_exit();
  /// Starts another leatd of the same feed, with --standby, and returns at once.
  [[nodiscard]] ChildProcess start_standby() const;
  /// From here on `other` is the broker: the one before, which must be dead, is forgotten.
  void replace_by(ChildProcess other) { process_ = std::move(other); }
  /// Returns when a broker with this pid answers. Error: that process has ended, with the log.
  Result<void> wait_until_served_by(ChildProcess& broker) const;
  /// Kills at once (SIGKILL) and reaps.
  void kill9() { process_.kill9(); }
  /// SIGTERM; returns the exit status.
  int terminate();
  /// Waits for it to end by itself.
  int wait() { return process_.wait(); }
  void stop() { process_.stop(); }
  void cont() { process_.cont(); }
  bool running() { return process_.running(); }
  [[nodiscard]] pid_t pid() const noexcept { return process_.pid(); }

  [[nodiscard]] const FeedAddress& address() const noexcept { return address_; }
  [[nodiscard]] std::filesystem::path journal() const {
    return std::filesystem::path(address_.data_dir) / address_.feed;
  }
  [[nodiscard]] std::filesystem::path runtime() const {
    return std::filesystem::path(address_.runtime_dir) / address_.feed;
  }
  /// The segment files of the journal, oldest first.
  [[nodiscard]] std::vector<std::filesystem::path> segments() const;
  /// Maps a file of the runtime directory, all of it, whether leatd runs or not. Throws std::runtime_error.
  [[nodiscard]] internal::Mapping map(const std::string& name, internal::Access access) const;
  /// A directory for whatever else the test wants to keep, on disk.
  [[nodiscard]] const std::filesystem::path& scratch() const noexcept { return scratch_; }
  /// All that every leatd started here has written.
  [[nodiscard]] std::string log() const;
  [[nodiscard]] std::vector<std::string> command() const;

  /// Lines of level error or critical that hold `text` are expected.
  void expect_log(const std::string& text) { expected_.push_back(text); }
  /// Lines of level error or critical (and sanitizer reports) that nobody announced.
  [[nodiscard]] std::vector<std::string> unexpected_log_lines() const;

  /// Files are removed when this dies, unless kept.
  void keep_files() { keep_ = true; }
  [[nodiscard]] std::string where() const;

 private:
  ChildProcess spawn(bool standby = false) const;

  FeedAddress address_;
  std::filesystem::path runtime_root_;  // under /dev/shm
  std::filesystem::path scratch_;       // under TMPDIR: data, log, outputs
  std::map<std::string, std::string> options_;
  std::vector<std::string> environment_;
  std::vector<std::string> prefix_;
  std::vector<std::string> expected_;
  ChildProcess process_;
  bool keep_ = false;
};

}  // namespace leat::test
