// What a start has made and changed so far, so that a start that is refused leaves nothing behind that was not there.
#pragma once

#include <filesystem>
#include <functional>
#include <utility>
#include <vector>

namespace leat::broker {

/// One at a time, and one thread: what makes directories and files during a start notes it here, where there is a
/// start. Takes everything back when it is destroyed, newest first, unless keep() was called.
class StartTrace {
 public:
  StartTrace();
  ~StartTrace();
  StartTrace(const StartTrace&) = delete;
  StartTrace& operator=(const StartTrace&) = delete;

  /// The directory goes again if it is empty by then.
  static void made_directory(const std::filesystem::path& path);
  static void made_file(const std::filesystem::path& path);
  void did(std::function<void()> undo) { undo_.push_back(std::move(undo)); }

  /// The start has succeeded.
  void keep() noexcept { undo_.clear(); }
  void take_back();

 private:
  std::vector<std::function<void()>> undo_;
};

}  // namespace leat::broker
