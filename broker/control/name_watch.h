// Names of our own that others could take away: whether each still leads to the file that we have open.
#pragma once

#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

namespace leat::broker {

/// One thread.
class NameWatch {
 public:
  /// `fd` is ours, and open as long as this is asked.
  void add(std::filesystem::path path, int fd) { names_.emplace_back(std::move(path), fd); }

  /// The first name that leads nowhere, or to another file. A look that fails for another reason says nothing.
  [[nodiscard]] std::optional<std::filesystem::path> find_lost() const;

 private:
  std::vector<std::pair<std::filesystem::path, int>> names_;
};

}  // namespace leat::broker
